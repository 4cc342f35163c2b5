import { dirname } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../clock.js';
import { type MasterRecord, parseMasterFile } from '../dns/master-file.js';
import { Name } from '../dns/name.js';
import { RRType } from '../dns/types.js';
import { type VerifyFault, type VerifyReport, verifyZone } from '../dnssec/verify/index.js';
import { ZonesealError } from '../errors.js';
import type { FileProblem } from '../zone/master-zone.js';
import {
  durationArgument,
  includeFolderOption,
  jsonOption,
  nameArgument,
  numberArgument,
  timeArgument,
} from './arguments.js';
import { EXIT_CODES, Exit } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { makeProgress } from './progress.js';
import { printJson, printLines } from './terminal.js';
import { countProblems, masterSource, plural } from './zone-file.js';

interface VerifyCommandOptions extends GlobalOptions {
  readonly zone?: Name;
  readonly margin: number;
  readonly now?: number;
  readonly requireZonemd: boolean;
  readonly allAlgorithms: boolean;
  readonly unsigned: boolean;
  readonly maxFaults: number;
  readonly includeFolder?: string;
  readonly json?: true;
}

/** Adds `verify`: a signed master file judged as a validator would, by code that signs nothing. */
export function addVerifyCommand(program: Command): void {
  program
    .command('verify')
    .summary('verify a signed master file')
    .description(
      'Verifies a signed zone: signatures, NSEC or NSEC3 chain, bitmaps, zone cuts, ZONEMD, expiry; and prints every fault. ' +
        'Shares no code with what signs. Needs no database.',
    )
    .argument(
      '<file>',
      'the signed master file, such as sign, dig AXFR or a nameserver writes it; - for standard input',
    )
    .option('--zone <name>', 'the name of the zone (default: the owner of the SOA)', nameArgument)
    .option('--margin <duration>', 'every signature stays valid for at least this long', durationArgument, 0)
    .option('--now <time>', 'verify as at this time (default: now)', timeArgument)
    .option('--require-zonemd', 'a zone without ZONEMD is a fault', false)
    .option('--no-all-algorithms', 'one algorithm of the DNSKEY records signing an RRset is enough')
    .option('--unsigned', 'the zone is to be unsigned: DNSSEC records are faults', false)
    .option(
      '--max-faults <n>',
      'print at most this many; all are counted',
      numberArgument(1, 1_000_000),
      100_000,
    )
    .addOption(includeFolderOption())
    .addOption(jsonOption())
    .action(async (file: string, _: unknown, self: Command) => {
      await verify(file, self.optsWithGlobals<VerifyCommandOptions>());
    });
}

async function verify(path: string, options: VerifyCommandOptions): Promise<void> {
  const progress = makeProgress(options);
  const { source, name: file } = masterSource(path);
  const includeFolder = options.includeFolder ?? (path === '-' ? undefined : dirname(path));
  const syntax: FileProblem[] = [];
  const records = parseMasterFile(source, {
    origin: options.zone ?? Name.root,
    file,
    ...(includeFolder === undefined ? {} : { includeFolder }),
    onError: ({ message, fields }) => {
      const { line, column } = fields as { line: number; column: number };
      syntax.push({
        severity: 'error',
        file,
        ...(line > 0 ? { line, column } : {}),
        rule: 'syntax',
        message,
      });
    },
  });
  const { apex, all } = await findApex(records, options.zone, file, syntax);
  progress.begin(`reading ${file}, records:`);
  let verifying = false;
  const report = await verifyZone(all, {
    apex,
    now: options.now ?? systemClock.seconds(),
    margin: options.margin,
    zonemd: options.requireZonemd ? 'required' : 'if-present',
    requireAllAlgorithms: options.allAlgorithms,
    signed: !options.unsigned,
    maxFaults: options.maxFaults,
    onProgress: ({ phase, done, total }) => {
      if (phase === 'verify' && !verifying) progress.begin(`verifying ${apex}`, total);
      verifying = phase === 'verify';
      progress.update(done);
    },
  });
  progress.end();
  await print(file, apex, report, syntax, options);
  if (!report.ok || syntax.length > 0) throw new Exit(EXIT_CODES.REFUSED.code);
}

/** The apex, which is the owner of the first SOA where it is not given, and all the records again. */
async function findApex(
  records: AsyncIterableIterator<MasterRecord>,
  zone: Name | undefined,
  file: string,
  syntax: readonly FileProblem[],
): Promise<{ apex: Name; all: AsyncIterable<MasterRecord> }> {
  if (zone !== undefined) return { apex: zone, all: records };
  const held: MasterRecord[] = [];
  for (;;) {
    const next = await records.next();
    if (next.done === true) {
      const reason = syntax[0]?.message ?? `${file}: there is no SOA; give --zone`;
      throw new ZonesealError('ZONE_INVALID', reason, { file });
    }
    held.push(next.value);
    if (next.value.type === RRType.SOA) return { apex: next.value.owner, all: chain(held, records) };
  }
}

async function* chain<T>(first: readonly T[], then: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  yield* first;
  yield* then;
}

async function print(
  file: string,
  apex: Name,
  report: VerifyReport,
  syntax: readonly FileProblem[],
  { json, maxFaults }: VerifyCommandOptions,
): Promise<void> {
  const { counts, denial, serial, firstExpiration, faults } = report;
  const ok = report.ok && syntax.length === 0;
  const expires = firstExpiration === undefined ? undefined : instantText(firstExpiration);
  if (json === true) {
    const total = { ...counts, errors: counts.errors + syntax.length };
    const firstExpires = expires ?? null;
    await printJson({
      zone: apex,
      file,
      ok,
      serial,
      denial,
      firstExpires,
      counts: total,
      faults: [...syntax, ...faults],
    });
    return;
  }
  await printLines([...syntax.map(({ message }) => `error: ${message}`), ...faults.map(faultLine)]);
  const left = counts.errors + counts.warnings - faults.length;
  if (left > 0) await printLines([`and ${left} more, beyond --max-faults ${maxFaults}`]);
  const facts = [
    plural(counts.records, 'record'),
    plural(counts.owners, 'name'),
    plural(counts.signatures, 'signature'),
    denial === 'none' ? 'no denial of existence' : denial.toUpperCase(),
    ...(serial === undefined ? [] : [`serial ${serial}`]),
    ...(expires === undefined ? [] : [`the first signature expires ${expires}`]),
  ];
  const problems = [
    ...Array.from({ length: counts.errors + syntax.length }, () => ({ severity: 'error' })),
    ...Array.from({ length: counts.warnings }, () => ({ severity: 'warning' })),
  ];
  await printLines([`${file}: zone ${apex}: ${facts.join(', ')}: ${countProblems(problems)}`]);
}

/** An instant as ISO 8601, whole seconds. */
function instantText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

function faultLine({ severity, owner, type, rule, message }: VerifyFault): string {
  return `${severity}: ${owner}${type === undefined ? '' : ` ${type}`}: ${message} [${rule}]`;
}
