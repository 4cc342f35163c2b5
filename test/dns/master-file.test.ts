import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  MAX_ENTRY_OCTETS,
  type MasterFileOptions,
  type MasterRecord,
  type MasterSource,
  parseMasterFile,
  parseMasterText,
} from '../../src/dns/master-file.js';
import { formatRecord } from '../../src/dns/master-writer.js';
import { Name } from '../../src/dns/name.js';
import { ZonesealError } from '../../src/errors.js';
import {
  MASTER_CASES,
  type MasterCase,
  PROLOGUE,
  PROLOGUE_LINES,
  PROLOGUE_RECORDS,
} from '../vectors/master-corpus.js';

const origin = Name.parse('example.');
const options: MasterFileOptions = { origin, file: 'zone.db' };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'zoneseal-master-'));
});
afterAll(() => rm(folder, { recursive: true }));

const octets = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

function show({ owner, ttl, type, rdata }: MasterRecord): string {
  return formatRecord(owner, ttl, type, rdata).replace('\tIN\t', '\t').replaceAll('\t', ' ');
}

async function read(source: MasterSource | string, more: Partial<MasterFileOptions> = {}) {
  const errors: ZonesealError[] = [];
  const records: MasterRecord[] = [];
  for await (const record of parseMasterFile(source, {
    ...options,
    onError: (e) => errors.push(e),
    ...more,
  })) {
    records.push(record);
  }
  return { records, errors, shown: records.map(show), messages: errors.map((e) => e.message) };
}

async function readCase(entry: MasterCase, index: number, chunk: number) {
  const root = path.join(folder, String(index));
  for (const [name, text] of Object.entries(entry.files ?? {})) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), octets(text));
  }
  await mkdir(root, { recursive: true });
  const whole = octets((entry.bare === true ? '' : PROLOGUE) + entry.text);
  const chunks = Array.from({ length: Math.ceil(whole.length / chunk) }, (_, i) =>
    whole.subarray(i * chunk, (i + 1) * chunk),
  );
  return read(chunks, { includeFolder: root });
}

describe.each(MASTER_CASES.map((entry, index) => ({ entry, index })))('$entry.title', ({ entry, index }) => {
  it.each([1, 7, 1 << 16])('in chunks of %d octets', async (chunk) => {
    const { shown, errors } = await readCase(entry, index, chunk);
    if (entry.error === undefined) {
      expect(errors).toEqual([]);
      expect(shown).toEqual([...(entry.bare === true ? [] : PROLOGUE_RECORDS), ...(entry.records ?? [])]);
      return;
    }
    const [line, column, reason] = entry.error;
    const first = errors[0] as ZonesealError;
    expect(first.code).toBe('MASTER_FILE_INVALID');
    expect(first.fields['reason']).toMatch(reason);
    if (first.fields['file'] !== 'zone.db') return; // an included file, whose lines are its own
    expect(first.fields).toMatchObject({ line: line + (entry.bare === true ? 0 : PROLOGUE_LINES), column });
  });
});

