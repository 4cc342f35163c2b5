/** Three other programs that judge signed zones: ldns-verify-zone, dnssec-verify and kzonecheck. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { formatMasterFile, type WritableRecord } from '../../src/dns/master-writer.js';

const run = promisify(execFile);
const TIMEOUT_MILLISECONDS = 60_000;

export type CheckerName = 'ldns-verify-zone' | 'dnssec-verify' | 'kzonecheck';

export interface CheckerJob {
  readonly apex: string;
  /** Whether KSKs may sign everything. */
  readonly csk: boolean;
}

const COMMANDS: Readonly<Record<CheckerName, (job: CheckerJob, file: string) => readonly string[]>> = {
  'ldns-verify-zone': (_, file) => [file],
  'dnssec-verify': ({ apex, csk }, file) => ['-q', ...(csk ? ['-z'] : []), '-o', apex, file],
  kzonecheck: ({ apex }, file) => ['-d', 'on', '-o', apex, file],
};

export const CHECKERS = Object.keys(COMMANDS) as CheckerName[];

/** What a program says of a zone in a file: undefined when it accepts it, otherwise its words. */
export async function checkFile(
  checker: CheckerName,
  job: CheckerJob,
  file: string,
): Promise<string | undefined> {
  try {
    await run(checker, [...COMMANDS[checker](job, file)], {
      maxBuffer: 1 << 26,
      timeout: TIMEOUT_MILLISECONDS,
    });
    return undefined;
  } catch (thrown) {
    if ((thrown as { killed?: boolean }).killed === true) throw thrown; // no verdict in time
    const { stdout = '', stderr = '' } = thrown as { stdout?: string; stderr?: string };
    return `${stdout}${stderr}`.trim();
  }
}

/** Writes records as they are to a file, the SOA first where there is one. */
export async function writeZone(
  folder: string,
  name: string,
  records: readonly WritableRecord[],
): Promise<string> {
  const file = path.join(folder, `${name}.zone`);
  let text = '';
  const soaFirst = records.toSorted((a, b) => Number(b.type === 6) - Number(a.type === 6));
  try {
    for await (const chunk of formatMasterFile(soaFirst)) text += chunk;
  } catch {
    for (const record of soaFirst) text += writeLine(record);
  }
  await writeFile(file, text);
  return file;
}

/** A record whose rdata need not be well formed. */
function writeLine({ owner, ttl, type, rdata }: WritableRecord): string {
  return `${owner.toString()} ${ttl} IN TYPE${type} \\# ${rdata.length} ${Buffer.from(rdata).toString('hex')}\n`;
}
