/** That all gateways and all secondaries hold what signing the stored rows from scratch gives, and nothing else. */
import { systemClock } from '../../src/clock.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import { servedLines, storedLines } from '../secondaries/content.js';
import type { Cluster, HeldSecondary } from './cluster.js';
import { canonicalDigest, canonicalLines, recordLines } from './content-digest.js';
import { differences, type JudgedZone, objections, shapeFromScratch, signersOf } from './from-scratch.js';
import { waitUntil } from './processes.js';
import { type StoredRow, sees, type ZoneView } from './random-zone.js';
import { takeWhole } from './serving-watch.js';
import { serialOf } from './soa.js';

/** How long gateways and secondaries may take to have a change, milliseconds. */
const PATIENCE = 90_000;

/** How long it takes at the most to see that the gateways have gone on, milliseconds. */
const LOOK_AGAIN = 10_000;

/** A zone as it has to be when nothing is being written. */
export interface Expected {
  readonly zone: JudgedZone;
  readonly rows: readonly StoredRow[];
}

/**
 * Waits until all gateways serve a view of the rows under one serial, octet by octet the same.
 * @throws Error that says who does not, and how far apart they are
 */
export async function agreedDump(
  cluster: Cluster,
  { zone, rows }: Expected,
  view: ZoneView,
): Promise<readonly ResourceRecord[]> {
  const wanted = storedLines(rows.filter((row) => sees(view, row)));
  let dumps: (readonly ResourceRecord[] | undefined)[] = [];
  const key = cluster.tsigKey(view);
  const report = (): string =>
    [
      `the gateways do not agree about ${zone.apex} (${view}):`,
      ...dumps.map((dump, i) => `gateway ${i}: ${describe(dump, wanted)}`),
      ...cluster.gateways.map((_, i) => cluster.tail(i)),
    ].join('\n');
  await waitUntil(
    report,
    async () => {
      dumps = await Promise.all(cluster.gateways.map(({ target }) => takeWhole({ target, key }, zone.apex)));
      const serials = new Set(dumps.map(serialOfDump));
      return serials.size === 1 && dumps.every((dump) => isSame(servedLines(dump ?? []), wanted));
    },
    PATIENCE,
  );
  const [first, ...others] = dumps.map((dump) => recordLines(dump ?? []));
  for (const [i, other] of others.entries()) {
    const apart = symmetricDifference(first ?? [], other);
    if (apart.length > 0) {
      throw new Error(`gateways 0 and ${i + 1} differ under one serial:\n${apart.slice(0, 20).join('\n')}`);
    }
  }
  return dumps[0] as readonly ResourceRecord[];
}

/** What is wrong with an agreed dump beside a signing from scratch, and in the eyes of validators. */
export async function dumpFaults(
  { zone, rows }: Expected,
  view: ZoneView,
  dump: readonly ResourceRecord[],
): Promise<string[]> {
  const title = `${zone.apex} (${view}) ${serialOf(dump[0] as ResourceRecord)}`;
  const compared = await Promise.all(
    signersOf(zone.variant).map(async (signer) => {
      const apart = differences(dump, await shapeFromScratch(zone, view, rows, signer));
      return apart.slice(0, 20).map((line) => `${title}, Zoneseal (+) and ${signer} (-): ${line}`);
    }),
  );
  return [...compared.flat(), ...(await objections(zone, title, dump))];
}

/** What gateways and the secondaries of a view serve, these by their labels. */
export interface Everywhere {
  readonly dump: readonly ResourceRecord[];
  readonly copies: ReadonlyMap<string, readonly ResourceRecord[]>;
}

/**
 * Waits until all secondaries of a view hold what all gateways serve. The serial may move on meanwhile, with the same contents.
 * @throws Error that says who does not
 */
export async function agreedEverywhere(
  cluster: Cluster,
  expected: Expected,
  view: ZoneView,
): Promise<Everywhere> {
  const deadline = systemClock.milliseconds() + PATIENCE;
  const held = cluster.secondaries.filter((it) => it.view === view);
  for (;;) {
    const dump = await agreedDump(cluster, expected, view);
    try {
      const copies = await Promise.all(
        held.map(async (it) => {
          const copy = await secondaryHas(it, expected.zone.apex, dump, LOOK_AGAIN);
          return [it.secondary.label, copy] as const;
        }),
      );
      return { dump, copies: new Map(copies) };
    } catch (error) {
      if (systemClock.milliseconds() > deadline) throw error;
    }
  }
}

/** Waits until a secondary holds exactly what the gateways serve. @throws Error with what is between them, and its log */
export async function secondaryHas(
  { secondary }: HeldSecondary,
  zone: string,
  dump: readonly ResourceRecord[],
  patience = PATIENCE,
): Promise<readonly ResourceRecord[]> {
  const wanted = canonicalDigest(dump);
  const serial = serialOf(dump[0] as ResourceRecord);
  await secondary.waitForSerial(zone, serial, patience);
  let held: readonly ResourceRecord[] | undefined;
  await waitUntil(
    () => {
      const apart =
        held === undefined ? ['nothing'] : symmetricDifference(canonicalLines(dump), canonicalLines(held));
      const lines = apart.slice(0, 20).join('\n');
      return `${secondary.label} holds another ${zone} ${serial}:\n${lines}\n${secondary.log.slice(-4000)}`;
    },
    async () => {
      held = await takeWhole({ target: secondary.target }, zone);
      return held !== undefined && canonicalDigest(held) === wanted;
    },
    5000,
  );
  return held as readonly ResourceRecord[];
}

function serialOfDump(dump: readonly ResourceRecord[] | undefined): number | undefined {
  return dump?.[0] === undefined ? undefined : serialOf(dump[0]);
}

function describe(dump: readonly ResourceRecord[] | undefined, wanted: readonly string[]): string {
  if (dump === undefined) return 'no whole transfer';
  const apart = symmetricDifference(wanted, servedLines(dump));
  return `serial ${serialOfDump(dump)}, ${apart.length} lines from what is stored ${apart.slice(0, 5).join(' | ')}`;
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((line, i) => line === others[i]);
}

/** Lines of the one (-) and of the other (+) alone. */
function symmetricDifference(some: readonly string[], others: readonly string[]): string[] {
  const [one, two] = [new Set(some), new Set(others)];
  return [
    ...some.filter((line) => !two.has(line)).map((line) => `- ${line}`),
    ...others.filter((line) => !one.has(line)).map((line) => `+ ${line}`),
  ];
}
