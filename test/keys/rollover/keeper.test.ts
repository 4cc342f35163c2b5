import { beforeEach, describe, expect, it } from 'vitest';
import { ZonesealError } from '../../../src/errors.js';
import { parsePolicy } from '../../../src/keys/policy.js';
import { keySetFacts } from '../../../src/keys/rollover/facts.js';
import { KeyKeeper, type LookedZone, type UnusedKey } from '../../../src/keys/rollover/keeper.js';
import type { DsUse, ManagedKey, RolloverState, Step } from '../../../src/keys/rollover/model.js';
import type { KeyEvent, LoadedRollover, RolloverStore } from '../../../src/keys/rollover/ports.js';

const NOW = 1_800_000_000;
const ZONE = 'example.';

const managed = (id: string, role: ManagedKey['role'], more: Partial<ManagedKey> = {}): ManagedKey => ({
  id,
  zone: ZONE,
  role,
  algorithm: 13,
  keyTag: Number(id),
  flags: role === 'ZSK' ? 256 : 257,
  publicKey: new Uint8Array([Number(id)]),
  secretRef: `https://barbican/v1/secrets/${id}`,
  view: null,
  signs: true,
  published: true,
  goal: 'in',
  parent: false,
  keySetsOnly: false,
  createdAt: NOW - 1000,
  replaces: null,
  activeAt: NOW - 1000,
  removedAt: null,
  ...more,
});

/** What the keeper asks of the database, and what it was told. */
class FakeStore {
  state: RolloverState = {
    zone: ZONE,
    views: ['internal'],
    policy: parsePolicy('default', { zskLifetime: 0 }),
    formerly: [],
    keySetVersion: 1,
    keys: [managed('1', 'KSK'), managed('2', 'ZSK')],
    uses: [],
    ds: [{ keys: ['1'], algorithms: [13], since: NOW - 900, seenAt: NOW - 800, until: null, ttl: null }],
    isHeld: false,
    asked: [],
    deleteSentinel: false,
  };
  events: KeyEvent[] = [];
  readonly steps: Step[] = [];
  readonly looked: (number | null)[] = [];
  readonly held: string[] = [];
  isTaken = true;
  unknownUntil: number | null = null;
  older: string[] = [];
  broken: string | undefined;
  isGone = false;
  readonly postponed: string[] = [];
  readonly failed: string[] = [];

  /** Zones that are due besides. */
  backlog = 0;

  #fromBacklog(limit: number): { zoneId: string; zone: string }[] {
    const some = Math.min(limit, this.backlog);
    this.backlog -= some;
    return Array.from({ length: some }, () => ({ zoneId: '1', zone: ZONE }));
  }

  readonly port = {
    listDue: (limit: number) =>
      Promise.resolve([
        ...this.#fromBacklog(limit),
        ...(this.broken === undefined ? [] : [{ zoneId: '0', zone: this.broken }]),
        ...(this.older.length > 0 ? [] : [{ zoneId: '1', zone: ZONE }]),
      ]),
    listOlderGateways: () => Promise.resolve(this.older),
    load: (zone: string): Promise<LoadedRollover> => {
      if (zone === this.broken) {
        return Promise.reject(new ZonesealError('POLICY_INVALID', 'policy x: algorithm 99 is not known'));
      }
      return Promise.resolve({
        state: this.state,
        parent: null,
        peeredViews: [],
        look: { zoneId: '1', policyVersion: 1, policyVersionBefore: 1, dueAt: null, events: [] },
        now: NOW,
        unknownUntil: this.unknownUntil,
      });
    },
    postpone: (zoneId: string, seconds: number) => {
      if (this.isGone) return Promise.reject(new Error('the database is gone'));
      this.postponed.push(`${zoneId} ${seconds}`);
      return Promise.resolve();
    },
    noteLooked: (_: unknown, nextAt: number | null) => {
      this.looked.push(nextAt);
      return Promise.resolve();
    },
    apply: (_: unknown, step: Step) => {
      this.steps.push(step);
      if (this.isTaken && step.kind === 'create') {
        const { role, algorithm, view, replaces } = step;
        const id = String(this.state.keys.length + 1);
        const key = managed(id, role, {
          algorithm,
          view,
          replaces,
          signs: false,
          published: false,
          activeAt: null,
        });
        this.state = {
          ...this.state,
          keys: [...this.state.keys, key],
          keySetVersion: this.state.keySetVersion + 1,
        };
      }
      return Promise.resolve(this.isTaken);
    },
    storeDs: () => Promise.resolve(true),
    hold: (_: string, isHeld: boolean, why: string) => {
      this.held.push(`${isHeld} ${why}`);
      this.state = { ...this.state, isHeld };
      return Promise.resolve(true);
    },
    noteFailed: (_: string, step: Step, code: string | null, reason: string) => {
      this.failed.push(`${step.kind} ${code}: ${reason}`);
      return Promise.resolve();
    },
    listEvents: () => Promise.resolve(this.events),
  } as unknown as RolloverStore;
}

