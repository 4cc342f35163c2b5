/** The zones of this suite, unsigned. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { QUICKSTART_ROWS, QUICKSTART_ZONE } from '../../src/quickstart.js';

/** One RRset as it is stored; null views: all. */
export interface StoredRow {
  readonly owner: string;
  readonly type: string;
  readonly ttl: number;
  readonly data: readonly string[];
  readonly views: readonly string[] | null;
}

export interface CorpusZone {
  /** What tests call it. */
  readonly name: string;
  /** Absolute, with the dot at its end. */
  readonly apex: string;
  /** A master file, or rows where views see different ones. */
  readonly content:
    | { readonly file: string }
    | { readonly text: string }
    | { readonly rows: readonly StoredRow[] };
  /** The views that it is served in. */
  readonly views: readonly string[];
  /** With NSEC3: salt in hexadecimal and additional iterations, where not none. */
  readonly nsec3?: { readonly salt: string; readonly iterations: number };
  /** Published with ZONEMD, however it is signed. */
  readonly zonemd?: true;
}

/** The one view that zones without differing views are served in. */
export const VIEW = 'external';

const inFile = (name: string, apex: string, more: Partial<CorpusZone> = {}): CorpusZone => ({
  name,
  apex,
  content: { file: fileURLToPath(new URL(`zones/${name}.zone`, import.meta.url)) },
  views: [VIEW],
  ...more,
});

const quickstart: CorpusZone = {
  name: 'quickstart',
  apex: QUICKSTART_ZONE,
  content: {
    rows: QUICKSTART_ROWS.map(([owner, type, ttl, data, views]) => ({
      owner: owner === '@' ? QUICKSTART_ZONE : `${owner}.${QUICKSTART_ZONE}`,
      type,
      ttl,
      data,
      views: views ?? null,
    })),
  },
  views: ['internal', 'external'],
};

/** A record of 64,256 octets alone, and an RRset of 100 records with 63,600 octets as they are signed. */
function largeText(): string {
  const string = (length: number, seed: number): string =>
    `"${Array.from({ length }, (_, i) => String.fromCharCode(0x61 + ((i * seed + seed) % 26))).join('')}"`;
  const one = Array.from({ length: 251 }, (_, i) => string(255, i + 1)).join(' ');
  const many = Array.from(
    { length: 100 },
    (_, i) => `many TXT "${i}" ${string(255, i + 1)} ${string(255, i + 2)} ${string(90, i + 3)}\n`,
  );
  return [
    '$ORIGIN large.example.\n$TTL 3600\n',
    '@ SOA ns1 hostmaster 1 7200 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n',
    `one TXT ${one}\n`,
    ...many,
  ].join('');
}

/** Every zone but the one of 100,000 names. */
export const CORPUS: readonly CorpusZone[] = [
  quickstart,
  inFile('rfc4035', 'example.'),
  inFile('rfc5155', 'example.', { nsec3: { salt: 'aabbccdd', iterations: 12 } }),
  inFile('types', 'types.example.'),
  inFile('more-types', 'more-types.example.'),
  inFile('elsewhere', 'elsewhere.example.'),
  inFile('escapes', 'escapes.example.'),
  inFile('octets', 'octets.example.'),
  inFile('cuts', 'cuts.example.'),
  inFile('odd-cuts', 'odd-cuts.example.'),
  inFile('reverse', '8.b.d.0.1.0.0.2.ip6.arpa.'),
  inFile('root', '.'),
  { name: 'large', apex: 'large.example.', content: { text: largeText() }, views: [VIEW] },
  inFile('zonemd', 'zonemd.example.', { zonemd: true }),
];

export function zoneCalled(name: string): CorpusZone {
  const zone = CORPUS.find((it) => it.name === name);
  if (zone === undefined) throw new Error(`no zone ${name}`);
  return zone;
}

/** The zone as a master file, as one of its views sees it. */
export function masterTextOf({ content }: CorpusZone, view: string): string {
  if ('text' in content) return content.text;
  if ('file' in content) return readFileSync(content.file, 'latin1');
  return content.rows
    .filter(({ views }) => views === null || views.includes(view))
    .flatMap(({ owner, ttl, type, data }) => data.map((rdata) => `${owner} ${ttl} IN ${type} ${rdata}\n`))
    .join('');
}
