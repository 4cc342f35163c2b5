import type { Database } from './database.js';

/** A lease that is held: whoever acts under it passes the token on, so that one who acts too late can be told. */
export interface Lease {
  readonly name: string;
  readonly holder: string;
  /** Grows with each new holder. */
  readonly token: number;
}

/**
 * Takes a lease, or takes it over when it has expired by the database's clock. The holder of it prolongs it by taking it again,
 * under the same token.
 * @returns undefined while another holds it
 */
export async function takeLease(
  database: Database,
  name: string,
  holder: string,
  seconds: number,
): Promise<Lease | undefined> {
  const [row] = await database.query<{ token: number }>(
    `insert into zoneseal.leases as l (name, holder, expires_at)
       values ($1, $2, clock_timestamp() + make_interval(secs => $3::float8))
     on conflict (name) do update
       set holder = excluded.holder, expires_at = excluded.expires_at,
         token = l.token + case when l.holder = excluded.holder and l.expires_at > clock_timestamp() then 0 else 1 end
       where l.holder = excluded.holder or l.expires_at <= clock_timestamp()
     returning token`,
    [name, holder, seconds],
  );
  return row === undefined ? undefined : { name, holder, token: row.token };
}

/** Prolongs a lease; false when it is no longer this holder's. */
export async function renewLease(database: Database, lease: Lease, seconds: number): Promise<boolean> {
  const renewed = await database.execute(
    `update zoneseal.leases set expires_at = clock_timestamp() + make_interval(secs => $4::float8)
     where name = $1 and holder = $2 and token = $3 and expires_at > clock_timestamp()`,
    [lease.name, lease.holder, lease.token, seconds],
  );
  return renewed > 0;
}

/** Gives a lease back, if it is still held. */
export async function releaseLease(database: Database, lease: Lease): Promise<void> {
  await database.execute(
    `update zoneseal.leases set expires_at = '-infinity' where name = $1 and holder = $2 and token = $3`,
    [lease.name, lease.holder, lease.token],
  );
}

/** Runs work under a lease, which ends with it and leaves nothing; undefined while another holds it. */
export async function underLease<T>(
  database: Database,
  name: string,
  holder: string,
  seconds: number,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const lease = await takeLease(database, name, holder, seconds);
  if (lease === undefined) return undefined;
  try {
    return await work();
  } finally {
    await database.execute('delete from zoneseal.leases where name = $1 and holder = $2 and token = $3', [
      lease.name,
      lease.holder,
      lease.token,
    ]);
  }
}
