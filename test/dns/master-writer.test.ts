import { describe, expect, it } from 'vitest';
import { parseMasterText } from '../../src/dns/master-file.js';
import { formatMasterFile, formatRecord, type WritableRecord } from '../../src/dns/master-writer.js';
import { Name } from '../../src/dns/name.js';

const origin = Name.parse('example.');
const text = '$TTL 60\n@ A 192.0.2.1\n@ NS ns\n@ SOA ns h 1 2 3 4 5\na\\.b TXT "x;" y\n';

async function write(records: AsyncIterable<WritableRecord> | Iterable<WritableRecord>): Promise<string[]> {
  const chunks: string[] = [];
  for await (const chunk of formatMasterFile(records)) chunks.push(chunk);
  return chunks;
}

describe('the writer', () => {
  it('writes a record as one line with an absolute owner', () => {
    expect(formatRecord(Name.parse('a\\.b', origin), 5, 1, Uint8Array.from([192, 0, 2, 1]))).toBe(
      'a\\.b.example.\t5\tIN\tA\t192.0.2.1',
    );
    expect(formatRecord(origin, 5, 65_280, Uint8Array.from([1, 255]))).toMatch(
      /^example\.\t5\tIN\tTYPE65280\t\\# 2 01FF$/i,
    );
  });

  it('writes the SOA first', async () => {
    const records = await parseMasterText(text, { origin, file: 'f' });
    const written = (await write(records)).join('');
    expect(written.split('\n').map((line) => line.split('\t')[3])).toEqual([
      'SOA',
      'A',
      'NS',
      'TXT',
      undefined,
    ]);
  });

  it('refuses what does not begin with an apex that has an SOA', async () => {
    const [a, ns, , txt] = await parseMasterText(text, { origin, file: 'f' });
    const noSoa = [a, ns, txt] as WritableRecord[];
    await expect(write(noSoa)).rejects.toMatchObject({ code: 'ZONE_INVALID' });
    await expect(write(noSoa.slice(0, 2))).rejects.toMatchObject({ code: 'ZONE_INVALID' });
    await expect(write([])).rejects.toMatchObject({ code: 'ZONE_INVALID' });
  });

  it('writes in chunks, whatever the length of the zone', async () => {
    const [soa] = await parseMasterText('@ 1 SOA . . 1 2 3 4 5\n', { origin, file: 'f' });
    const filler = { owner: origin, type: 1, ttl: 5, rdata: Uint8Array.from([192, 0, 2, 1]) };
    function* many() {
      yield soa as WritableRecord;
      for (let i = 0; i < 20_000; i++) yield filler;
    }
    const chunks = await write(many());
    expect(chunks.length).toBeGreaterThan(5);
    expect(Math.max(...chunks.map((chunk) => chunk.length))).toBeLessThan(70_000);
  });
});
