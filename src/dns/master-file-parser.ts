import { errorMessage, ZonesealError } from '../errors.js';
import {
  checkTtl,
  type EntryHeader,
  expectEnd,
  parseEntryName,
  readHeader,
  shorten,
  tokenAt,
  tokenPosition,
} from './master-file-entry.js';
import {
  type GenerateRange,
  generateCount,
  parseGenerateRange,
  parseGenerateTemplate,
} from './master-file-generate.js';
import { openFile, openInclude } from './master-file-include.js';
import { EntryError, EntryLexer, type Place } from './master-file-lexer.js';
import { PlainLine } from './master-file-plain.js';
import { LineReader, type MasterSource } from './master-file-reader.js';
import type { MasterFileOptions, MasterRecord } from './master-file-types.js';
import { Name } from './name.js';
import { parseRdata, type Token } from './rdata/index.js';
import { secondsFromText } from './ttl.js';
import { RRType } from './types.js';

/** The longest line, and the longest entry over several lines, in octets. The largest record needs a quarter of it. */
export const MAX_ENTRY_OCTETS = 1 << 20;
/** How deep $INCLUDE may nest, and how many files one parse may include. */
export const MAX_INCLUDE_DEPTH = 16;
export const MAX_INCLUDED_FILES = 10_000;
/** How many records all $GENERATE lines of one parse may make. */
export const MAX_GENERATED_RECORDS = 1 << 22;

const BATCH_RECORDS = 512;
const DOLLAR = 0x24;

/** One file being read. */
interface Frame {
  readonly file: string;
  readonly path: string | undefined;
  readonly reader: LineReader;
  readonly lexer: EntryLexer;
  origin: Name;
  owner: Name | undefined;
  ownerText: string | undefined; // what `owner` was written as under the current origin
  broken: boolean; // the entry being collected has an error that was reported
}

interface Inclusion {
  readonly name: string;
  readonly origin: Name;
  readonly place: Place;
}

/** A $GENERATE line that is being carried out. */
interface Generation {
  readonly range: GenerateRange;
  readonly owner: (value: number) => string;
  readonly rdata: (value: number) => string;
  readonly ttl: number;
  readonly type: number;
  readonly place: Place;
  value: number;
}

/** One pass over a master file and what it includes; use through `parseMasterFile` or `parseMasterBatches`. */
export class MasterParser {
  readonly #source: MasterSource | string;
  readonly #options: MasterFileOptions;
  readonly #frames: Frame[] = [];
  readonly #plain = new PlainLine();
  readonly #header: EntryHeader = { ttl: -1, type: 0, rdataAt: 0 };
  #batch: MasterRecord[] = [];
  #defaultTtl: number | undefined; // of $TTL, or else the minimum of an SOA without a TTL
  #lastTtl: number | undefined; // of the record before that has one written
  #inclusion: Inclusion | undefined;
  #included = 0;
  #generation: Generation | undefined;
  #generated = 0;

  constructor(source: MasterSource | string, options: MasterFileOptions) {
    this.#source = source;
    this.#options = options;
    this.#defaultTtl = options.defaultTtl;
  }

