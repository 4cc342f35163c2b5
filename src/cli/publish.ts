import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { durationText } from '../config-fields.js';
import type { Name } from '../dns/name.js';
import { ZonesealError } from '../errors.js';
import type { Asked, LineProgress } from '../gateway-store.js';
import { findRunningGateway } from '../running-gateway.js';
import { durationArgument, jsonOption, nameArgument, numberArgument, viewArgument } from './arguments.js';
import { type DatabaseParts, withDatabase } from './database.js';
import { EXIT_CODES, Exit } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { printDryRun } from './publish-dry-run.js';
import { printJson, printLines, say } from './terminal.js';

interface PublishOptions extends GlobalOptions {
  readonly view?: string;
  readonly dryRun: boolean;
  readonly limit: number;
  readonly timeout: number;
  readonly json?: true;
}

const DEFAULT_LIMIT = 100;
const DEFAULT_TIMEOUT = 60;
const POLL_MS = 200;

/** Adds `publish`. */
export function addPublishCommand(program: Command): void {
  program
    .command('publish')
    .summary('have a zone published now, or see what that would change')
    .description(
      'Asks for a new publication of a zone, in all its views or in one, and waits until a gateway has made it; a new serial, also when nothing has changed, and one ' +
        'that failed is tried again. With --dry-run nothing is asked for and nothing stored: what a publication of the newest data would take away (-), put in (+) and ' +
        'sign anew (~) is worked out here, with the errors that would stop it, also for a zone that is frozen. No key is needed for that. ' +
        'Signatures that the views of a zone share are counted in each. The exit code is 1 when a publication failed, would fail, or was not ready in time.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .option('--view <view>', 'in this view alone', viewArgument)
    .option('--dry-run', 'say what would change, and change nothing', false)
    .option(
      '--limit <number>',
      'with --dry-run: changes of each kind that are listed at the most, for each view',
      numberArgument(0, 1_000_000),
      DEFAULT_LIMIT,
    )
    .option('--timeout <duration>', 'how long to wait, such as 5m', durationArgument, DEFAULT_TIMEOUT)
    .addOption(jsonOption())
    .action(async (zone: Name, _: unknown, self: Command) => {
      const options = self.optsWithGlobals<PublishOptions>();
      if (options.dryRun) await printDryRun(zone, options);
      else await publish(zone, options);
    });
}

/** What became of one view. */
interface Outcome {
  readonly view: string;
  readonly serial: number | null;
  readonly removed: number | null;
  readonly added: number | null;
  readonly error: string | null;
}

async function publish(zone: Name, options: PublishOptions): Promise<void> {
  const outcomes = await withDatabase(options, async (parts) => {
    const asked = await parts.operators.ask(zone.toString(), options.view);
    refuseWithoutGateway(parts, zone);
    return waitFor(parts, zone, asked, options.timeout);
  });
  if (options.json === true) await printJson(outcomes);
  else {
    await printLines(outcomes.filter(({ error }) => error === null).map(outcomeLine));
    for (const { view, error } of outcomes) {
      if (error !== null) say(`zoneseal: zone ${zone} in view ${view}: ${error}`);
    }
  }
  if (outcomes.some(({ error }) => error !== null)) throw new Exit(EXIT_CODES.REFUSED.code);
}

/** While this process has the embedded database open no gateway can start on it. */
function refuseWithoutGateway({ config }: DatabaseParts, zone: Name): void {
  if (config.database.url !== undefined || findRunningGateway(config.data) !== undefined) return;
  throw new ZonesealError(
    'PUBLICATION_NOT_READY',
    `zone ${zone}: it was asked for, but no gateway runs on this data folder to make it; start one with: zoneseal serve`,
    { zone: zone.toString() },
  );
}

async function waitFor(
  { operators }: DatabaseParts,
  zone: Name,
  asked: readonly Asked[],
  seconds: number,
): Promise<Outcome[]> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const lines = await operators.progress(zone.toString());
    const isLate = performance.now() >= deadline;
    const outcomes = asked.map(({ view, wanted }) =>
      outcomeOf(
        view,
        wanted,
        lines.find((line) => line.view === view),
        isLate ? seconds : undefined,
      ),
    );
    const done = outcomes.filter((it) => it !== undefined);
    if (done.length === outcomes.length) return done;
    await sleep(POLL_MS);
  }
}

/** Undefined while there is still something to wait for. */
function outcomeOf(
  view: string,
  wanted: number,
  line: LineProgress | undefined,
  waited: number | undefined,
): Outcome | undefined {
  const failed = (error: string): Outcome => ({
    view,
    serial: line?.serial ?? null,
    removed: null,
    added: null,
    error,
  });
  if (line === undefined) return failed('it is no longer served there');
  const { serial, removed, added } = line;
  if (line.readyWanted >= wanted) return { view, serial, removed, added, error: null };
  if (line.error !== null && line.failedWanted >= wanted) {
    const again = line.retryAt === null ? 'when something changes' : line.retryAt;
    return failed(`${line.error}; it is tried again ${again}`);
  }
  if (waited === undefined) return undefined;
  const where =
    line.gateway === null
      ? 'no gateway has begun it; does one run?'
      : `${line.gateway} is at it, and goes on`;
  return failed(`not ready after ${durationText(waited)}: ${where}`);
}

function outcomeLine({ view, serial, removed, added }: Outcome): string {
  const records = removed === null || added === null ? '' : `, ${removed} records removed, ${added} added`;
  return `view ${view}: serial ${serial}${records}`;
}
