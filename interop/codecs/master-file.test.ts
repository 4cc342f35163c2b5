/**
 * The master-file parser and writer beside named-compilezone and ldns-read-zone. Both are asked for octets (BIND's raw
 * format; `\#` rdata), so that no presentation code of ours is between them and the comparison.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MasterRecord, parseMasterFile, parseMasterText } from '../../src/dns/master-file.js';
import { formatMasterFile } from '../../src/dns/master-writer.js';
import { Name } from '../../src/dns/name.js';
import { typeFromText } from '../../src/dns/types.js';
import { MASTER_CASES, type MasterCase, PROLOGUE } from '../../test/vectors/master-corpus.js';

const run = promisify(execFile);
const origin = Name.parse('example.');
const named = '/usr/bin/named-compilezone';
const ldns = '/usr/bin/ldns-read-zone';
const lenient = [
  '-i',
  'none',
  '-k',
  'ignore',
  '-m',
  'ignore',
  '-n',
  'ignore',
  '-r',
  'ignore',
  '-M',
  'ignore',
  '-S',
  'ignore',
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'zoneseal-codecs-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Records as sorted text; `undefined` stands for an error. */
type Outcome = readonly string[] | undefined;

const hex = (octets: Uint8Array) => Buffer.from(octets).toString('hex');
const line = (owner: Uint8Array, type: number, ttl: number, rdata: Uint8Array) =>
  `${hex(owner)} ${type} ${ttl} ${hex(rdata)}`;
const sorted = (lines: Iterable<string>) => [...new Set(lines)].sort();
const ofRecords = (records: readonly MasterRecord[]) =>
  sorted(records.map((r) => line(r.owner.toLower().wire, r.type, r.ttl, r.rdata)));

async function ours(root: string): Promise<Outcome> {
  try {
    const records: MasterRecord[] = [];
    const options = { origin, file: 'zone.db', includeFolder: root };
    for await (const record of parseMasterFile(path.join(root, 'zone.db'), options)) records.push(record);
    return ofRecords(records);
  } catch {
    return undefined;
  }
}

/** The RRsets of BIND's raw zone format, version 1. */
function readRaw(octets: Buffer): string[] {
  const lines: string[] = [];
  for (let at = 24; at < octets.length; ) {
    const type = octets.readUInt16BE(at + 6);
    const ttl = octets.readUInt32BE(at + 10);
    const count = octets.readUInt32BE(at + 14);
    const owner = octets.subarray(at + 20, at + 20 + octets.readUInt16BE(at + 18));
    at += 20 + owner.length;
    for (let i = 0; i < count; i++) {
      const length = octets.readUInt16BE(at);
      lines.push(
        line(Name.fromWire(owner).toLower().wire, type, ttl, octets.subarray(at + 2, at + 2 + length)),
      );
      at += 2 + length;
    }
  }
  return sorted(lines);
}

async function byNamed(root: string): Promise<Outcome> {
  const raw = path.join(root, 'named.raw');
  try {
    await run(named, [...lenient, '-F', 'raw', '-o', raw, 'example.', 'zone.db'], { cwd: root });
  } catch {
    return undefined;
  }
  return readRaw(await readFile(raw));
}

async function byLdns(root: string): Promise<Outcome> {
  const text = await readFile(path.join(root, 'zone.db'), 'latin1');
  await writeFile(path.join(root, 'ldns.db'), `$ORIGIN example.\n${text}`, 'latin1');
  let stdout: string;
  try {
    // one -U makes it write every other type as \#
    ({ stdout } = await run(ldns, ['-U', 'SPF', 'ldns.db'], { cwd: root, maxBuffer: 1 << 26 }));
  } catch {
    return undefined;
  }
  const lines = stdout.split('\n').filter((text) => text !== '');
  return sorted(
    lines.map((text) => {
      const [owner = '', ttl = '', klass = '', type = '', rdata = ''] = text.split('\t');
      const octets = Buffer.from(rdata.replace(/^\\# \d+/, '').replaceAll(' ', ''), 'hex');
      const number = klass === 'IN' ? (typeFromText(type) ?? 0) : 0;
      return line(ownerOctets(owner), number, Number(ttl), octets);
    }),
  );
}

/** The octets of an owner as ldns wrote it; where it wrote no name, those of the text. */
function ownerOctets(text: string): Uint8Array {
  try {
    return Name.parse(text).toLower().wire;
  } catch {
    return Buffer.from(text);
  }
}

async function prepare(entry: MasterCase, index: number): Promise<string> {
  const root = path.join(folder, String(index));
  for (const [name, text] of Object.entries({ ...entry.files, 'zone.db': withPrologue(entry) })) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), text, 'latin1');
  }
  return root;
}

const withPrologue = (entry: MasterCase) => (entry.bare === true ? '' : PROLOGUE) + entry.text;

describe.each(MASTER_CASES.map((entry, index) => ({ entry, index })))('$entry.title', ({ entry, index }) => {
  it(entry.named === undefined ? 'named agrees' : `named differs: it ${entry.named}`, async () => {
    const root = await prepare(entry, index);
    const [mine, theirs] = await Promise.all([ours(root), byNamed(root)]);
    expect(mine === undefined).toBe(entry.error !== undefined);
    if (entry.named === undefined) expect(mine).toEqual(theirs);
    else expect(mine).not.toEqual(theirs);
  });

  it(entry.ldns === undefined ? 'ldns agrees' : `ldns differs: it ${entry.ldns}`, async () => {
    const root = await prepare(entry, index);
    const [mine, theirs] = await Promise.all([ours(root), byLdns(root)]);
    if (entry.ldns === undefined) expect(mine).toEqual(theirs);
    else expect(mine).not.toEqual(theirs);
  });
});

describe('what the writer writes', () => {
  it('named-compilezone reads back unchanged', async () => {
    const sound = MASTER_CASES.filter(
      (entry) =>
        entry.error === undefined &&
        entry.bare !== true &&
        entry.files === undefined &&
        entry.text.length < 200,
    );
    const records = (
      await Promise.all(
        sound.map((entry, index) =>
          parseMasterText(`$TTL 300\n$ORIGIN z${index}.example.\n${entry.text}`, { origin, file: 'f' }).then(
            (all) => all,
          ),
        ),
      )
    ).flat();
    const [soa, ns] = await parseMasterText(PROLOGUE, { origin, file: 'f' });
    const unique = [
      ...new Map(
        [soa, ns, ...records].map((r) => [`${r?.owner.key} ${r?.type}`, r as MasterRecord]),
      ).values(),
    ];
    const root = path.join(folder, 'writer');
    await mkdir(root);
    let text = '';
    for await (const chunk of formatMasterFile(unique)) text += chunk;
    await writeFile(path.join(root, 'zone.db'), text);
    expect(await byNamed(root)).toEqual(ofRecords(unique.filter((r) => r.owner.isAtOrBelow(origin))));
  });
});
