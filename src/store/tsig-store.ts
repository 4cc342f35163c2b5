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
      if (row === undefined) throw notHeld('TSIG key', name, 'see: zoneseal tsig list');
      await addGrant(transaction, row.id, grant);
    });
  }

  /** Deletes a key with its grants; its secret stays where it is. @throws ZonesealError NOT_HELD; DATA_REFUSED where a peer needs it */
  async delete(name: string): Promise<void> {
    let deleted: number;
    try {
      deleted = await this.#database.execute(
        'delete from zoneseal.tsig_keys where sort_key = zoneseal.sort_key($1)',
        [name],
      );
    } catch (error) {
      if (!breaks(error, 'peers_key_id_fkey')) throw error;
      const next = 'delete those first with: zoneseal peer delete';
      throw new ZonesealError(
        'DATA_REFUSED',
        `TSIG key "${name}" is what messages to peers are signed with; ${next}`,
        {
          name,
        },
      );
    }
    if (deleted === 0) throw notHeld('TSIG key', name, 'see: zoneseal tsig list');
  }

  /** All keys as they are written, by name. */
  async list(): Promise<NewTsigKey[]> {
    const rows = await this.#database.query<GrantRow>(
      `select k.name, k.algorithm, k.secret_ref,
         (select jsonb_agg(jsonb_build_object('view', g.view, 'zones', g.zones, 'addresses', g.addresses) order by g.id)
           from zoneseal.tsig_grants g where g.key_id = k.id) as grants
       from zoneseal.tsig_keys k order by k.sort_key`,
    );
    return rows.map(({ name, algorithm, secret_ref: secretRef, grants }) => ({
      name,
      algorithm,
      secretRef,
      grants: grants ?? [],
    }));
  }

  /**
   * All keys as the access rules take them. Rows are anyone's to write: a key whose name cannot be read is left out, and so
   * is a grant with a zone that cannot; either opens nothing, and stops nothing else. A key that is left without grants is known.
   * @param onProblem told of each row that was left out, and why
   */
  async read(onProblem?: (message: string) => void): Promise<readonly TsigKeyEntry[]> {
    return (await this.list()).flatMap(({ name: text, grants, ...key }): TsigKeyEntry[] => {
      try {
        const name = Name.parse(text);
        return [{ ...key, name, grants: grants.flatMap((grant) => readGrant(text, grant, onProblem)) }];
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
