import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ResourceRecord } from '../../src/dns/record.js';
import { recordLines } from '../lib/content-digest.js';
import { transfer } from '../lib/dns-client.js';
import { applyIxfr, type IxfrAnswer, readIxfr } from '../lib/ixfr.js';
import { IXFR_PROGRAMS, NSD_KEEPS_IXFR, showsIxfr, waitForIxfr } from '../lib/ixfr-signs.js';
import { temporaryFolder, waitUntil } from '../lib/processes.js';
import { Secondary, type SecondaryKey } from '../lib/secondary.js';
import { takeWhole } from '../lib/serving-watch.js';
import { type SigningKnotd, startSigningKnotd } from '../lib/signing-knotd.js';
import { askSerial, serialOf } from '../lib/soa.js';
import { tsigKeyOf } from '../lib/tsig-keys.js';
import { askIxfr, PROGRAMS } from './clients.js';

const ZONE = 'judge.example.';
const HOSTS = 100;
const CHANGES = 4;

/** What judges Zoneseal's IXFR has to find Knot's right, which it is known to be. */
describe('the judges of IXFR, on a primary that is known to be right', () => {
  const key: SecondaryKey = {
    name: 'judge.',
    algorithm: 'hmac-sha256',
    secret: randomBytes(32).toString('base64'),
  };
  const tsigKey = tsigKeyOf(key);
  const served = new Map<number, readonly ResourceRecord[]>();
  const secondaries: Secondary[] = [];
  let primary: SigningKnotd;

  beforeAll(async () => {
    primary = await startSigningKnotd(ZONE, unsigned(), key);
    await keep();
    for (const name of IXFR_PROGRAMS) {
      const secondary = await Secondary.start(name, {
        zones: [ZONE],
        primary: primary.target,
        key,
        label: name,
        ...(name === 'nsd' ? { settings: NSD_KEEPS_IXFR } : {}),
      });
      secondaries.push(secondary);
    }
    await everywhere();
  }, 120_000);

  afterAll(async () => {
    await Promise.all(secondaries.map((secondary) => secondary.stop()));
    await primary?.stop();
  });

  async function keep(): Promise<void> {
    const known = served.size;
    await waitUntil('no new serial', async () => {
      const records = await takeWhole({ target: primary.target, key: tsigKey }, ZONE);
      if (records?.[0] !== undefined) served.set(serialOf(records[0]), records);
      return served.size > known;
    });
  }

  async function everywhere(): Promise<void> {
    const serial = (await askSerial(primary.target, ZONE, tsigKey)) ?? 0;
    await Promise.all(secondaries.map((secondary) => secondary.waitForSerial(ZONE, serial)));
  }

  const newest = (): readonly ResourceRecord[] => [...served.values()].at(-1) ?? [];

  function expectNewest(answer: IxfrAnswer, old: readonly ResourceRecord[]): void {
    if (answer.kind !== 'steps') throw new Error(`the answer is ${answer.kind}`);
    expect(recordLines(applyIxfr(old, answer.steps))).toEqual(recordLines(newest()));
  }

  test('a zone taken as a whole shows as no IXFR', async () => {
    for (const secondary of secondaries) {
      await secondary.writeFiles();
      expect(showsIxfr(secondary, ZONE), secondary.label).toBe(false);
    }
  });

  test('differences, applied with nothing forgiven, give the new zone', async () => {
    for (let i = 0; i < CHANGES; i++) {
      await primary.add(`added${i}`, '192.0.2.200');
      await keep();
    }
    for (const [serial, records] of [...served].slice(0, -1)) {
      const taken = await transfer(primary.target, {
        name: ZONE,
        type: 'IXFR',
        serial,
        signing: { key: tsigKey },
      });
      expect(taken).toMatchObject({ isWhole: true, isAuthentic: true });
      expectNewest(readIxfr(taken.records), records);
    }
    const last = [...served.keys()].at(-1) as number;
    const current = await transfer(primary.target, {
      name: ZONE,
      type: 'IXFR',
      serial: last,
      signing: { key: tsigKey },
    });
    expect(readIxfr(current.records)).toEqual({ kind: 'current', serial: last });
  });

  test.each(PROGRAMS)('%s shows the same differences', async (program) => {
    const folder = temporaryFolder('judge');
    const [[serial, records] = [0, []]] = served;
    const answer = await askIxfr(program, primary.target, { zone: ZONE, serial, key, folder });
    expectNewest(readIxfr(answer), records);
  });

  test('what does not fit the zone is not forgiven', async () => {
    const [[serial, records] = [0, []]] = served;
    const taken = await transfer(primary.target, {
      name: ZONE,
      type: 'IXFR',
      serial,
      signing: { key: tsigKey },
    });
    const answer = readIxfr(taken.records);
    if (answer.kind !== 'steps') throw new Error(`the answer is ${answer.kind}`);
    expect(() => applyIxfr(records.slice(1), answer.steps)).toThrow('deletes what is not there');
    const added = answer.steps[0]?.added[1] as ResourceRecord;
    expect(() => applyIxfr([...records, added], answer.steps)).toThrow('adds what is there');
    expect(() => readIxfr(taken.records.slice(0, -1))).toThrow();
  });

  test('named, nsd and knotd show that they took them', async () => {
    await everywhere();
    for (const secondary of secondaries) await waitForIxfr(secondary, ZONE);
  });
});

function unsigned(): string {
  const hosts = Array.from({ length: HOSTS }, (_, i) => `h${i}.${ZONE} 300 A 192.0.2.${i}\n`);
  return [
    `${ZONE} 300 SOA ns1.${ZONE} hostmaster.${ZONE} 1 2 1 604800 60\n`,
    `${ZONE} 300 NS ns1.${ZONE}\nns1.${ZONE} 300 A 192.0.2.53\n`,
    ...hosts,
  ].join('');
}
