import { beforeEach, describe, expect, it } from 'vitest';
import { ZonesealError } from '../../src/errors.js';
import type { DsSighting } from '../../src/fleet/parent-client.js';
import { type ParentClaim, ParentWatch, type ParentWatchStore } from '../../src/fleet/parent-watch.js';

const SERVERS = [
  { address: '192.0.2.1', port: 53 },
  { address: '192.0.2.2', port: 53 },
];
const DS = Uint8Array.of(1);

describe('the watch over parents', () => {
  let claims: ParentClaim[];
  /** How many zones of no known parent are put off by one statement after the other. */
  let unknown: number[];
  let putOff: [number, number][];
  let answers: Map<string, DsSighting>;
  let isKnown: boolean;
  let targets: string[];
  /** What comes of a NOTIFY, by address. */
  let refusals: Map<string, string | Error>;
  let faults: Map<string, Error>;
  const asked: string[] = [];
  const noted: string[] = [];
  const recorded: string[] = [];
  const logged: string[] = [];
  const told: string[] = [];
  let watch: ParentWatch;

  const claim = (more: Partial<ParentClaim> = {}): ParentClaim => ({
    zoneId: '1',
    zone: 'child.example.',
    awaits: false,
    wanted: '["1"]',
    tellSeconds: 0,
    revision: 0,
    fault: null,
    faultToldSeconds: null,
    toldSeconds: null,
    waitedSeconds: 5,
    ...more,
  });

  beforeEach(() => {
    for (const list of [asked, noted, recorded, logged, told]) list.length = 0;
    claims = [claim()];
    unknown = [];
    putOff = [];
    isKnown = true;
    targets = ['192.0.2.9'];
    refusals = new Map();
    faults = new Map();
    answers = new Map(
      SERVERS.map(({ address }) => [address, { kind: 'seen', ds: [DS], ttl: 60, isProved: true }]),
    );
    const store: ParentWatchStore = {
      putOffUnknown: (limit, seconds) => {
        putOff.push([limit, seconds]);
        return Promise.resolve(unknown.shift() ?? 0);
      },
      claim: () => Promise.resolve(claims.splice(0)),
      findAbove: () =>
        Promise.resolve(
          isKnown
            ? {
                name: 'example.',
                servers: SERVERS,
                anchors: [],
                notify: targets.map((address) => ({ address, port: 53 })),
              }
            : undefined,
        ),
      record: (zone, servers, seen) => {
        if (faults.has(zone)) return Promise.reject(faults.get(zone));
        recorded.push(`${zone} ${servers.join()} saw ${seen.map(({ server }) => server).join()}`);
        return Promise.resolve();
      },
      noteAsked: ({ zoneId }, seconds, isTold) => {
        noted.push(`${zoneId} in ${seconds}${isTold ? ', told' : ''}`);
        return Promise.resolve();
      },
      noteFaultTold: ({ zoneId }) => {
        noted.push(`${zoneId} told of its fault`);
        return Promise.resolve();
      },
      countFaults: () => Promise.resolve(3),
    };
    const write =
      () =>
      (fields: object, message: string): void =>
        void logged.push(`${message} ${JSON.stringify(fields)}`);
    watch = new ParentWatch({
      store,
      client: {
        findDs: (zone, _, { address }) => {
          asked.push(`${zone} at ${address}`);
          return Promise.resolve(answers.get(address) as DsSighting);
        },
        notifyCds: (zone, { address }) => {
          told.push(`${zone} to ${address}`);
          const refusal = refusals.get(address);
          return refusal instanceof Error ? Promise.reject(refusal) : Promise.resolve(refusal);
        },
      },
      log: { debug: write(), info: write(), warn: write(), error: write() },
      pollSeconds: 60,
      recheckSeconds: 3600,
      claimSeconds: 30,
    });
  });

  it('puts off zones whose parent is not known together, until there are no more', async () => {
    unknown = [500, 500, 20];
    await watch.look();
    expect(putOff).toEqual([
      [500, 3600],
      [500, 3600],
      [500, 3600],
    ]);
    expect(noted).toEqual(['1 in 3600']);
  });

  it('asks every nameserver of the parent, and again after the recheck time where nothing waits', async () => {
    await watch.look();
    expect(asked).toEqual(['child.example. at 192.0.2.1', 'child.example. at 192.0.2.2']);
    expect(recorded).toEqual(['child.example. 192.0.2.1 53,192.0.2.2 53 saw 192.0.2.1 53,192.0.2.2 53']);
    expect(noted).toEqual(['1 in 3600']);
    expect(told).toEqual([]);
  });

  it('asks soon again while a roll waits, less often when it waits for long, and tells of CDS from time to time', async () => {
    claims = [claim({ awaits: true })];
    await watch.look();
    claims = [claim({ awaits: true, toldSeconds: 600, waitedSeconds: 20_000 })];
    await watch.look();
    claims = [claim({ awaits: true, toldSeconds: 4000, waitedSeconds: 10_000_000 })];
    await watch.look();
    expect(noted).toEqual(['1 in 60, told', '1 in 1000', '1 in 3600, told']);
    expect(told).toEqual(['child.example. to 192.0.2.9', 'child.example. to 192.0.2.9']);
  });

  it('does not tell of CDS that not all nameservers have, and does so as soon as they are to', async () => {
    claims = [claim({ awaits: true, tellSeconds: null })];
    await watch.look();
    claims = [claim({ awaits: true, tellSeconds: 20 })];
    await watch.look();
    expect([told, noted]).toEqual([[], ['1 in 60', '1 in 20']]);
    claims = [claim({ awaits: true })];
    await watch.look();
    expect([told.length, noted.at(-1)]).toEqual([1, '1 in 60, told']);
  });

  it('tells of CDS again at each look until somebody has acknowledged it, and of what stood in the way once', async () => {
    targets = ['192.0.2.8', '192.0.2.9'];
    refusals.set('192.0.2.8', 'REFUSED').set('192.0.2.9', new Error('no answer'));
    const look = async (): Promise<void> => {
      claims = [claim({ awaits: true })];
      await watch.look();
    };
    await look();
    await look();
    expect([noted, told.length]).toEqual([['1 in 60', '1 in 60'], 4]);
    expect(logged).toEqual([
      expect.stringMatching(/not told of changed CDS; .*192\.0\.2\.8.*REFUSED/),
      expect.stringMatching(/not told of changed CDS; .*192\.0\.2\.9.*no answer/),
    ]);
    refusals.set('192.0.2.8', 'NOTIMP').delete('192.0.2.9');
    await look();
    expect(noted.at(-1)).toBe('1 in 60, told');
    expect(logged.slice(2)).toEqual([expect.stringContaining('NOTIMP')]);
    expect(watch.counts.told).toBe(1);
  });

  it('has nobody told where nobody is to be', async () => {
    targets = [];
    claims = [claim({ awaits: true })];
    await watch.look();
    expect([noted, told]).toEqual([['1 in 60'], []]);
  });

  it('tells of a zone that the DS makes bogus, and again each hour', async () => {
    for (const faultToldSeconds of [null, 600, 3600]) {
      claims = [claim({ fault: 'the DS is of another key', faultToldSeconds })];
      await watch.look();
    }
    expect(logged).toEqual([
      expect.stringContaining('the DS is of another key'),
      expect.stringContaining('makes a zone bogus'),
    ]);
    expect(noted.filter((line) => line.includes('fault'))).toHaveLength(2);
  });

  it('tells of a nameserver that does not say once, asks again soon, and records what the others said', async () => {
    answers.set('192.0.2.2', { kind: 'unknown', problem: 'REFUSED' });
    for (let i = 0; i < 3; i++) {
      claims = [claim()];
      await watch.look();
    }
    expect(logged).toEqual([expect.stringContaining('REFUSED')]);
    expect(recorded[0]).toBe('child.example. 192.0.2.1 53,192.0.2.2 53 saw 192.0.2.1 53');
    expect(noted).toEqual(['1 in 60', '1 in 60', '1 in 60']);
    expect(watch.counts).toEqual({ seen: 3, unknown: 3, told: 0, bogus: 3 });
  });

  it('goes on where a zone was deleted meanwhile, and tells of what else cannot be recorded once all were asked', async () => {
    const deleted = new ZonesealError('NOT_HELD', 'zone gone.example. is not held');
    faults.set('gone.example.', deleted);
    const zones = Array.from({ length: 16 }, (_, i) =>
      claim({ zoneId: String(i), zone: i === 0 ? 'gone.example.' : `z${i}.example.` }),
    );
    claims = [...zones];
    await watch.look();
    expect(recorded.length).toBe(15);
    faults.set('z1.example.', new Error('the database is gone'));
    claims = [...zones];
    await expect(watch.look()).rejects.toThrow('the database is gone');
    expect(recorded.length).toBe(29);
  });

  it('asks nobody where no parent is known', async () => {
    isKnown = false;
    await watch.look();
    expect({ asked, recorded, noted }).toEqual({ asked: [], recorded: [], noted: ['1 in 3600'] });
  });

  it('asks no more once it is closed', async () => {
    watch.close();
    await watch.look();
    expect(recorded).toEqual([]);
  });
});