  /** The records in the order of the file, some hundreds at a time. */
  async *batches(): AsyncGenerator<readonly MasterRecord[], void, undefined> {
    try {
      await this.#openRoot();
      for (;;) {
        const frame = this.#frames.at(-1);
        if (frame === undefined) return;
        if (this.#batch.length >= BATCH_RECORDS) yield this.#takeBatch();
        if (this.#generation !== undefined) this.#generate(frame, this.#generation);
        else if (this.#inclusion !== undefined) await this.#include(frame, this.#inclusion);
        else if (frame.reader.nextLine() || frame.reader.overlongStart()) this.#line(frame);
        else {
          if (this.#batch.length > 0) yield this.#takeBatch();
          if (!(await this.#fill(frame))) this.#endOfFile(frame);
        }
      }
    } finally {
      for (const frame of this.#frames.splice(0)) await frame.reader.close();
    }
  }

  #takeBatch(): readonly MasterRecord[] {
    const batch = this.#batch;
    this.#batch = [];
    return batch;
  }

  async #openRoot(): Promise<void> {
    const { file, origin } = this.#options;
    if (typeof this.#source !== 'string') {
      this.#push(file, undefined, this.#source, origin, undefined);
      return;
    }
    try {
      this.#push(file, this.#source, await openFile(this.#source), origin, undefined);
    } catch (cause) {
      this.#unreadable(file, cause);
    }
  }

  #push(
    file: string,
    path: string | undefined,
    source: MasterSource,
    origin: Name,
    owner: Name | undefined,
  ): void {
    const reader = new LineReader(source, MAX_ENTRY_OCTETS);
    const lexer = new EntryLexer();
    this.#frames.push({ file, path, reader, lexer, origin, owner, ownerText: undefined, broken: false });
  }

  async #fill(frame: Frame): Promise<boolean> {
    try {
      return await frame.reader.fill();
    } catch (cause) {
      if (frame.path === undefined) throw cause;
      this.#unreadable(frame.file, cause);
      return false;
    }
  }

  #endOfFile(frame: Frame): void {
    if (frame.lexer.open) {
      const reason = 'the file ends inside parentheses that begin here (unbalanced parentheses)';
      this.#report(frame, new EntryError(reason, frame.lexer.openedAt));
    }
    this.#frames.pop();
  }

  #line(frame: Frame): void {
    const { reader, lexer } = frame;
    if (!lexer.open && !reader.overlong && this.#plainLine(frame)) return;
    try {
      lexer.addLine(reader.text, reader.start, reader.end, reader.line);
      if (reader.overlong || lexer.length > MAX_ENTRY_OCTETS + 1) {
        throw new EntryError(`an entry is longer than ${MAX_ENTRY_OCTETS} octets`, 0);
      }
    } catch (thrown) {
      if (!frame.broken) this.#report(frame, thrown);
      frame.broken = true;
      if (lexer.length > MAX_ENTRY_OCTETS) lexer.reset();
    }
    if (lexer.open) return;
    if (!frame.broken && lexer.tokens.length > 0) {
      try {
        this.#entry(frame, lexer.tokens);
      } catch (thrown) {
        this.#report(frame, thrown);
      }
    }
    frame.broken = false;
    lexer.reset();
  }

  /** Takes a line that says all in plain words; of any other one nothing is taken, and false is the answer. */
  #plainLine(frame: Frame): boolean {
    const { reader, origin, file } = frame;
    const plain = this.#plain;
    const { text, start, end, line } = reader;
    if (!plain.read(text, start, end, origin)) return false;
    const ttl = plain.ttl >= 0 ? plain.ttl : (this.#defaultTtl ?? this.#lastTtl);
    if (ttl === undefined) return false;
    const ownerLength = plain.ownerEnd - start;
    const known = frame.ownerText;
    let owner = frame.owner;
    if (ownerLength > 0 && (known?.length !== ownerLength || !text.startsWith(known, start))) {
      const written = text.slice(start, plain.ownerEnd);
      try {
        owner = Name.parse(written, origin);
      } catch {
        return false;
      }
      frame.owner = owner;
      frame.ownerText = written;
    }
    if (owner === undefined) return false;
    if (plain.ttl >= 0) this.#lastTtl = plain.ttl;
    this.#batch.push({ owner, type: plain.type, ttl, rdata: plain.rdata, file, line });
    return true;
  }

  #entry(frame: Frame, tokens: readonly Token[]): void {
    const first = tokens[0] as Token;
    if (!frame.lexer.indented) {
      if (first.text.charCodeAt(0) === DOLLAR && !first.quoted) {
        this.#directive(frame, tokens, first);
        return;
      }
      this.#setOwner(frame, first);
    }
    const header = this.#header;
    readHeader(tokens, frame.lexer.indented ? 0 : 1, header);
    const owner = frame.owner;
    if (owner === undefined)
      throw new EntryError('no owner: no entry before this one has a valid one', tokenPosition(first));
    if (header.ttl >= 0) this.#lastTtl = header.ttl;
    const rdata = parseTokens(
      header.type,
      tokens.slice(header.rdataAt),
      frame.origin,
      tokens[header.rdataAt - 1],
    );
    const ttl = this.#ttlOf(header, rdata, tokens);
    this.#batch.push({ owner, type: header.type, ttl, rdata, file: frame.file, line: frame.lexer.firstLine });
  }

  #setOwner(frame: Frame, token: Token): void {
    if (token.text === frame.ownerText && frame.owner !== undefined) return;
    frame.owner = undefined;
    frame.owner = parseEntryName(token, frame.origin);
    frame.ownerText = token.quoted ? undefined : token.text;
  }

