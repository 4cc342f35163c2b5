import type { Command } from 'commander';
import type { Name } from '../dns/name.js';
import { DsDigest, dnskeyRdata, dsRdata } from '../dnssec/dnskey.js';
import { rollable } from '../keys/rollover/goals.js';
import type { ManagedKey, Step, Wait } from '../keys/rollover/model.js';
import type { PlanEntry } from '../keys/rollover/plan.js';
import { FAILED, type KeyEvent } from '../keys/rollover/ports.js';
import { timeText } from '../keys/rollover/words.js';
import { jsonOption, nameArgument, numberArgument, timeArgument, ttlArgument } from './arguments.js';
import { withDatabase } from './database.js';
import { UsageError } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { keyText } from './key-text.js';
import { loadKeys } from './loaded-keys.js';
import { hint } from './stored-zone.js';
import { printJson, printLines, printTable } from './terminal.js';

interface PlanOptions extends GlobalOptions {
  readonly until?: number;
  readonly json?: true;
}

interface RollOptions extends GlobalOptions {
  readonly emergency: boolean;
  readonly yes: boolean;
}

interface HoldOptions extends GlobalOptions {
  readonly release: boolean;
  readonly reason?: string;
}

interface DsSeenOptions extends GlobalOptions {
  readonly none: boolean;
  readonly ttl?: number;
}

const DAY = 86_400;
/** How far a timetable reaches unless something else is asked for. */
const PLAN_SECONDS = 400 * DAY;
/** What a timetable takes for granted where nobody knows: a minute to sign, the parent within an hour. */
const SIGNING_SECONDS = 60;
const PARENT_SECONDS = 3600;
const MOST_EVENTS = 10_000;
/** Events among which steps are looked for that failed. */
const FAILURES_READ = 50;

const tagArgument = numberArgument(0, 65_535);
const tagsArgument = (text: string, before: readonly number[] | undefined): readonly number[] => [
  ...(before ?? []),
  tagArgument(text),
];

