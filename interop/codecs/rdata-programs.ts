/** Other programs as judges of rdata: each is given a master file and asked for octets. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Name } from '../../src/dns/name.js';
import { typeFromText } from '../../src/dns/types.js';

/** Rdata in hexadecimal by `OWNER TYPE-number`, owners in lower case. */
export type ZoneOctets = ReadonlyMap<string, string>;

/** The apex of every zone of this suite, with all a zone needs. */
export const PROLOGUE = [
  'example.\t300\tIN\tSOA\tns1.example. host.example. 1 7200 3600 1209600 300',
  'example.\t300\tIN\tNS\tns1.example.',
  'ns1.example.\t300\tIN\tA\t192.0.2.1',
  '',
].join('\n');

const LENIENT = [
  '-i',
  'none',
  ...['-k', '-m', '-n', '-r', '-M', '-S', '-W'].flatMap((check) => [check, 'ignore']),
];

function run(program: string, options: readonly string[], cwd: string, input?: string): string {
  const result = spawnSync(program, options, { cwd, encoding: 'utf8', maxBuffer: 1 << 28, input });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) throw new Error(`${program}: ${result.stdout}${result.stderr}`.slice(0, 2000));
  return result.stdout;
}

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

/** What BIND makes of a master file, read from its raw zone format (lib/dns/masterdump.c, version 1). */
export function octetsByBind(folder: string, text: string): ZoneOctets {
  writeFileSync(path.join(folder, 'zone'), text);
  run('named-compilezone', [...LENIENT, '-F', 'raw', '-o', 'zone.raw', 'example.', 'zone'], folder);
  return readRaw(readFileSync(path.join(folder, 'zone.raw')));
}

/** A master file as BIND writes it anew. */
export function textByBind(folder: string, text: string): string {
  writeFileSync(path.join(folder, 'zone'), text);
  run('named-compilezone', [...LENIENT, '-s', 'full', '-o', 'zone.text', 'example.', 'zone'], folder);
  return readFileSync(path.join(folder, 'zone.text'), 'utf8');
}

function readRaw(raw: Buffer): ZoneOctets {
  const found = new Map<string, string>();
  for (let at = 24; at < raw.length; ) {
    const type = raw.readUInt16BE(at + 6);
    const count = raw.readUInt32BE(at + 14);
    const ownerEnd = at + 20 + raw.readUInt16BE(at + 18);
    const owner = Name.fromWire(raw.subarray(at + 20, ownerEnd))
      .toLower()
      .toString();
    at = ownerEnd;
    for (let i = 0; i < count; i++) {
      const length = raw.readUInt16BE(at);
      found.set(`${owner} ${type}`, hex(raw.subarray(at + 2, at + 2 + length)));
      at += 2 + length;
    }
  }
  return found;
}

/**
 * What ldns makes of a master file, in canonical form if asked. One -U makes it write every type but that one as
 * `\# length hex`, so it is run with two.
 */
export function octetsByLdns(folder: string, text: string, options: readonly string[] = []): ZoneOctets {
  writeFileSync(path.join(folder, 'zone'), text);
  const found = new Map<string, string>();
  for (const kept of ['A', 'NS']) {
    for (const line of run('ldns-read-zone', [...options, '-U', kept, 'zone'], folder).split('\n')) {
      const [owner = '', , , type = '', rdata = ''] = line.split('\t');
      const generic = /^\\# \d+ ?(.*)$/.exec(rdata);
      if (generic === null) continue;
      const octets = (generic[1] as string).replaceAll(' ', '');
      found.set(`${Name.parse(owner).toLower()} ${typeFromText(type)}`, octets);
    }
  }
  return found;
}

/** The master file as ldns writes it anew, in its own presentation format. */
export function textByLdns(folder: string, text: string): string {
  writeFileSync(path.join(folder, 'zone'), text);
  return run('ldns-read-zone', ['zone'], folder);
}

/** What NSD or Knot DNS complain about in a master file; they are asked to read it, not to judge the zone. */
export function complaints(folder: string, program: 'nsd' | 'knot', text: string): string {
  writeFileSync(path.join(folder, 'zone'), text);
  const [command, options] =
    program === 'nsd'
      ? ['nsd-checkzone', ['example', 'zone']]
      : ['kzonecheck', ['-v', '-o', 'example', 'zone']];
  const { stdout, stderr } = spawnSync(command, options, { cwd: folder, encoding: 'utf8' });
  const lines = `${stdout}${stderr}`.split('\n');
  return lines
    .filter((line) => (program === 'nsd' ? / error: /.test(line) : line.includes('error in zone')))
    .join('\n');
}

/** Rdata of lines "TYPE text" in hexadecimal as dnspython has it; undefined where it does not know the type. */
export function octetsByDnspython(lines: readonly string[]): (string | undefined)[] {
  const script = fileURLToPath(new URL('rdata-dnspython.py', import.meta.url));
  const output = run('/usr/bin/python3', [script], '/', lines.join('\n'));
  return output
    .trimEnd()
    .split('\n')
    .map((line) => (line === '-' ? undefined : line === 'empty' ? '' : line));
}