  /** RFC 2308 §4: the written one, else that of $TTL, else the one before (RFC 1035 §5.1), else the SOA's minimum. */
  #ttlOf(header: EntryHeader, rdata: Uint8Array, tokens: readonly Token[]): number {
    if (header.ttl >= 0) return header.ttl;
    const inherited = this.#defaultTtl ?? this.#lastTtl;
    if (inherited !== undefined) return inherited;
    const position = tokenPosition(tokens[header.rdataAt - 1]);
    this.#defaultTtl = 0; // so that a missing TTL is reported once
    if (header.type !== RRType.SOA) {
      throw new EntryError('no TTL: none is written here or before, and there is no $TTL', position);
    }
    const minimum = new DataView(rdata.buffer, rdata.byteOffset).getUint32(rdata.length - 4);
    this.#defaultTtl = checkTtl(minimum, 'the SOA minimum, taken for the missing TTL,', position);
    return this.#defaultTtl;
  }

  #directive(frame: Frame, tokens: readonly Token[], first: Token): void {
    switch (first.text.toUpperCase()) {
      case '$ORIGIN': {
        const name = parseEntryName(tokenAt(tokens, 1, 'the origin'), frame.origin);
        expectEnd(tokens, 2);
        frame.origin = name;
        frame.ownerText = undefined;
        return;
      }
      case '$TTL': {
        const token = tokenAt(tokens, 1, 'the TTL');
        const seconds = token.quoted ? undefined : secondsFromText(token.text);
        if (seconds === undefined)
          throw new EntryError(`"${shorten(token.text)}" is not a TTL`, tokenPosition(token));
        expectEnd(tokens, 2);
        this.#defaultTtl = checkTtl(seconds, 'a TTL', tokenPosition(token));
        return;
      }
      case '$INCLUDE': {
        const name = tokenAt(tokens, 1, 'the name of the file to include');
        const origin = tokens[2] === undefined ? frame.origin : parseEntryName(tokens[2], frame.origin);
        expectEnd(tokens, 3);
        this.#inclusion = {
          name: unescapeText(name.text),
          origin,
          place: frame.lexer.place(tokenPosition(name)),
        };
        return;
      }
      case '$GENERATE':
        this.#startGenerate(frame, tokens);
        return;
      default:
        throw new EntryError(`unknown directive "${shorten(first.text)}"`, tokenPosition(first));
    }
  }

  async #include(frame: Frame, inclusion: Inclusion): Promise<void> {
    this.#inclusion = undefined;
    const folder = this.#options.includeFolder;
    try {
      if (folder === undefined)
        throw new Error('$INCLUDE is not allowed here: no folder to include from is given');
      if (this.#frames.length > MAX_INCLUDE_DEPTH)
        throw new Error(`$INCLUDE nests deeper than ${MAX_INCLUDE_DEPTH} files`);
      if (++this.#included > MAX_INCLUDED_FILES)
        throw new Error(`more than ${MAX_INCLUDED_FILES} files are included`);
      const { chunks, path } = await openInclude(folder, inclusion.name);
      this.#push(inclusion.name, path, chunks, inclusion.origin, frame.owner);
    } catch (cause) {
      this.#emit(frame.file, inclusion.place, errorMessage(cause), cause);
    }
  }

  #startGenerate(frame: Frame, tokens: readonly Token[]): void {
    const range = positioned(tokenAt(tokens, 1, 'the range'), (text) => parseGenerateRange(text));
    const owner = positioned(tokenAt(tokens, 2, 'the owner'), (text) => parseGenerateTemplate(text));
    const header = this.#header;
    readHeader(tokens, 3, header);
    const rdataToken = tokenAt(tokens, header.rdataAt, 'the rdata');
    const rdata = positioned(rdataToken, (text) =>
      parseGenerateTemplate(
        rdataToken.quoted ? text.replaceAll(/\\(.)/gs, (s, c: string) => (c === '"' ? c : s)) : text,
      ),
    );
    expectEnd(tokens, header.rdataAt + 1);
    const position = tokenPosition(tokens[0]);
    if (header.ttl >= 0) this.#lastTtl = header.ttl;
    const ttl = this.#ttlOf({ ...header, type: RRType.A }, new Uint8Array(0), tokens);
    this.#generated += generateCount(range);
    if (this.#generated > MAX_GENERATED_RECORDS) {
      throw new EntryError(`$GENERATE makes more than ${MAX_GENERATED_RECORDS} records in all`, position);
    }
    this.#generation = {
      range,
      owner,
      rdata,
      ttl,
      type: header.type,
      place: frame.lexer.place(position),
      value: range.start,
    };
  }

  #generate(frame: Frame, generation: Generation): void {
    const { range, ttl, type, place } = generation;
    try {
      while (generation.value <= range.stop && this.#batch.length < BATCH_RECORDS) {
        const owner = Name.parse(generation.owner(generation.value), frame.origin);
        const lexer = new EntryLexer();
        const text = generation.rdata(generation.value);
        lexer.addLine(text, 0, text.length, 1);
        if (lexer.open) throw new Error('the rdata has unbalanced parentheses');
        this.#batch.push({
          owner,
          type,
          ttl,
          rdata: parseRdata(type, lexer.tokens, frame.origin),
          file: frame.file,
          line: place.line,
        });
        generation.value += range.step;
      }
      if (generation.value > range.stop) this.#generation = undefined;
    } catch (cause) {
      this.#generation = undefined;
      this.#emit(frame.file, place, `$GENERATE at ${generation.value}: ${errorMessage(cause)}`, cause);
    }
  }

  /** Hands an error on, or throws it; what is not about the entry is thrown as it is. */
  #report(frame: Frame, thrown: unknown): void {
    if (!(thrown instanceof EntryError)) throw thrown;
    this.#emit(frame.file, frame.lexer.place(thrown.position), thrown.message, thrown.cause ?? thrown);
  }

  #unreadable(file: string, cause: unknown): void {
    const code = (cause as NodeJS.ErrnoException).code ?? errorMessage(cause);
    this.#emit(file, { line: 0, column: 0 }, `the file cannot be read (${code})`, cause);
  }

  #emit(file: string, { line, column }: Place, reason: string, cause: unknown): void {
    const where = line === 0 ? file : `${file}:${line}:${column}`;
    const error = new ZonesealError(
      'MASTER_FILE_INVALID',
      `${where}: ${reason}`,
      { file, line, column, reason },
      { cause },
    );
    if (this.#options.onError === undefined) throw error;
    this.#options.onError(error);
  }
}

function parseTokens(
  type: number,
  tokens: readonly Token[],
  origin: Name,
  typeToken: Token | undefined,
): Uint8Array {
  try {
    return parseRdata(type, tokens, origin);
  } catch (cause) {
    if (!(cause instanceof ZonesealError)) throw cause;
    const column = cause.fields['column'];
    const position = typeof column === 'number' ? column - 1 : tokenPosition(tokens[0] ?? typeToken);
    throw new EntryError(cause.message, position, { cause });
  }
}

/** What a function makes of a token; its errors are placed there. */
function positioned<T>(token: Token, read: (text: string) => T): T {
  try {
    return read(token.text);
  } catch (cause) {
    throw new EntryError(errorMessage(cause), tokenPosition(token), { cause });
  }
}

/** The text that a token's escapes stand for, as UTF-8. */
function unescapeText(text: string): string {
  const octets = text.replace(/\\([0-9]{3})|\\(.)/gs, (_, digits?: string, char?: string) =>
    digits === undefined ? (char ?? '') : String.fromCharCode(Number(digits) & 0xff),
  );
  return Buffer.from(octets, 'latin1').toString('utf8');
}