describe('errors', () => {
  const text = `${PROLOGUE}a A 1\n b\nc..d A 192.0.2.1\n A 192.0.2.2\ne TXT (\n"f\n g\n)\nh A 192.0.2.3\ni TXT )\n\tA 192.0.2.4\n`;

  it('are all collected, and parsing goes on at the next entry', async () => {
    const { shown, messages } = await read([text]);
    expect(shown.slice(2)).toEqual(['h.example. 300 A 192.0.2.3', 'h.example. 300 A 192.0.2.4']);
    expect(messages.map((m) => m.split(':').slice(0, 3).join(':'))).toEqual([
      'zone.db:4:5',
      'zone.db:5:2',
      'zone.db:6:1',
      'zone.db:7:2',
      'zone.db:9:1',
      'zone.db:13:7',
    ]);
  });

  it('are thrown at the first one where nobody collects them', async () => {
    const records: string[] = [];
    const parse = async () => {
      for await (const record of parseMasterFile([text], options)) records.push(show(record));
    };
    await expect(parse()).rejects.toMatchObject({
      code: 'MASTER_FILE_INVALID',
      fields: { file: 'zone.db', line: 4, column: 5 },
      message: expect.stringMatching(/^zone\.db:4:5: A rdata/),
    });
  });

  it('name an included file and its own lines', async () => {
    await writeFile(path.join(folder, 'bad.db'), '\n\nx A nowhere\n');
    const { messages } = await read([`${PROLOGUE}$INCLUDE bad.db\n`], { includeFolder: folder });
    expect(messages).toEqual([expect.stringMatching(/^bad\.db:3:5: A rdata/)]);
  });

  it('count columns in octets and lines from the beginning of the file, CRLF or not', async () => {
    const { messages } = await read([octets('$TTL 1\r\n\r\n; c\r\n\xc3\xa9\tA 1.2.3.4.5\r\n')]);
    expect(messages).toEqual([expect.stringMatching(/^zone\.db:4:6: /)]);
  });

  it('report one missing TTL once', async () => {
    const { messages } = await read(['a A 192.0.2.1\nb A 192.0.2.1\nc A 192.0.2.1\n']);
    expect(messages).toEqual([expect.stringMatching(/^zone\.db:1:3: no TTL/)]);
  });

  it('say that a file cannot be read', async () => {
    const { messages, errors } = await read(path.join(folder, 'none.db'));
    expect(messages).toEqual(['zone.db: the file cannot be read (ENOENT)']);
    expect(errors[0]?.fields).toMatchObject({ line: 0 });
    expect((await read(folder)).messages).toEqual(['zone.db: the file cannot be read (EISDIR)']);
  });

  it('of the source itself are passed on', async () => {
    async function* broken() {
      yield PROLOGUE;
      throw new RangeError('connection lost');
    }
    await expect(read(broken())).rejects.toThrow(RangeError);
  });
});

describe('limits', () => {
  it('a line and an entry have one, and what follows is read', async () => {
    const long = 'x'.repeat(MAX_ENTRY_OCTETS);
    const line = await read([`${PROLOGUE}a TXT `, long, long, ' \nb TXT b\n']);
    expect(line.messages).toEqual([expect.stringMatching(/^zone\.db:4:1: an entry is longer/)]);
    expect(line.shown.slice(2)).toEqual(['b.example. 300 TXT "b"']);
    const entry = await read([`${PROLOGUE}a TXT (\n`, `${'x'.repeat(1000)}\n`.repeat(1100), ')\nb TXT b\n']);
    expect(entry.messages[0]).toMatch(/^zone\.db:4:1: an entry is longer/);
    expect(entry.shown.slice(2)).toEqual(['b.example. 300 TXT "b"']);
  });

  it('a line without an end does not fill the memory', async () => {
    let asked = 0;
    function* endless() {
      yield PROLOGUE;
      for (asked = 0; asked < 4096; asked++) yield 'x'.repeat(65_536);
      yield '\nb TXT b\n';
    }
    const { shown, messages } = await read(endless());
    expect(messages).toHaveLength(1);
    expect(shown.slice(2)).toEqual(['b.example. 300 TXT "b"']);
  });

  it('a record of 65,535 octets written with escapes is below them', async () => {
    const strings = `"${'\\255'.repeat(255)}" `.repeat(255);
    const { records, errors } = await read([`${PROLOGUE}a TXT ${strings} "${'\\255'.repeat(254)}"\n`]);
    expect(errors).toEqual([]);
    expect(records.at(-1)?.rdata.length).toBe(65_535);
  });

  it('$GENERATE makes so many records and no more', async () => {
    const { messages } = await read([`${PROLOGUE}$GENERATE 0-2147483647 a$ A 192.0.2.1\n`]);
    expect(messages).toEqual([expect.stringMatching(/\$GENERATE makes more than 4194304/)]);
  });
});