/** Adds what has keys roll, and explains it, to `keys`. */
export function addRollCommands(keys: Command): void {
  keys
    .command('plan')
    .summary('print the timetable of coming key rolls')
    .description(
      'Prints the steps that are to come to the keys of a zone, when each comes if all goes well, what it waits for, and who could hold it; then what waits now and why. A timetable that is longer than some hundreds of steps is cut, and says from when on (cutAt in JSON). ' +
        'It is worked out from the policy and from what is known now, with a minute for publications to be signed and an hour for the parent to follow its CDS: nothing is changed.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .option('--until <time>', 'how far to look ahead (default: 400 days)', timeArgument)
    .addOption(jsonOption())
    .action(async (zone: Name, _: unknown, self: Command) => {
      await plan(zone, self.optsWithGlobals<PlanOptions>());
    });
  keys
    .command('roll')
    .summary('have keys replaced')
    .description(
      'Asks for keys of a zone to be replaced: without a key tag all that are in use. Gateways do so step by step, each as soon as no cache can fail; see "keys plan". ' +
        'With --emergency the key goes out at once, and its successor takes its place: first is said what validators will see, and until when, and nothing is done without --yes.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .argument('[tags...]', 'key tags', tagsArgument)
    .option('--emergency', 'at once, whatever caches hold; one key alone', false)
    .option('--yes', 'with --emergency: do it', false)
    .action(async (zone: Name, tags: readonly number[] | undefined, _: unknown, self: Command) => {
      await roll(zone, tags ?? [], self.optsWithGlobals<RollOptions>());
    });
  keys
    .command('hold')
    .summary('keep keys as they are, or let them roll again')
    .description(
      'Holds the keys of a zone: no further step of a roll is taken, what is published stays, signatures are renewed. With --release they roll again.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .option('--release', 'let them roll', false)
    .option('--reason <text>', 'why, for "keys history"')
    .action(async (zone: Name, _: unknown, self: Command) => {
      await hold(zone, self.optsWithGlobals<HoldOptions>());
    });
  keys
    .command('ds-seen')
    .summary('say what DS the parent has')
    .description(
      'Notes that all of the parent\'s nameservers have DS records of just these keys of the zone, where gateways cannot ask them (see "parent set"): rolls that wait for it go on, and count from now. Look at the parent first, at each of its nameservers.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .argument('[tags...]', 'the tags of the keys that the DS records are of', tagsArgument)
    .option('--none', 'the parent has no DS of the zone', false)
    .option(
      '--ttl <ttl>',
      "the TTL of the DS records, or of the parent's answer that there are none (default: parentDsTtl of the policy)",
      ttlArgument,
    )
    .action(async (zone: Name, tags: readonly number[] | undefined, _: unknown, self: Command) => {
      await noteDs(zone, tags ?? [], self.optsWithGlobals<DsSeenOptions>());
    });
  keys
    .command('history')
    .summary('list what became of keys, and why')
    .description('Lists the steps that were taken with the keys of a zone, the newest first.')
    .argument('<zone>', 'the zone', nameArgument)
    .option('--limit <number>', 'how many at the most', numberArgument(1, MOST_EVENTS), 100)
    .addOption(jsonOption())
    .action(async (zone: Name, _: unknown, self: Command) => {
      const options = self.optsWithGlobals<
        GlobalOptions & { readonly limit: number; readonly json?: true }
      >();
      const events = await withDatabase(options, ({ rollovers }) =>
        rollovers.listEvents(zone.toString(), options.limit),
      );
      if (options.json === true) {
        await printJson(events.map(({ at, ...event }) => ({ at: timeText(at), ...event })));
        return;
      }
      await printTable(
        ['WHEN', 'KEY', 'WHAT', 'WHY'],
        events.map(({ at, keyTag, what, why }) => [
          timeText(at),
          keyTag === null ? '-' : String(keyTag),
          what,
          why,
        ]),
      );
    });
}

async function plan(zone: Name, options: PlanOptions): Promise<void> {
  const { MOST_ENTRIES, planRolls } = await import('../keys/rollover/plan.js');
  const { loaded, peers, events, views } = await withDatabase(options, async (parts) => ({
    loaded: await loadKeys(parts, zone),
    views: (await parts.zones.showZone(zone.toString())).views,
    peers: (await parts.peers.list()).length,
    events: await parts.rollovers.listEvents(zone.toString(), FAILURES_READ),
  }));
  const { state, now } = loaded;
  const until = options.until ?? now + PLAN_SECONDS;
  if (until <= now) throw new UsageError(`--until: ${timeText(until)} is past`);
  const { entries, waits, cutAt } = planRolls(state, now, until, {
    signingTime: SIGNING_SECONDS,
    peerDelay: peers > 0 ? Math.min(state.policy.propagationDelay, SIGNING_SECONDS) : 0,
    parentDelay: PARENT_SECONDS,
  });
  const { decide } = await import('../keys/rollover/decide.js');
  const { bogusDs, unseenDs } = await import('../keys/rollover/parent-fault.js');
  const ofParent = [bogusDs(state, loaded.parent), unseenDs(state, loaded.parent)].filter(
    (message) => message !== null,
  );
  // what a decision taken now would wait for, and what of it was tried in vain
  const { steps: due, waits: open } = decide(state, now);
  const present = [
    ...ofParent.map((message) => ({ message, why: message, until: null, conflicts: [] })),
    ...open,
  ];
  const failures = failuresOf(due, events);
  const unpublished = views.flatMap(({ view, failed }) =>
    failed === null ? [] : [{ view, why: failed.error }],
  );
  if (options.json === true) {
    await printJson({
      zone: state.zone,
      held: state.isHeld,
      cutAt: cutAt === null ? null : timeText(cutAt),
      steps: entries.map((entry) => ({ ...entry, at: timeText(entry.at) })),
      failures: failures.map(({ at, what, why }) => ({ at: timeText(at), what, why })),
      unpublished,
      waits: present.map(waitJson),
      open: waits.map(waitJson),
    });
    return;
  }
  const lines: string[] = [];
  if (state.isHeld) lines.push(`the keys of ${state.zone} are held; released now, this would come:`, '');
  if (entries.length === 0) lines.push(`nothing is to come before ${timeText(until)}`);
  await printLines(lines);
  if (entries.length > 0) {
    await printTable(['WHEN', 'STEP', 'WAITS', 'COULD BE HELD BY'], entries.map(entryLine));
  }
  if (failures.length > 0) {
    const tried = failures.map(({ at, what, why }) => `  ${what} since ${timeText(at)}: ${why}`);
    await printLines(['', 'cannot be done now, and is tried again:', ...tried]);
  }
  if (cutAt !== null) {
    await printLines([
      '',
      `the timetable is cut: it has no more than ${MOST_ENTRIES} steps, and of what comes from ${timeText(cutAt)} on nothing is said, though --until is ${timeText(until)}`,
    ]);
  }
  if (unpublished.length > 0) {
    const tried = unpublished.map(({ view, why }) => `  view ${view}: ${why}`);
    await printLines(['', 'cannot be published now, so that no step comes that needs it:', ...tried]);
  }
  if (present.length > 0)
    await printLines(['', 'waits now:', ...present.map(({ message }) => `  ${message}`)]);
  if (waits.length > 0)
    await printLines(['', 'still waits at the end:', ...waits.map(({ message }) => `  ${message}`)]);
}

/** What is noted of steps that are due and could not be taken since the last one that was. */
function failuresOf(due: readonly Step[], events: readonly KeyEvent[]): KeyEvent[] {
  const taken = events.findIndex(({ what }) => !what.startsWith(FAILED));
  return events
    .slice(0, taken === -1 ? events.length : taken)
    .filter(({ why }) => due.some((step) => why.startsWith(`${step.reason}: `)));
}

function entryLine({ at, step, waitedFor, heldBy }: PlanEntry): string[] {
  return [timeText(at), stepText(step), waitedFor ?? '-', heldBy.join(', ') || '-'];
}

function stepText(step: Step): string {
  return step.kind === 'change' ? step.reason : `${step.kind}: ${step.reason}`;
}

async function roll(zone: Name, tags: readonly number[], options: RollOptions): Promise<void> {
  if (options.yes && !options.emergency) throw new UsageError('--yes goes with --emergency');
  if (options.emergency && tags.length !== 1) throw new UsageError('--emergency takes one key tag');
  await withDatabase(options, async (parts) => {
    const { state } = await loadKeys(parts, zone);
    const inUse = rollable(state.keys, options.emergency);
    const wanted = tags.length === 0 ? inUse : tags.map((tag) => keyOfTag(zone, inUse, tag));
    if (wanted.length === 0) {
      throw new UsageError(`zone ${zone} has no key in use; make some with: zoneseal keys generate ${zone}`);
    }
    if (options.emergency) {
      const { rollAtOnce } = await import('./keys-emergency.js');
      await rollAtOnce(parts, zone, wanted[0] as ManagedKey, options);
      return;
    }
    await parts.rollovers.askRoll(
      zone.toString(),
      wanted.map(({ id }) => id),
      'asked for by an operator',
    );
    for (const key of wanted) hint(options, `zone ${zone}: ${keyText(key)} is to be replaced`);
    hint(options, `see what comes when with: zoneseal keys plan ${zone}`);
    if (state.isHeld)
      hint(options, `the keys are held; let them roll with: zoneseal keys hold ${zone} --release`);
  });
}

async function hold(zone: Name, options: HoldOptions): Promise<void> {
  const { release, reason = 'by an operator' } = options;
  const isChanged = await withDatabase(options, ({ rollovers }) =>
    rollovers.hold(zone.toString(), !release, reason),
  );
  const what = release ? 'roll by their policy' : 'stay as they are';
  hint(options, `zone ${zone}: its keys ${isChanged ? 'from now on' : 'as before'} ${what}`);
}

async function noteDs(zone: Name, tags: readonly number[], options: DsSeenOptions): Promise<void> {
  if (options.none === tags.length > 0)
    throw new UsageError('give the tags of the keys that have a DS, or --none');
  await withDatabase(options, async (parts) => {
    const { state } = await loadKeys(parts, zone);
    const keys = tags.map((tag) =>
      keyOfTag(
        zone,
        state.keys.filter((key) => key.role !== 'ZSK'),
        tag,
      ),
    );
    const ds = keys.map((key) => dsRdata(zone, dnskeyRdata(key), DsDigest.SHA256));
    await parts.rollovers.recordDsByHand(zone.toString(), ds, options.ttl ?? null);
    const what = keys.length === 0 ? 'no DS' : `the DS of ${keys.map(keyText).join(', ')}`;
    hint(options, `zone ${zone}: noted that the parent has ${what}; see: zoneseal keys plan ${zone}`);
  });
}

/** @throws UsageError where there is none, or more than one */
function keyOfTag(zone: Name, keys: readonly ManagedKey[], tag: number): ManagedKey {
  const found = keys.filter((key) => key.keyTag === tag);
  if (found.length === 1) return found[0] as ManagedKey;
  const has = keys.map(keyText).join(', ') || 'none';
  throw new UsageError(
    found.length === 0
      ? `zone ${zone} has no key ${tag} that this could be about; there are: ${has}`
      : `zone ${zone} has several keys with tag ${tag}`,
  );
}

function waitJson({
  message,
  why,
  until,
  conflicts,
}: Pick<Wait, 'message' | 'why' | 'until' | 'conflicts'>): object {
  return { message, why, until: until === null ? null : timeText(until), conflicts };
}
