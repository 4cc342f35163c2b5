/** dig and kdig as clients of IXFR, their answers as records. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseMasterText } from '../../src/dns/master-file.js';
import { Name } from '../../src/dns/name.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import { RRClass } from '../../src/dns/types.js';
import type { Target } from '../lib/dns-client.js';
import { runWell } from '../lib/processes.js';
import type { SecondaryKey } from '../lib/secondary.js';
import { TOOLS } from '../lib/tools.js';

export const PROGRAMS = ['dig', 'kdig'] as const;

export type ClientProgram = (typeof PROGRAMS)[number];

const WORDS: Readonly<Record<ClientProgram, readonly string[]>> = {
  dig: ['+noall', '+answer', '+onesoa', '+nocomments', '+tries=1', '+time=10', '+tcp'],
  kdig: ['+noall', '+answer', '+retry=0', '+time=10', '+tcp'],
};

/** Has a program ask for a zone by IXFR; its secret is in a file, not among the arguments. */
export async function askIxfr(
  program: ClientProgram,
  target: Target,
  question: {
    readonly zone: string;
    readonly serial: number;
    readonly key: SecondaryKey;
    readonly folder: string;
  },
): Promise<ResourceRecord[]> {
  const { zone, serial, key, folder } = question;
  const file = join(folder, `${program}-${key.name}key`);
  writeFileSync(file, keyText(program, key), { mode: 0o600 });
  const words = WORDS[program].filter((word) => word !== '+onesoa');
  const text = await runWell(TOOLS[program]?.path ?? program, [
    `@${target.host}`,
    '-p',
    String(target.port),
    '-k',
    file,
    zone,
    `IXFR=${serial}`,
    ...words,
  ]);
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith(';'));
  const records = await Promise.all(lines.map((line) => parseLine(line)));
  // the TSIG records are shown, too
  return records.filter((record) => record !== undefined);
}

function keyText(program: ClientProgram, { name, algorithm, secret }: SecondaryKey): string {
  return program === 'dig'
    ? `key "${name}" { algorithm ${algorithm}; secret "${secret}"; };\n`
    : `${algorithm}:${name}:${secret}\n`;
}

async function parseLine(line: string): Promise<ResourceRecord | undefined> {
  if (/\sTSIG\s/.test(line)) return undefined;
  const [record] = await parseMasterText(`${line}\n`, { origin: Name.root, file: 'an answer' });
  if (record === undefined) throw new Error(`no record: ${line}`);
  const { owner, type, ttl, rdata } = record;
  return { owner, type, ttl, rdata, class: RRClass.IN };
}
