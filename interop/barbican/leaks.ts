import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Shorter ones turn up by chance. */
const LEAST_OCTETS = 8;

/** Something that must not be found anywhere, and what it is called. */
export interface Secret {
  readonly name: string;
  readonly octets: Uint8Array;
}

/** A place that is searched. */
export interface Place {
  readonly name: string;
  readonly octets: Buffer;
}

/**
 * Where secrets are found, as `SECRET in PLACE as FORM`: as they are, in hexadecimal, and in base64 wherever in a
 * larger text they begin (such as the body of a PEM), line ends or not.
 */
export function findLeaks(secrets: readonly Secret[], places: readonly Place[]): string[] {
  const needles = new Needles(secrets.flatMap((secret) => formsOf(secret)));
  const found = new Set<string>();
  for (const { name, octets } of places) {
    for (const { secret, form } of [...needles.in(octets), ...needles.in(withoutBreaks(octets))]) {
      found.add(`${secret} in ${name} as ${form}`);
    }
  }
  return [...found];
}

/** One way to write a secret. */
interface Form {
  readonly secret: string;
  readonly form: string;
  readonly needle: Buffer;
}

function formsOf({ name, octets }: Secret): Form[] {
  if (octets.length < LEAST_OCTETS) throw new Error(`${name} is too short to be searched for`);
  const buffer = Buffer.from(octets);
  const hex = buffer.toString('hex');
  const texts: [string, string][] = [
    ['hexadecimal', hex],
    ['hexadecimal', hex.toUpperCase()],
    ['hexadecimal', (hex.match(/../g) ?? []).join(':')],
    ['octets of JSON', JSON.stringify([...buffer]).slice(1, -1)],
  ];
  for (const shift of [0, 1, 2]) {
    // without the characters that hold something of what stands before and after
    const base64 = Buffer.concat([Buffer.alloc(shift), buffer])
      .toString('base64')
      .replace(/=+$/, '');
    const isWhole = (shift + octets.length) % 3 === 0;
    const inner = base64.slice(shift === 0 ? 0 : shift + 1, isWhole ? undefined : -1);
    texts.push(['base64', inner], ['base64', inner.replaceAll('+', '-').replaceAll('/', '_')]);
  }
  const forms = texts.map(([form, text]) => ({ secret: name, form, needle: Buffer.from(text) }));
  return [{ secret: name, form: 'octets', needle: buffer }, ...forms];
}

/** Many octet strings that are searched for at once: a place has many octets, and is gone through once. */
class Needles {
  /** Whether one begins with these two octets. */
  readonly #begins = new Uint8Array(0x10000);
  /** By their first four octets. */
  readonly #forms = new Map<number, Form[]>();

  constructor(forms: readonly Form[]) {
    for (const form of forms) {
      const key = form.needle.readUInt32BE(0);
      this.#begins[key >>> 16] = 1;
      this.#forms.set(key, [...(this.#forms.get(key) ?? []), form]);
    }
  }

  *in(octets: Buffer): Generator<Form> {
    for (let at = 0; at + 4 <= octets.length; at++) {
      if (this.#begins[((octets[at] as number) << 8) | (octets[at + 1] as number)] === 0) continue;
      for (const form of this.#forms.get(octets.readUInt32BE(at)) ?? []) {
        if (octets.subarray(at, at + form.needle.length).equals(form.needle)) yield form;
      }
    }
  }
}

/** Without white space, and without line ends as JSON and SQL write them (\n, \\n). */
function withoutBreaks(octets: Buffer): Buffer {
  const kept = Buffer.alloc(octets.length);
  let length = 0;
  for (let at = 0; at < octets.length; at++) {
    const octet = octets[at] as number;
    if (octet === 0x20 || (octet >= 0x09 && octet <= 0x0d)) continue;
    if (octet === 0x5c) {
      const next = octets[at + 1];
      if (next === 0x6e || next === 0x72 || next === 0x74) at++;
      continue;
    }
    kept[length++] = octet;
  }
  return kept.subarray(0, length);
}

/** Every file of a folder and those in it. */
export function filesOf(folder: string, name: string): Place[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return { name: `${name}${path.slice(folder.length)}`, octets: readFileSync(path) };
    });
}

/** Notes the command lines of all processes on this host, several times a second, as anyone on it could. */
export class CommandLineWatch {
  readonly #seen = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.#look(), 50);
  }

  /** All that were seen, arguments parted by zero octets. */
  end(): ReadonlySet<string> {
    clearInterval(this.#timer);
    return this.#seen;
  }

  #look(): void {
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      try {
        this.#seen.add(readFileSync(`/proc/${entry}/cmdline`, 'latin1'));
      } catch {
        // it has ended
      }
    }
  }
}
