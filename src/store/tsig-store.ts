import { randomBytes } from 'node:crypto';
import { Name } from '../dns/name.js';
import { errorMessage, ZonesealError } from '../errors.js';
import type { TsigGrant, TsigKeyEntry } from '../transfer/ports.js';
import type { Database, Queryable } from './database.js';
import { alreadyHeld, breaks, notHeld } from './held.js';

/** A grant as it is written: zones by name. */
export interface NewTsigGrant {
  readonly view: string;
  /** Absolute names; null: every zone of the view. */
  readonly zones: readonly string[] | null;
  /** CIDR ranges or addresses; null: any address. */
  readonly addresses: readonly string[] | null;
}

/** A TSIG key as it is stored; while it changes it has two secrets. */
export interface StoredTsigKey extends NewTsigKey {
  /** The secret that is to take the place of the other; undefined while the key does not change. */
  readonly nextSecretRef?: string;
  /** Since when, ISO 8601. */
  readonly nextSince?: string;
}

/** A secret that no key has any more, and that is still in the key store; by its token it is removed later, should nobody do so at once. */
export interface RetiredSecret {
  readonly token: string;
  readonly secretRef: string;
}

/** A TSIG key as it is written: its name, where its secret is, what it is for. */
export interface NewTsigKey {
  /** Absolute name. */
  readonly name: string;
  readonly algorithm: string;
  readonly secretRef: string;
  readonly grants: readonly NewTsigGrant[];
}

interface GrantRow {
  readonly name: string;
  readonly algorithm: string;
  readonly secret_ref: string;
  readonly next_secret_ref: string | null;
  readonly next_since: Date | null;
  readonly grants: readonly NewTsigGrant[] | null;
}

/** TSIG keys and what they are for. */
export class TsigStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** @throws ZonesealError ALREADY_HELD, NOT_HELD where a view is not there, DATA_REFUSED */
  async add(key: NewTsigKey): Promise<void> {
    const name = Name.parse(key.name).toLower().toString();
    try {
      await this.#database.transaction(async (transaction) => {
        const [row] = await transaction.query<{ id: number }>(
          'insert into zoneseal.tsig_keys (name, algorithm, secret_ref) values ($1, $2, $3) returning id',
          [name, key.algorithm, key.secretRef],
        );
        for (const grant of key.grants) await addGrant(transaction, row?.id, grant);
      });
    } catch (error) {
      if (breaks(error, 'tsig_keys_name_key') || breaks(error, 'tsig_keys_sort_key_key')) {
        throw alreadyHeld('TSIG key', name, 'see: zoneseal tsig list');
      }
      throw error;
    }
  }

  /** Gives a key another grant. @throws ZonesealError NOT_HELD */
  async grant(name: string, grant: NewTsigGrant): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      const [row] = await transaction.query<{ id: number }>(
        'select id from zoneseal.tsig_keys where sort_key = zoneseal.sort_key($1)',
        [name],
      );
      if (row === undefined) throw unknownKey(name);
      await addGrant(transaction, row.id, grant);
    });
  }

  /**
   * Gives a key a second secret, which is to take the place of the first.
   * @throws ZonesealError NOT_HELD; ALREADY_HELD while it has two
   */
  async rotate(name: string, nextSecretRef: string): Promise<void> {
    const rotated = await this.#database.execute(
      `update zoneseal.tsig_keys set next_secret_ref = $2, next_since = clock_timestamp()
       where sort_key = zoneseal.sort_key($1) and next_secret_ref is null`,
      [name, nextSecretRef],
    );
    if (rotated > 0) return;
    if (!(await this.list()).some((key) => key.name === name)) throw unknownKey(name);
    throw alreadyHeld(
      'second secret of TSIG key',
      name,
      `end the change with: zoneseal tsig rotate ${name} --finish`,
    );
  }

  /**
   * Ends the change of a key: from now on only the new secret counts.
   * @returns the one of before
   * @throws ZonesealError NOT_HELD where the key has no second one
   */
  async finishRotation(name: string, by: string): Promise<RetiredSecret> {
    return this.#database.transaction(async (transaction) => {
      const [row] = await transaction.query<SecretRow>(
        `select name, algorithm, secret_ref, next_secret_ref from zoneseal.tsig_keys
         where sort_key = zoneseal.sort_key($1) for update`,
        [name],
      );
      if (row === undefined) throw unknownKey(name);
      if (row.next_secret_ref === null) {
        throw notHeld('second secret of TSIG key', name, `begin a change with: zoneseal tsig rotate ${name}`);
      }
      await transaction.execute(
        `update zoneseal.tsig_keys set secret_ref = next_secret_ref, next_secret_ref = null, next_since = null
         where sort_key = zoneseal.sort_key($1)`,
        [name],
      );
      return retire(transaction, row, row.secret_ref, by);
    });
  }

  /**
   * Deletes a key with its grants.
   * @returns its secrets, which are to be removed; none where they are to stay
   * @throws ZonesealError NOT_HELD; DATA_REFUSED where a peer needs it
   */
  async delete(name: string, retired?: { readonly by: string }): Promise<RetiredSecret[]> {
    try {
      return await this.#database.transaction(async (transaction) => {
        const [row] = await transaction.query<SecretRow>(
          `delete from zoneseal.tsig_keys where sort_key = zoneseal.sort_key($1)
           returning name, algorithm, secret_ref, next_secret_ref`,
          [name],
        );
        if (row === undefined) throw unknownKey(name);
        const secrets: RetiredSecret[] = [];
        for (const reference of [row.secret_ref, row.next_secret_ref]) {
          if (reference !== null && retired !== undefined)
            secrets.push(await retire(transaction, row, reference, retired.by));
        }
        return secrets;
      });
    } catch (error) {
      if (!breaks(error, 'peers_key_id_fkey')) throw error;
      const next = 'delete those first with: zoneseal peer delete';
      throw new ZonesealError(
        'DATA_REFUSED',
        `TSIG key "${name}" is what messages to peers are signed with; ${next}`,
        { name },
      );
    }
  }

  /** All keys as they are written, by name. */
  async list(): Promise<StoredTsigKey[]> {
    const rows = await this.#database.query<GrantRow>(
      `select k.name, k.algorithm, k.secret_ref, k.next_secret_ref, k.next_since,
         (select jsonb_agg(jsonb_build_object('view', g.view, 'zones', g.zones, 'addresses', g.addresses) order by g.id)
           from zoneseal.tsig_grants g where g.key_id = k.id) as grants
       from zoneseal.tsig_keys k order by k.sort_key`,
    );
    return rows.map(
      ({ name, algorithm, secret_ref: secretRef, next_secret_ref: next, next_since, grants }) => ({
        name,
        algorithm,
        secretRef,
        ...(next == null ? {} : { nextSecretRef: next }),
        ...(next_since == null ? {} : { nextSince: next_since.toISOString() }),
        grants: grants ?? [],
      }),
    );
  }

  /**
   * All keys as the access rules take them. Rows are anyone's to write: a key whose name cannot be read is left out, and so
   * is a grant with a zone that cannot; either opens nothing, and stops nothing else. A key that is left without grants is known.
   * @param onProblem told of each row that was left out, and why
   */
  async read(onProblem?: (message: string) => void): Promise<readonly TsigKeyEntry[]> {
    return (await this.list()).flatMap((stored): TsigKeyEntry[] => {
      const { name: text, algorithm, secretRef, nextSecretRef, grants } = stored;
      try {
        const name = Name.parse(text);
        return [
          {
            name,
            algorithm,
            secretRef,
            ...(nextSecretRef === undefined ? {} : { nextSecretRef }),
            grants: grants.flatMap((grant) => readGrant(text, grant, onProblem)),
          },
        ];
      } catch (error) {
        onProblem?.(
          `TSIG key ${JSON.stringify(text)} is not used, its name cannot be read: ${errorMessage(error)}`,
        );
        return [];
      }
    });
  }
}

