import type { Command } from 'commander';
import { systemClock } from '../clock.js';
import { durationText } from '../config-fields.js';
import type { Name } from '../dns/name.js';
import type { ParentFault, RunningGatewayFacts, ServingState, ServingStatus } from '../gateway-store.js';
import { jsonOption, nameArgument, numberArgument } from './arguments.js';
import { withDatabase } from './database.js';
import { EXIT_CODES, Exit } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { printJson, printLines, printTable } from './terminal.js';

interface StatusOptions extends GlobalOptions {
  readonly limit: number;
  readonly json?: true;
}

const DEFAULT_LIMIT = 100;

/** Adds `status`. */
export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .summary('what is published, and what nameservers serve of it')
    .description(
      'Shows for each zone and view the serial that is published, and for each peer whether it serves it: current; pending, while it may ' +
        'still arrive; behind, when it took longer than fleet.arrival; unreachable, when the peer gives no answer. The worst come first. Zones that are frozen are marked. ' +
        'The gateways that run on the database follow, each with its release and its last sign of life. ' +
        'Zones that are bogus because the parent has a DS of none of their keys are told of, with what to do. ' +
        'The exit code is 1 when a peer is behind or unreachable, or a zone bogus.',
    )
    .argument('[zone]', 'this zone alone', nameArgument)
    .option(
      '--limit <number>',
      'rows at the most; the counts are of all',
      numberArgument(1, 1_000_000),
      DEFAULT_LIMIT,
    )
    .addOption(jsonOption())
    .action(async (zone: Name | undefined, _: unknown, self: Command) => {
      await show(zone, self.optsWithGlobals<StatusOptions>());
    });
}

async function show(zone: Name | undefined, options: StatusOptions): Promise<void> {
  const name = zone?.toLower().toString();
  const { status, faults, running } = await withDatabase(options, async ({ peers, parents, store }) => ({
    status: await peers.status(name, options.limit),
    faults: await parents.listFaults(name, options.limit),
    running: await store.gateways.list(),
  }));
  if (options.json === true) {
    const gateways = running.map(({ name: gateway, release, startedAt, seenAt }) => ({
      name: gateway,
      release,
      startedAt,
      seenAt,
    }));
    await printJson({ ...status, bogus: faults, gateways });
  } else await print(status, faults, running);
  const { behind, unreachable } = status.states;
  if (behind + unreachable + faults.length > 0) throw new Exit(EXIT_CODES.REFUSED.code);
}

async function print(
  status: ServingStatus,
  faults: readonly ParentFault[],
  gateways: readonly RunningGatewayFacts[],
): Promise<void> {
  const now = systemClock.milliseconds();
  await printTable(
    ['ZONE', 'VIEW', 'SERIAL', 'PEER', 'STATE', 'SEEN', 'WHEN', 'PROBLEM'],
    status.rows.map((row) => rowOf(row, now)),
  );
  await printLines([summaryOf(status), ...faults.map(({ fault }) => fault), '']);
  await printTable(
    ['GATEWAY', 'RELEASE', 'STARTED', 'SEEN'],
    gateways.map(({ name, release, startedAt, seenSeconds }) => [
      name,
      release,
      startedAt,
      ageText(seenSeconds * 1000),
    ]),
  );
}

function rowOf(
  { zone, view, serial, frozen, peer, state, serialSeen, seenAt, problem }: ServingState,
  now: number,
): string[] {
  return [
    zone,
    view,
    `${serial ?? '-'}${frozen ? ' (frozen)' : ''}`,
    peer ?? '-',
    state ?? '-',
    String(serialSeen ?? '-'),
    seenAt === null ? '-' : ageText(now - Date.parse(seenAt)),
    problem ?? '',
  ];
}

function ageText(milliseconds: number): string {
  return `${durationText(Math.max(0, Math.floor(milliseconds / 1000)))} ago`;
}

/** `120 zones and views; of their peers 358 current, 2 pending, 0 behind, 0 unreachable` */
export function summaryOf({ lines, withoutPublication, frozen, states, rows }: ServingStatus): string {
  const { current, pending, behind, unreachable } = states;
  const unready = withoutPublication > 0 ? `, ${withoutPublication} without a publication` : '';
  const held = frozen > 0 ? `, ${frozen} frozen` : '';
  const all = current + pending + behind + unreachable;
  const shown = all > rows.length ? `; ${rows.length} shown` : '';
  return `${lines} zones and views${unready}${held}; of their peers ${current} current, ${pending} pending, ${behind} behind, ${unreachable} unreachable${shown}`;
}
