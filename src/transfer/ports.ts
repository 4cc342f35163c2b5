import type { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';

/** A finished or growing sequence of packed DNS messages, without id and TSIG, as a transfer sends them. */
export interface ImageReader {
  /** The messages in order, each as soon as it exists; throws when production fails. Ends after the closing SOA. */
  messages(): AsyncIterable<Uint8Array>;
  /** Gives up the hold on the image. Idempotent. */
  release(): void;
}

/** One (zone, view) as the transfer protocol sees it. */
export interface ServedPublication {
  /** SOA of the newest ready publication with its RRSIGs; undefined while there is none. */
  readonly soa: { readonly rrset: RRset; readonly signatures: readonly Uint8Array[] } | undefined;
  /**
   * The image of the newest ready publication, produced again when this gateway does not hold it; where none is ready
   * yet, the one being made. Once for however many ask.
   * @throws ZonesealError when it cannot be had before its first message (answered with SERVFAIL)
   */
  openImage(): Promise<ImageReader>;
  /**
   * The differences from the publication of a serial to the newest ready one, as the messages of an IXFR (RFC 1995 §4);
   * undefined where they are not known, or more than the whole zone, which is to be sent then.
   */
  openDifference(serial: number): Promise<ImageReader | undefined>;
}

/** Where the transfer protocol finds what is served. */
export interface PublicationSource {
  /**
   * undefined when the zone is not held or not assigned to the view (REFUSED).
   * @throws ZonesealError when that cannot be told now (SERVFAIL)
   */
  find(zone: Name, view: string): Promise<ServedPublication | undefined>;
}

/** One grant: a TSIG key may take these zones in this view from these addresses. */
export interface TsigGrant {
  readonly view: string;
  /** Zone names by Name.key; null: every zone of the view. */
  readonly zones: ReadonlySet<string> | null;
  /** CIDR ranges; null: any address. */
  readonly addresses: readonly string[] | null;
}

/** A TSIG key as the access rules know it; its secret is fetched apart. */
export interface TsigKeyEntry {
  readonly name: Name;
  /** hmac-sha256 and so on. */
  readonly algorithm: string;
  readonly secretRef: string;
  /** The secret that is to take its place, while the key changes: requests may be made with either. */
  readonly nextSecretRef?: string;
  readonly grants: readonly TsigGrant[];
}

/** The TSIG keys as last read from the database, and their secrets. */
export interface TsigKeySource {
  find(name: Name): TsigKeyEntry | undefined;
  /** The secret that `secretRef` names. @throws ZonesealError when the key store cannot be reached and the secret is not held */
  secret(entry: TsigKeyEntry): Promise<Uint8Array>;
}