function readGrant(
  key: string,
  { view, zones, addresses }: NewTsigGrant,
  onProblem?: (message: string) => void,
): TsigGrant[] {
  const keys = new Set<string>();
  for (const zone of zones ?? []) {
    try {
      keys.add(Name.parse(zone).key);
    } catch (error) {
      const what = `a grant of the view ${view} to the TSIG key ${key}`;
      onProblem?.(
        `${what} is not used, its zone ${JSON.stringify(zone)} cannot be read: ${errorMessage(error)}`,
      );
      return [];
    }
  }
  return [{ view, zones: zones === null ? null : keys, addresses }];
}

interface SecretRow {
  readonly name: string;
  readonly algorithm: string;
  readonly secret_ref: string;
  readonly next_secret_ref: string | null;
}

/** Writes down that a secret is to be removed from the key store, in the transaction after which no key has it. */
async function retire(
  transaction: Queryable,
  { name, algorithm }: SecretRow,
  secretRef: string,
  by: string,
): Promise<RetiredSecret> {
  const token = randomBytes(16).toString('hex');
  const [row] = await transaction.query<{ token: string }>(
    `insert into zoneseal.secret_creations as c (token, tsig_key, algorithm, created_by, secret_ref, abandoned_at)
       values ($1, $2, $3, $4, $5, clock_timestamp())
     on conflict (secret_ref) do update set abandoned_at = coalesce(c.abandoned_at, clock_timestamp()), removed_at = null
     returning token`,
    [token, name, algorithm, by, secretRef],
  );
  return { token: row?.token ?? token, secretRef };
}

function unknownKey(name: string): ZonesealError {
  return notHeld('TSIG key', name, 'see: zoneseal tsig list');
}

async function addGrant(
  transaction: Queryable,
  keyId: number | undefined,
  grant: NewTsigGrant,
): Promise<void> {
  const zones = grant.zones?.map((zone) => Name.parse(zone).toLower().toString()) ?? null;
  try {
    await transaction.execute(
      'insert into zoneseal.tsig_grants (key_id, view, zones, addresses) values ($1, $2, $3, $4::cidr[])',
      [keyId, grant.view, zones, grant.addresses],
    );
  } catch (error) {
    if (breaks(error, 'tsig_grants_view_fkey')) {
      throw notHeld('view', grant.view, `create it with: zoneseal view add ${grant.view}`);
    }
    throw error;
  }
}
