import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parsePolicy } from '../../src/keys/policy.js';
import type { ZoneRow } from '../../src/zone/row.js';
import { hosts, ManagerLab } from './manager-lab.js';

const LARGE = 3_000_000;
const short = parsePolicy('default', { validity: '10d', refresh: '7d' });
const long = parsePolicy('default', { validity: '60d', refresh: '10d' });
const UNSAFE = 'what is served is signed by a policy that is unsafe for it';

/** The zone with one host of another TTL, and so many others moved. */
const zoneWith = (ttl: number, moved = 0): ZoneRow[] =>
  hosts(5, moved).map((row, i) => (i === 4 ? { ...row, ttl } : row));

let lab: ManagerLab;

beforeEach(async () => {
  lab = await ManagerLab.open();
  lab.store.policy = short;
});

afterEach(() => lab.manager.close());

async function failure(rows: readonly ZoneRow[]): Promise<string> {
  await expect(lab.publish(rows)).rejects.toThrow('not published');
  return lab.store.publications.at(-1)?.error ?? '';
}

const ttls = async (): Promise<number> => Math.max(...(await lab.fetch()).map(({ ttl }) => ttl));

describe('a publication with a TTL that is too large for its policy', () => {
  it('is refused with the sum; the one before it goes on being served', async () => {
    await lab.publish(zoneWith(300));
    const reason = await failure(zoneWith(LARGE));
    expect(reason).toContain(
      'policy default: validity must be longer than refresh 604800 s + largest TTL 3000000 s + propagationDelay 3600 s = 3608400 s, it is 864000 s: signatures would expire in caches',
    );
    expect(lab.logged).toContainEqual(expect.objectContaining({ level: 'error' }));
    expect(await ttls()).toBeLessThan(LARGE);
    await lab.publish(zoneWith(60));
  });

  it('is refused where it would be the first', async () => {
    await failure(zoneWith(LARGE));
    await expect(lab.fetch()).rejects.toThrow();
  });

  it('is refused where the policy has changed', async () => {
    lab.store.policy = long;
    await lab.publish(zoneWith(LARGE));
    expect(lab.logged).not.toContainEqual(expect.objectContaining({ message: UNSAFE }));
    lab.store.policy = short;
    lab.store.policyVersion++;
    await failure(zoneWith(LARGE));
    expect(await ttls()).toBe(LARGE);
  });

  it('is published, and told of, where the one before was no better', async () => {
    lab.store.policy = long;
    await lab.publish(zoneWith(LARGE));
    // as a release before made it
    lab.store.policyVersion++;
    lab.store.policy = short;
    const served = lab.store.publications.length - 1;
    lab.store.publications[served] = {
      ...(lab.store.publications[served] as (typeof lab.store.publications)[number]),
      policyVersion: lab.store.policyVersion,
    };
    await lab.publish(zoneWith(LARGE, 2));
    expect(lab.logged).toContainEqual({ level: 'error', message: UNSAFE });
    lab.logged.length = 0;
    await lab.publish(zoneWith(300, 3));
    await lab.publish(zoneWith(300, 1));
    expect(lab.logged).not.toContainEqual(expect.objectContaining({ level: 'error' }));
    await failure(zoneWith(LARGE, 1));
  });
});