describe('$INCLUDE is confined to its folder', () => {
  const include = (name: string, includeFolder = folder) =>
    read([`${PROLOGUE}$INCLUDE ${name}\n`], { includeFolder }).then(({ messages }) => messages.join());

  it('and to nothing at all where none is given', async () => {
    const { messages } = await read([`${PROLOGUE}$INCLUDE a.db\n`]);
    expect(messages).toEqual([expect.stringMatching(/\$INCLUDE is not allowed here/)]);
  });

  it('by absolute paths', async () => {
    await writeFile(path.join(folder, 'inside.db'), '');
    expect(await include(path.join(folder, 'inside.db'))).toBe('');
    expect(await include('/etc/passwd')).toMatch(/outside of the folder/);
    expect(await include(folder)).toMatch(/outside of the folder/);
    expect(await include(`${folder}-other/x`)).toMatch(/outside of the folder/);
  });

  it('by dots, escaped or not', async () => {
    expect(await include('../x')).toMatch(/must not contain/);
    expect(await include('a/../../x')).toMatch(/must not contain/);
    expect(await include('\\046\\046/x')).toMatch(/must not contain/);
  });

  it('by symbolic links', async () => {
    const inner = path.join(folder, 'links');
    await mkdir(path.join(inner, 'sub'), { recursive: true });
    await writeFile(path.join(folder, 'outside.db'), '');
    await writeFile(path.join(inner, 'sub', 'x.db'), '');
    await symlink(path.join(folder, 'outside.db'), path.join(inner, 'out.db'));
    await symlink(folder, path.join(inner, 'up'));
    await symlink(path.join(inner, 'sub', 'x.db'), path.join(inner, 'in.db'));
    await symlink(inner, path.join(folder, 'way'));
    expect(await include('out.db', inner)).toMatch(/symbolic link/);
    expect(await include('up/outside.db', inner)).toMatch(/symbolic link/);
    expect(await include('in.db', inner)).toBe('');
    expect(await include('sub/x.db', path.join(folder, 'way'))).toBe('');
    expect(await include(path.join(folder, 'way', 'in.db'), path.join(folder, 'way'))).toBe('');
  });

  it('to regular files', async () => {
    await mkdir(path.join(folder, 'dir'), { recursive: true });
    expect(await include('dir')).toMatch(/not a regular file/);
  });
});

describe('sources', () => {
  it('are paths', async () => {
    const file = path.join(folder, 'zone.db');
    await writeFile(file, `${PROLOGUE}a TXT \u00e9\n`);
    const { shown, records } = await read(file);
    expect(shown.at(-1)).toBe('a.example. 300 TXT "\\195\\169"');
    expect(records.at(-1)).toMatchObject({ file: 'zone.db', line: 4 });
  });

  it('are text, whose characters may be cut between chunks', async () => {
    const { shown } = await read([PROLOGUE, 'a TXT \ud83d', '\ude00 \u00e9\n']);
    expect(shown.at(-1)).toBe('a.example. 300 TXT "\\240\\159\\152\\128" "\\195\\169"');
  });

  it('are told when nothing more is wanted', async () => {
    let told = false;
    async function* source() {
      try {
        for (;;) yield 'a 60 A 192.0.2.1\n';
      } finally {
        told = true;
      }
    }
    for await (const record of parseMasterFile(source(), options)) {
      expect(record.line).toBe(1);
      break;
    }
    expect(told).toBe(true);
  });

  it('give records in their order to several who ask at once', async () => {
    const text = Array.from({ length: 2000 }, (_, i) => `a${i} 60 A 192.0.2.1\n`);
    const records = parseMasterFile(text, options);
    const steps = await Promise.all(Array.from({ length: 2001 }, () => records.next()));
    expect(steps.map((s) => (s.done === true ? 'end' : s.value.line))).toEqual([
      ...text.map((_, i) => i + 1),
      'end',
    ]);
  });

  it('may have a TTL from outside, as if a $TTL were before them', async () => {
    const records = await parseMasterText('a A 192.0.2.1\n$TTL 5\nb A 192.0.2.1\n', {
      ...options,
      defaultTtl: 77,
    });
    expect(records.map((r) => r.ttl)).toEqual([77, 5]);
  });

  it('may be empty', async () => {
    expect(await parseMasterText('', options)).toEqual([]);
    expect((await read([])).records).toEqual([]);
  });
});
