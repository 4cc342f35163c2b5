/** Programs that judge signed zones in files, Zoneseal's own verifier among them, each asked alike. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/clock.js';
import { parseMasterFile } from '../../src/dns/master-file.js';
import { Name } from '../../src/dns/name.js';
import { verifyZone } from '../../src/dnssec/verify/index.js';
import { errorMessage } from '../../src/errors.js';
import { runProgram } from './processes.js';
import { TOOLS } from './tools.js';

/** A signed zone in a master file. */
export interface SignedFile {
  /** Absolute, with the dot at its end. */
  readonly apex: string;
  readonly file: string;
  /** One key signs everything. */
  readonly isCsk: boolean;
  /** The zone has a ZONEMD record, which has to be right. */
  readonly hasZonemd: boolean;
}

/** What a program came to. It did not decide when it was ended at the end of its time, or crashed. */
export interface Verdict {
  readonly outcome: 'accepted' | 'rejected' | 'undecided';
  /** What it said, cut to what a person reads. */
  readonly said: string;
}

/** The programs that judge a file by themselves. */
export const VALIDATORS = [
  'ldns-verify-zone',
  'dnssec-verify',
  'kzonecheck',
  'kzonesign',
  'validns',
  'zoneseal',
] as const;

export type ValidatorName = (typeof VALIDATORS)[number];

const ZONESEAL = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const SAID_CHARACTERS = 1500;
const DEFAULT_TIMEOUT = 40_000;

/** Programs at the same time: as many as there are cores in the smallest machine that this is for, and one that waits for its disk. */
const AT_ONCE = 3;

const COMMANDS: Readonly<
  Record<Exclude<ValidatorName, 'zoneseal'>, (zone: SignedFile) => readonly string[]>
> = {
  'ldns-verify-zone': ({ file, hasZonemd }) => ['-V1', ...(hasZonemd ? ['-ZZ'] : []), file],
  'dnssec-verify': ({ apex, file, isCsk }) => ['-q', ...(isCsk ? ['-z'] : []), '-o', apex, file],
  kzonecheck: ({ apex, file }) => ['-d', 'on', '-o', apex, file],
  kzonesign: (zone) => ['-c', knotConfiguration(zone), '-v', zone.apex],
  validns: ({ apex, file }) => ['-z', apex, file],
};

/** Asks a program about a file. */
export function judge(
  validator: ValidatorName,
  zone: SignedFile,
  timeoutMilliseconds = DEFAULT_TIMEOUT,
): Promise<Verdict> {
  if (validator === 'zoneseal') return judgeByVerifier(zone);
  const path = TOOLS[validator]?.path ?? validator;
  return inTurn(() => runJudge(path, COMMANDS[validator](zone), timeoutMilliseconds));
}

/** Asks the command `zoneseal verify`, as an operator does. */
export function judgeByCommand(zone: SignedFile, timeoutMilliseconds = DEFAULT_TIMEOUT): Promise<Verdict> {
  const options = zone.hasZonemd ? ['--require-zonemd'] : [];
  const args = [ZONESEAL, 'verify', zone.file, '--zone', zone.apex, ...options];
  return inTurn(() => runJudge(process.execPath, args, timeoutMilliseconds));
}

async function runJudge(
  path: string,
  args: readonly string[],
  timeoutMilliseconds: number,
): Promise<Verdict> {
  const { status, stdout, stderr } = await runProgram(path, args, { timeoutMilliseconds });
  const outcome = status === 0 ? 'accepted' : status === null ? 'undecided' : 'rejected';
  return { outcome, said: `${stderr}${stdout}`.trim().slice(0, SAID_CHARACTERS) };
}

/** The verifier in this process, on what it reads from the file; the command is this and a process to start. */
async function judgeByVerifier({ apex, file, hasZonemd }: SignedFile): Promise<Verdict> {
  const origin = Name.parse(apex);
  try {
    const report = await verifyZone(parseMasterFile(file, { origin, file }), {
      apex: origin,
      now: systemClock.seconds(),
      zonemd: hasZonemd ? 'required' : 'if-present',
    });
    const said = report.faults
      .map((it) => `${it.owner} ${it.type ?? ''}: ${it.message} [${it.rule}]`)
      .join('\n');
    return { outcome: report.ok ? 'accepted' : 'rejected', said: said.slice(0, SAID_CHARACTERS) };
  } catch (error) {
    return { outcome: 'rejected', said: errorMessage(error) };
  }
}

/** kzonesign wants its zones in a configuration, and a folder for a database of keys that it does not need here. */
function knotConfiguration({ apex, file, hasZonemd }: SignedFile): string {
  const configuration = `${file}.knot.conf`;
  const storage = `${file}.knot`;
  mkdirSync(storage, { recursive: true });
  const zonemd = hasZonemd ? '    zonemd-verify: on\n' : '';
  const text = `server:
    rundir: "${storage}"
database:
    storage: "${storage}"
zone:
  - domain: "${apex}"
    file: "${file}"
    dnssec-validation: on
${zonemd}`;
  writeFileSync(configuration, text);
  return configuration;
}

/** A place for a file among others of one folder. */
export function placeIn(folder: string, title: string): string {
  return join(folder, `${title.replaceAll(/[^A-Za-z0-9]+/g, '_')}.zone`);
}

let running = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}
