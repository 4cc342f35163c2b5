import { type Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../clock.js';
import { type Config, readSecret, SECRET_VARIABLES } from '../config.js';
import type { Name } from '../dns/name.js';
import { RRType } from '../dns/types.js';
import { ZonesealError } from '../errors.js';
import { type FolderKeys, readKeyFolder } from '../keys/key-folder.js';
import type { ZoneKey } from '../keys/key-set.js';
import { checkKeySet } from '../keys/key-set-check.js';
import type { Policy } from '../keys/policy.js';
import { nextSerial } from '../publication/serial.js';
import { loadNodes } from '../zone/load.js';
import type { MasterZone } from '../zone/master-zone.js';
import { findRRset } from '../zone/node.js';
import { nameArgument, numberArgument, textsArgument, timeArgument } from './arguments.js';
import { UsageError } from './exit.js';
import { configOf, type GlobalOptions } from './global-options.js';
import { addPolicyOptions, type PolicyOptions, policyOf } from './policy-options.js';
import { makeProgress } from './progress.js';
import { countNodes, writeSignedZone } from './signed-output.js';
import { fetchStoredKeys } from './stored-keys.js';
import { openSink, say } from './terminal.js';
import {
  addZoneFileOptions,
  judgeZoneFile,
  plural,
  readZoneFile,
  refuseProblems,
  tellStripped,
  type ZoneFileOptions,
} from './zone-file.js';

type SerialChoice = Policy['serial'] | 'keep' | number;

interface SignOptions extends GlobalOptions, ZoneFileOptions, PolicyOptions {
  readonly zone: Name;
  readonly keys?: string;
  readonly keyRef?: readonly string[];
  readonly output?: string;
  readonly serial?: SerialChoice;
  readonly time?: number;
  readonly workers?: number;
}

/** Adds `sign`: a master file in, a signed master file out, no database. */
export function addSignCommand(program: Command): void {
  const command = program
    .command('sign')
    .summary('sign a master file')
    .description(
      'Signs a master file and writes the signed zone as a master file, one record a line, the SOA first. Needs no database. ' +
        "The keys are those of a folder (--keys), or the zone's keys in Barbican, as the configuration names it.",
    )
    .argument('<file>', 'the master file; - for standard input')
    .requiredOption('--zone <name>', 'the name of the zone', nameArgument)
    .option('--keys <folder>', 'sign with the K*.private files of this folder, K*.key files beside them')
    .option(
      '--key-ref <[role=]reference>',
      'sign with this Barbican secret; may be given several times (default: the secrets that "keys generate" and "keys import" marked as the zone\'s)',
      textsArgument,
    )
    .option(
      '-o, --output <file>',
      'write to this file, which appears when all is written (default: standard output)',
    );
  addPolicyOptions(command)
    .option(
      '--serial <serial>',
      'keep, increment, unixtime, date, or a number (default: what the policy file says, without one keep)',
      serialArgument,
    )
    .option('--time <time>', 'sign as at this time (default: now)', timeArgument)
    .option(
      '--workers <n>',
      'signing threads (default: signing.workers of the configuration)',
      numberArgument(1, 256),
    );
  addZoneFileOptions(command).action(async (file: string, _: unknown, self: Command) => {
    await sign(file, self.optsWithGlobals<SignOptions>());
  });
}

function serialArgument(text: string): SerialChoice {
  if (text === 'keep' || text === 'increment' || text === 'unixtime' || text === 'date') return text;
  const serial = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(serial <= 0xffff_ffff))
    throw new InvalidArgumentError('Use keep, increment, unixtime, date, or a number of 32 bits.');
  return serial;
}

async function sign(path: string, options: SignOptions): Promise<void> {
  if (options.keys !== undefined && options.keyRef !== undefined) {
    throw new UsageError('--keys and --key-ref exclude each other');
  }
  const config = configOf(options);
  const policy = policyOf(options);
  const time = options.time ?? systemClock.seconds();
  const progress = makeProgress({
    ...options,
    recordsToStdout: options.output === undefined || options.output === '-',
  });
  const file = await readZoneFile(path, options.zone, null, options, progress);
  await judgeZoneFile(file, progress);
  refuseProblems(file.problems, `${file.master.file} is not signed`, options.quiet);
  tellStripped(file.master, options);
  const found = await findKeys(options, config, time);
  refuseKeySet(options, found.keys);
  const serial = await chooseSerial(file.master, options, policy, time);
  const sink = await openSink(options.output);
  try {
    progress.begin(`signing ${options.zone}`, file.master.names);
    const result = await writeSignedZone({
      zone: options.zone,
      view: null,
      nodes: countNodes(loadNodes(file.master.rows(), { zone: options.zone, view: null }), progress),
      found,
      policy,
      time,
      serial,
      sink,
      workers: options.workers ?? config.signing.workers,
    });
    await sink.commit();
    if (!options.quiet && process.stderr.isTTY) {
      say(
        `zone ${options.zone}: serial ${serial}, ${plural(result.records, 'record')}, ${plural(result.signatures, 'signature')}`,
      );
    }
  } catch (error) {
    await sink.abort();
    throw error;
  } finally {
    progress.end();
  }
}

async function findKeys(options: SignOptions, config: Config, now: number): Promise<FolderKeys> {
  const passphrase = readSecret(SECRET_VARIABLES.keyPassphrase, config.keyPassphraseFile);
  if (options.keys !== undefined) {
    return readKeyFolder(options.keys, options.zone, {
      now,
      ...(passphrase === undefined ? {} : { passphrase }),
    });
  }
  return fetchStoredKeys(config, options.zone, options.keyRef);
}

function refuseKeySet({ zone, quiet }: SignOptions, keys: readonly ZoneKey[]): void {
  const problems = checkKeySet(keys, []);
  for (const { severity, message } of problems) {
    if (severity === 'warning' && !quiet) say(`warning: zone ${zone}: ${message}`);
  }
  const faults = problems.filter(({ severity }) => severity === 'error').map(({ message }) => message);
  if (faults.length === 0) return;
  throw new ZonesealError(
    'KEY_SET_INVALID',
    `zone ${zone} cannot be signed with these keys: ${faults.join('; ')}`,
    {
      zone: zone.toString(),
    },
  );
}

/** The serial to sign under, from the file's own and what was asked for. */
async function chooseSerial(
  master: MasterZone,
  options: SignOptions,
  policy: Policy,
  now: number,
): Promise<number> {
  const stored = await storedSerial(master);
  const choice = options.serial ?? (options.policy === undefined ? 'keep' : policy.serial);
  if (typeof choice === 'number') return choice;
  if (choice === 'keep') return stored;
  return nextSerial({ last: stored, stored, now, policy: { ...policy, serial: choice } });
}

async function storedSerial(master: MasterZone): Promise<number> {
  for await (const nodes of loadNodes(master.rows(), { zone: master.zone, view: null })) {
    const [apex] = nodes;
    const rdata = apex && findRRset(apex, RRType.SOA)?.rdata[0];
    if (rdata === undefined) break;
    return new DataView(rdata.buffer, rdata.byteOffset + rdata.length - 20).getUint32(0);
  }
  throw new ZonesealError('ZONE_INVALID', `zone ${master.zone}: it has no SOA`, {
    zone: master.zone.toString(),
  });
}