describe('the keeper of keys', () => {
  let store: FakeStore;
  let made: number;
  let discarded: number;
  let fault: Error | undefined;
  let isAlone: boolean;
  const looked: LookedZone[] = [];
  let pauses = 0;
  const logged: string[] = [];
  const destroyed: string[] = [];
  const undeletable = new Set<string>();
  let keeper: KeyKeeper;

  beforeEach(() => {
    store = new FakeStore();
    [made, discarded, fault, isAlone] = [0, 0, undefined, true];
    logged.length = 0;
    looked.length = 0;
    pauses = 0;
    destroyed.length = 0;
    undeletable.clear();
    const log = (level: string) => (fields: { reason?: string }, message: string) =>
      void logged.push(`${level} ${message}${fields.reason === undefined ? '' : ` (${fields.reason})`}`);
    keeper = new KeyKeeper({
      store: store.port,
      maker: {
        createKey: ({ role, algorithm, view }) => {
          if (fault !== undefined) return Promise.reject(fault);
          made++;
          const { id: _, zone: __, ...key } = managed('9', role, { algorithm, view });
          return Promise.resolve({ ...key, token: 't' } as UnusedKey);
        },
        discard: () => Promise.resolve(void discarded++),
        destroyKey: ({ id }) => {
          if (undeletable.has(id))
            return Promise.reject(new ZonesealError('KEYSTORE_FORBIDDEN', 'not yours'));
          destroyed.push(id);
          return Promise.resolve(id === '2' ? 'kept' : 'deleted');
        },
      },
      alone: (_, work) => (isAlone ? work() : Promise.resolve(undefined)),
      onLooked: (zone) => Promise.resolve(void looked.push(zone)),
      giveWay: (ms) => Promise.resolve(void (pauses += ms >= 0 ? 1 : 0)),
      log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    });
  });

  const event: KeyEvent = { at: NOW, key: null, keyTag: null, what: 'x', why: 'y' };
  const misfit = (): void => {
    store.state = { ...store.state, policy: parsePolicy('default', { algorithm: 15, zskLifetime: 0 }) };
  };

  it('leaves a zone alone that has no keys yet: its first ones are made by hand', async () => {
    store.state = { ...store.state, keys: [] };
    await keeper.keepDue();
    expect({ made, steps: store.steps, looked: store.looked }).toEqual({
      made: 0,
      steps: [],
      looked: [null],
    });
  });

  it('leaves a zone alone that is in no view', async () => {
    misfit();
    store.events = [event];
    store.state = { ...store.state, views: [] };
    await keeper.keepDue();
    expect({ made, steps: store.steps, looked: store.looked }).toEqual({
      made: 0,
      steps: [],
      looked: [null],
    });
  });

  it('destroys keys of a zone in no view that were taken out long enough ago', async () => {
    const gone = { signs: false, published: false, goal: 'out' } as const;
    const retention = store.state.policy.keyRetention;
    const keys = [
      managed('1', 'KSK'),
      managed('2', 'ZSK', { ...gone, removedAt: NOW - retention }),
      managed('3', 'ZSK', { ...gone, removedAt: NOW - 60 }),
    ];
    store.state = { ...store.state, views: [], keys };
    await keeper.keepDue();
    expect(store.steps.filter(({ kind }) => kind !== 'destroy')).toEqual([]);
    expect(store.steps[0]).toMatchObject({ kind: 'destroy', key: '2', secret: 'kept' });
    store.state = { ...store.state, keys: keys.filter(({ id }) => id !== '2') };
    await keeper.keepDue();
    expect(store.looked.at(-1)).toBe(NOW - 60 + retention);
    expect(looked).toEqual([]);
  });

  it('holds keys that were taken over and are not those that the policy wants, and says how to let them roll', async () => {
    misfit();
    await keeper.keepDue();
    expect(made).toBe(0);
    expect(store.held).toEqual([expect.stringContaining('zoneseal keys hold example. --release')]);
    expect(logged).toEqual([expect.stringContaining('warn the keys of a zone stay as they are')]);
    // once released, or of a zone that has rolled before, they roll
    store.state = { ...store.state, isHeld: false };
    store.events = [event];
    await keeper.keepDue();
    expect(made).toBe(2);
    expect(store.steps.map(({ kind }) => kind).slice(0, 2)).toEqual(['create', 'create']);
  });

  it('lets keys that were taken over and are those that the policy wants roll at their lifetime', async () => {
    store.state = {
      ...store.state,
      policy: parsePolicy('default', { zskLifetime: 90 * 86_400 }),
      keys: store.state.keys.map((key) => ({ ...key, activeAt: NOW - 95 * 86_400 })),
    };
    await keeper.keepDue();
    expect(store.held).toEqual([]);
    expect(store.steps[0]).toMatchObject({ kind: 'create', role: 'ZSK', replaces: '2' });
  });

  it('discards a key that was made for a key set which has changed meanwhile', async () => {
    misfit();
    store.events = [event];
    store.isTaken = false;
    await keeper.keepDue();
    expect(made).toBeGreaterThan(0);
    expect(discarded).toBe(made);
  });

  it('makes no key while another gateway does', async () => {
    misfit();
    store.events = [event];
    isAlone = false;
    await keeper.keepDue();
    expect({ made, looked: store.looked }).toEqual({ made: 0, looked: [] });
  });

  it('tells of a step that fails, tries it again later and later, and says what it is when all is well', async () => {
    misfit();
    store.events = [event];
    fault = new ZonesealError('KEYSTORE_UNAVAILABLE', 'Barbican does not answer');
    await keeper.keepDue();
    await keeper.keepDue();
    expect(store.looked).toEqual([NOW + 15, NOW + 30]);
    expect(keeper.counts).toMatchObject({ failed: 2, failing: 1 });
    expect(logged).toContain(
      'error a step of a key roll could not be taken; it is tried again (Barbican does not answer)',
    );
    fault = undefined;
    await keeper.keepDue();
    expect(keeper.counts).toMatchObject({ failing: 0 });
    expect(made).toBe(2);
  });

  it('has a key that cannot be destroyed hold up no other step, nor the question what the parent has', async () => {
    const gone = { goal: 'out', signs: false, published: false, removedAt: NOW - 9_000_000 } as const;
    const others = [managed('3', 'KSK', gone), managed('4', 'ZSK', gone)];
    store.events = [event];
    store.state = { ...store.state, keys: [...store.state.keys, ...others] };
    undeletable.add('3');
    store.isTaken = false; // or it would be destroyed again and again
    await keeper.keepDue();
    expect(new Set(destroyed)).toEqual(new Set(['4']));
    store.state = {
      ...store.state,
      keys: store.state.keys.filter(({ id }) => id !== '4'),
      asked: ['1'],
      ds: [],
    };
    [store.looked.length, looked.length] = [0, 0];
    await keeper.keepDue();
    expect(looked).toHaveLength(1);
    expect(store.looked).toEqual([NOW + 30]);
    expect(store.failed.at(-1)).toBe('destroy KEYSTORE_FORBIDDEN: not yours');
    expect(keeper.counts).toMatchObject({ failing: 1 });
  });

  it('looks at a zone no later than its next step comes, whatever fails', async () => {
    const gone = { goal: 'out', signs: false, published: false } as const;
    const keys = [
      managed('3', 'KSK', { ...gone, removedAt: NOW - 9_000_000 }),
      managed('4', 'ZSK', { ...gone, removedAt: NOW - 604_800 + 5 }),
    ];
    store.events = [event];
    store.state = { ...store.state, keys: [...store.state.keys, ...keys] };
    undeletable.add('3');
    await keeper.keepDue();
    await keeper.keepDue();
    expect(store.looked).toEqual([NOW + 5, NOW + 5]);
  });

  it('takes the other steps of a zone where a key cannot be made or destroyed, and tries that again', async () => {
    misfit();
    store.events = [event];
    const removed = { signs: false, published: false, goal: 'out', removedAt: 0 } as const;
    store.state = {
      ...store.state,
      keys: [...store.state.keys, managed('3', 'ZSK', removed), managed('4', 'ZSK', removed)],
    };
    fault = new ZonesealError('KEY_UNSUPPORTED', 'RSA keys are generated in steps of 8');
    undeletable.add('3');
    await keeper.keepDue();
    // what was taken stays with this store, so that it is decided again and again
    expect(new Set(store.steps.map((step) => step.kind === 'destroy' && step.key))).toEqual(new Set(['4']));
    store.steps.length = 0;
    store.state = { ...store.state, keys: store.state.keys.filter(({ id }) => id !== '4') };
    await keeper.keepDue();
    expect(store.steps).toEqual([]);
    expect(store.looked.at(-1)).toBe(NOW + 30);
    expect(looked.at(-1)).toMatchObject({ zone: ZONE });
    expect(keeper.counts).toMatchObject({ failing: 1 });
  });

  it('leaves a zone for later that cannot be loaded, and goes on with those behind it', async () => {
    misfit();
    store.events = [event];
    store.broken = 'broken.example.';
    await keeper.keepDue();
    await keeper.keepDue();
    expect(store.postponed).toEqual(['0 15', '0 30']);
    expect(made).toBe(2);
    expect(keeper.counts).toMatchObject({ failed: 2, failing: 1 });
    expect(logged[0]).toContain('algorithm 99 is not known');
  });

  it('looks at all that are due in one round, however many there are', async () => {
    store.backlog = 450;
    await keeper.keepDue();
    expect(store.backlog).toBe(0);
    expect(store.looked.length).toBeGreaterThanOrEqual(450);
    // after each of them others may come first
    expect(pauses).toBeGreaterThanOrEqual(450);
  });

  it('looks at some zones at the same time, and at no more', async () => {
    const load = store.port.load.bind(store.port);
    let [underWay, most] = [0, 0];
    store.port.load = async (zone) => {
      most = Math.max(most, ++underWay);
      await new Promise(setImmediate);
      return load(zone).finally(() => underWay--);
    };
    store.backlog = 50;
    await keeper.keepDue();
    expect(most).toBe(4);
  });

  it('ends the round where the database is gone, but for the zones that are looked at then', async () => {
    store.broken = 'broken.example.';
    store.isGone = true;
    const zone = { zoneId: '1', zone: ZONE };
    const due = [{ zoneId: '0', zone: store.broken }, ...Array.from({ length: 99 }, () => zone)];
    store.port.listDue = () => Promise.resolve(due);
    await expect(keeper.keepDue()).rejects.toThrow('the database is gone');
    expect(store.looked.length).toBeLessThan(20);
  });

  it('says once what a roll waits for', async () => {
    store.state = { ...store.state, asked: ['1'], ds: [] };
    store.events = [event];
    await keeper.keepDue();
    await keeper.keepDue();
    const waits = logged.filter((line) => line.includes('a key roll waits'));
    expect(new Set(waits).size).toBe(waits.length);
    expect(waits.length).toBeGreaterThan(0);
    expect(looked.at(-1)).toMatchObject({ zone: ZONE, hasEntry: true });
  });

  it('tells what the DS at the parent makes bogus', async () => {
    store.events = [event];
    await keeper.keepDue();
    expect(looked.at(-1)?.fault).toBeNull();
    const facts = keySetFacts(store.state.keys, ['internal'], 1, false);
    const past = { since: 0, until: null, replacedAt: null, maxTtl: 60, dnskeyTtl: 60 };
    const [ds] = store.state.ds as [DsUse];
    store.state = {
      ...store.state,
      isHeld: true,
      uses: [{ view: 'internal', facts, ...past }],
      ds: [{ ...ds, keys: ['unknown:7'] }],
    };
    await keeper.keepDue();
    expect(looked.at(-1)?.fault).toContain('unknown key 7');
  });

  it('takes no step while nobody knows what was served before the database was set back', async () => {
    misfit();
    store.events = [event];
    store.unknownUntil = NOW + 1000;
    await keeper.keepDue();
    await keeper.keepDue();
    expect({ made, looked: store.looked }).toEqual({ made: 0, looked: [NOW + 1000, NOW + 1000] });
    expect(logged).toEqual([
      'warn the keys of a zone do not roll (no key of zone example. rolls until 2027-01-15T08:16:40Z: the database was set back, and caches may hold until then what it knows nothing of; where a key has to go before: zoneseal keys roll example. TAG --emergency)',
    ]);
  });

  it('says once which gateways keep all keys from rolling', async () => {
    store.older = ['gateway old (0.0.9)'];
    await keeper.keepDue();
    await keeper.keepDue();
    const line =
      'warn keys do not roll (no key of any zone rolls: gateway old (0.0.9) would not sign by what comes of it, being of a release without key rolls; upgrade, or stop it)';
    expect(logged).toEqual([line]);
    store.older = [];
    await keeper.keepDue();
    store.older = ['gateway old (0.0.9)'];
    await keeper.keepDue();
    expect(logged.filter((it) => it === line)).toHaveLength(2);
  });

  it('stops where it is told to', async () => {
    keeper.close();
    await keeper.keepDue();
    expect(store.looked).toEqual([]);
  });
});
