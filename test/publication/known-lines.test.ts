import { describe, expect, it } from 'vitest';
import { KnownLines } from '../../src/publication/known-lines.js';
import { type LineState, NEVER, type Publication } from '../../src/publication/ports.js';
import type { ServedSerial } from '../../src/publication/recovery-ports.js';

describe('what is known of lines', () => {
  const publication = (serial: number): Publication =>
    ({ serial, zoneId: '1', zone: 'a.', view: 'v' }) as Publication;
  const line = (serial: number, more: Partial<LineState> = {}): LineState => ({
    served: { zoneId: '1', zone: 'a.', view: 'v' },
    publication: publication(serial),
    lastSerial: serial,
    isRecovering: false,
    ...more,
  });

  it('is held against what the database has: a serial only moves forward', async () => {
    const told: ServedSerial[] = [];
    let now = line(7);
    const lines = new KnownLines(
      { findLine: () => Promise.resolve(now) },
      { freshSeconds: 0, limit: 10, onSetBack: (it) => Promise.resolve(told.push(it)) },
    );
    await lines.find('a.', 'v');
    now = line(8);
    expect((await lines.find('a.', 'v'))?.publication?.serial).toBe(8);
    now = line(7);
    await expect(lines.find('a.', 'v')).rejects.toMatchObject({ code: 'DATABASE_SET_BACK' });
    expect(told).toEqual([{ zone: 'a.', view: 'v', serial: 8 }]);
  });

  it('is not taken for set back by an answer that is older than what became ready meanwhile', async () => {
    const answers = [line(7), line(8)];
    const lines = new KnownLines(
      { findLine: () => Promise.resolve(answers.shift()) },
      { freshSeconds: 0, limit: 10, onSetBack: () => Promise.reject(new Error('set back')) },
    );
    lines.becomeCurrent(publication(8));
    expect((await lines.find('a.', 'v'))?.publication?.serial).toBe(8);
  });

  it('is no answer while the line is found out about, and nothing is left of it after', async () => {
    let now = line(7);
    const lines = new KnownLines({ findLine: () => Promise.resolve(now) }, { freshSeconds: 0, limit: 10 });
    await lines.find('a.', 'v');
    now = line(7, { isRecovering: true });
    await expect(lines.find('a.', 'v')).rejects.toMatchObject({ code: 'DATABASE_SET_BACK' });
    expect(lines.size).toBe(0);
    now = line(9);
    await lines.find('a.', 'v');
    expect(lines.takeServed()).toEqual([{ zone: 'a.', view: 'v', serial: 9 }]);
    expect(lines.size).toBe(0);
  });

  it('is asked of the database again when its zone is told of, and those of other zones are not', async () => {
    const asked: string[] = [];
    const lines = new KnownLines(
      {
        findLine: (zone, view) => {
          asked.push(`${zone} ${view}`);
          const served = { zoneId: zone === 'a.' ? '1' : '2', zone, view };
          return Promise.resolve({ ...line(7), served } as LineState);
        },
      },
      { freshSeconds: 1000, limit: 3 },
    );
    const findAll = async (): Promise<string[]> => {
      asked.length = 0;
      for (const [zone, view] of [
        ['a.', 'v'],
        ['a.', 'w'],
        ['b.', 'v'],
      ] as const)
        await lines.find(zone, view);
      return [...asked];
    };
    expect(await findAll()).toEqual(['a. v', 'a. w', 'b. v']);
    expect(await findAll()).toEqual([]);
    lines.forget('1');
    expect(await findAll()).toEqual(['a. v', 'a. w']);
    lines.forget('2');
    lines.forget('3');
    expect(await findAll()).toEqual(['b. v']);
    lines.forget();
    expect(await findAll()).toEqual(['a. v', 'a. w', 'b. v']);
    await lines.find('c.', 'v'); // pushes one out, which is not told of any more
    lines.forget('1');
    expect(lines.size).toBe(3);
  });

  describe('that nobody asks for', () => {
    const octets = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
    /** As the making of a small zone leaves it: parts of one block. */
    const block = octets(4096, 7);
    const whole = (zone: string, serial: number): Publication => ({
      id: '12',
      zoneId: zone,
      zone,
      view: 'v',
      zoneVersion: 3,
      policyName: 'default',
      policyVersion: 4,
      keySetVersion: 5,
      time: 1_800_000_000,
      formatVersion: 1,
      notBefore: 0,
      serial,
      state: 'ready',
      cause: 'change',
      error: null,
      previous: '11',
      generation: '12',
      resignAt: NEVER,
      expiresAt: NEVER,
      soa: { ttl: 60, rdata: block.subarray(0, 60), signatures: [block.subarray(60, 200), octets(100, 255)] },
      zonemd: null,
      maxTtl: 3600,
      records: 25,
      octets: 900,
      journal: { removed: 1, added: 2, octets: 300 },
    });
    const away = { findLine: () => Promise.reject(new Error('away')) };
    const limits = { freshSeconds: 60, limit: 4, unpacked: 1 };

    it('is as it was made, however it was kept, while the database is away', async () => {
      const lines = new KnownLines(away, limits);
      const made = ['a.', 'b.'].map((zone, i) => whole(zone, 4_294_967_295 - i));
      const signed = {
        ...(made[1] as Publication),
        zonemd: { ttl: 60, rdata: octets(54, 1), signatures: [] },
      };
      for (const publication of [...made, signed]) lines.becomeCurrent(publication);
      expect((await lines.find('a.', 'v'))?.publication).toStrictEqual(made[0]);
      const found = await lines.find('b.', 'v');
      expect(found).toStrictEqual({
        served: { zoneId: 'b.', zone: 'b.', view: 'v' },
        publication: signed,
        until: 0,
      });
      expect(found?.publication?.soa?.rdata.buffer.byteLength).toBe(60);
    });

    it('is held against what the database has, and its serial was given out', async () => {
      const told: ServedSerial[] = [];
      const lines = new KnownLines(
        { findLine: (zone, view) => Promise.resolve({ ...line(7), served: { zoneId: '1', zone, view } }) },
        { ...limits, onSetBack: (it) => Promise.resolve(told.push(it)) },
      );
      lines.becomeCurrent(whole('b.', 9));
      await lines.find('a.', 'v');
      lines.becomeCurrent(publication(8));
      await expect(lines.find('b.', 'v')).rejects.toMatchObject({ code: 'DATABASE_SET_BACK' });
      expect(told).toEqual([{ zone: 'b.', view: 'v', serial: 9 }]);
      expect(lines.takeServed()).toEqual([
        { zone: 'b.', view: 'v', serial: 9 },
        { zone: 'a.', view: 'v', serial: 8 },
      ]);
      expect(lines.size).toBe(0);
    });

    it('gives way first, and those that were asked for stay fresh', async () => {
      let asked = 0;
      const lines = new KnownLines(
        {
          findLine: (zone, view) => {
            asked++;
            return Promise.resolve({
              ...line(7),
              served: { zoneId: zone, zone, view },
              publication: undefined,
            });
          },
        },
        limits,
      );
      for (const zone of ['a.', 'b.']) await lines.find(zone, 'v');
      await lines.find('b.', 'v');
      expect(asked).toBe(2);
      // it was packed, and says that there is no publication yet
      expect(await lines.find('a.', 'v')).toMatchObject({ publication: undefined });
      expect(asked).toBe(3);
      lines.becomeCurrent(whole('a.', 8));
      expect((await lines.find('a.', 'v'))?.publication?.serial).toBe(8);
      expect(asked).toBe(3);
      for (const zone of ['c.', 'd.', 'e.', 'f.']) lines.becomeCurrent(whole(zone, 8));
      expect(lines.size).toBe(4);
      expect((await lines.find('a.', 'v'))?.publication?.serial).toBe(8);
      expect(lines.takeServed().map(({ zone }) => zone)).toEqual(['d.', 'e.', 'f.', 'a.']);
    });
  });
});
