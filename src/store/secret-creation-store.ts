import type { KeyRole } from '../keys/key-set.js';
import type { DeletedKey, SecretCreation, SecretCreations, SecretPlan } from '../keys/secret-creations.js';
import type { Database } from './database.js';

interface Row {
  readonly token: string;
  readonly zone: string | null;
  readonly tsig_key: string | null;
  readonly algorithm: string;
  readonly role: KeyRole | null;
  readonly key_tag: number | null;
  readonly bits: number | null;
  readonly view: string | null;
  readonly created_by: string;
  readonly secret_ref: string | null;
}

/** Creations that are looked at in one go. */
const MOST_LEFT = 1000;

/** Secrets that are being made, in zoneseal.secret_creations. */
export class SecretCreationStore implements SecretCreations {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async begin(creation: SecretPlan & Pick<SecretCreation, 'token' | 'createdBy'>): Promise<void> {
    const key = creation.kind === 'zone-key' ? creation : undefined;
    await this.#database.execute(
      `insert into zoneseal.secret_creations (token, zone, tsig_key, algorithm, role, key_tag, bits, view, created_by)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [
        creation.token,
        key?.zone ?? null,
        creation.kind === 'tsig' ? creation.tsigKey : null,
        creation.algorithm,
        key?.role ?? null,
        key?.keyTag ?? null,
        key?.bits ?? null,
        key?.view ?? null,
        creation.createdBy,
      ],
    );
  }

  async prove(token: string, secretRef: string): Promise<boolean> {
    const proved = await this.#database.execute(
      'update zoneseal.secret_creations set secret_ref = $2 where token = $1 and abandoned_at is null',
      [token, secretRef],
    );
    return proved > 0;
  }

  async giveUp(token: string): Promise<boolean> {
    // the row goes with the transaction that brings the secret into use, and is waited for here
    const given = await this.#database.execute(
      'update zoneseal.secret_creations set abandoned_at = coalesce(abandoned_at, clock_timestamp()) where token = $1',
      [token],
    );
    return given > 0;
  }

  async removed(token: string): Promise<void> {
    await this.#database.execute(
      'update zoneseal.secret_creations set removed_at = clock_timestamp() where token = $1 and abandoned_at is not null',
      [token],
    );
  }

  async left(seconds: number): Promise<readonly SecretCreation[]> {
    await this.#database.execute(
      "delete from zoneseal.secret_creations where removed_at < clock_timestamp() - interval '1 day'",
    );
    const rows = await this.#database.query<Row>(
      `select token, zone, tsig_key, algorithm, role, key_tag, bits, view, created_by, secret_ref
       from zoneseal.secret_creations
       where removed_at is null and created_at <= clock_timestamp() - make_interval(secs => $1)
       order by created_at, token limit ${MOST_LEFT}`,
      [seconds],
    );
    return rows.map(creationOf);
  }

  async countUses(secretRef: string): Promise<number> {
    const [row] = await this.#database.query<{ uses: number }>(
      `select (select count(*) from zoneseal.zone_keys where zoneseal.secret_id(secret_ref) = zoneseal.secret_id($1))
         + (select count(*) from zoneseal.tsig_keys
            where zoneseal.secret_id($1) in (zoneseal.secret_id(secret_ref), zoneseal.secret_id(next_secret_ref))) as uses`,
      [secretRef],
    );
    return row?.uses ?? 0;
  }

  deletedKeys(): Promise<readonly DeletedKey[]> {
    return this.#database.query<DeletedKey>(
      `select zone, role, algorithm, key_tag as "keyTag", secret_ref as "secretRef" from zoneseal.deleted_keys
       where destroy_at <= clock_timestamp() order by destroy_at, secret_ref limit ${MOST_LEFT}`,
    );
  }

  async takeDeleted(secretRef: string): Promise<boolean> {
    const taken = await this.#database.execute(
      `update zoneseal.deleted_keys set taken_at = coalesce(taken_at, clock_timestamp())
       where zoneseal.secret_id(secret_ref) = zoneseal.secret_id($1)`,
      [secretRef],
    );
    return taken > 0;
  }

  async forgetDeleted(secretRef: string): Promise<void> {
    await this.#database.execute(
      'delete from zoneseal.deleted_keys where zoneseal.secret_id(secret_ref) = zoneseal.secret_id($1)',
      [secretRef],
    );
  }

  /** Those of some references whose keys sign now. */
  async signing(references: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await this.#database.query<{ secret_ref: string }>(
      'select distinct secret_ref from zoneseal.zone_keys where signs and secret_ref = any($1::text[])',
      [references],
    );
    return new Set(rows.map((row) => row.secret_ref));
  }

  /** Tells all gateways to forget the secrets in their memory. */
  async lock(): Promise<void> {
    await this.#database.query('select zoneseal.lock_secrets()');
  }

  /** How often they were told so: a gateway that finds another number than before has missed it. */
  async locks(): Promise<number> {
    const [row] = await this.#database.query<{ locks: number }>('select locks from zoneseal.secret_locks');
    return row?.locks ?? 0;
  }
}

function creationOf(row: Row): SecretCreation {
  const common = {
    token: row.token,
    algorithm: row.algorithm,
    createdBy: row.created_by,
    secretRef: row.secret_ref ?? undefined,
  };
  if (row.zone === null) return { ...common, kind: 'tsig', tsigKey: row.tsig_key ?? '' };
  return {
    ...common,
    kind: 'zone-key',
    zone: row.zone,
    role: row.role ?? 'CSK',
    keyTag: row.key_tag ?? 0,
    bits: row.bits ?? 0,
    view: row.view,
  };
}
