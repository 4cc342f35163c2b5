import type { KeyRole, ZoneKey } from './key-set.js';

/** What is about to be made: a private key of a zone, or a secret of a TSIG key. */
export type SecretPlan = {
  readonly algorithm: string;
} & (
  | {
      readonly kind: 'zone-key';
      /** Absolute presentation format, lower case. */
      readonly zone: string;
      readonly role: KeyRole;
      readonly keyTag: number;
      readonly bits: number;
      readonly view: string | null;
    }
  | {
      readonly kind: 'tsig';
      /** The key's name, absolute presentation format, lower case. */
      readonly tsigKey: string;
    }
);

/** A secret that was to be made, and that no key uses (yet). */
export type SecretCreation = SecretPlan & {
  /** Random; in the name and the metadata of the secret. */
  readonly token: string;
  /** Which gateway or command. */
  readonly createdBy: string;
  /** Undefined while it is not proved. */
  readonly secretRef: string | undefined;
};

/** The private key of a zone that was deleted, and the time until which it is kept is over. */
export type DeletedKey = Pick<ZoneKey, 'zone' | 'role' | 'algorithm' | 'keyTag' | 'secretRef'>;

/**
 * The port to where it is written what is being made, before anything is in the key store. The row that uses a secret (of a zone's key, of a TSIG
 * key) ends its creation in the same transaction, and cannot be written once the creation was given up.
 */
export interface SecretCreations {
  begin(creation: SecretPlan & Pick<SecretCreation, 'token' | 'createdBy'>): Promise<void>;
  /** Notes that a secret is stored and proved; false when its creation was given up meanwhile. */
  prove(token: string, secretRef: string): Promise<boolean>;
  /** From now on the secret cannot come into use; false when it is in use already, or when its creation is not known. */
  giveUp(token: string): Promise<boolean>;
  /** Notes that nothing of it is in the key store (any more). */
  removed(token: string): Promise<void>;
  /** Those that were begun so many seconds ago, by the database's clock, and of which something may be in the key store. */
  left(seconds: number): Promise<readonly SecretCreation[]>;
  /** How many keys use a secret, however their references to it are written. */
  countUses(secretRef: string): Promise<number>;
  /** Keys of deleted zones that are due to be destroyed, a bounded number. */
  deletedKeys(): Promise<readonly DeletedKey[]>;
  /** From now on the secret of a deleted zone cannot come into use; false when it is in use again. */
  takeDeleted(secretRef: string): Promise<boolean>;
  /** Nothing is left to be done about the secret of a deleted zone. */
  forgetDeleted(secretRef: string): Promise<void>;
}
