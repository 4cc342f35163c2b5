import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../src/clock.js';
import type { EdnsOption } from '../../src/dns/edns.js';
import { type Message, readMessage } from '../../src/dns/message.js';
import { MessageWriter } from '../../src/dns/message-writer.js';
import { Name } from '../../src/dns/name.js';
import { parseRdataText } from '../../src/dns/rdata/index.js';
import type { RRset } from '../../src/dns/record.js';
import type { TsigKey } from '../../src/dns/tsig.js';
import { RRType, typeFromText } from '../../src/dns/types.js';
import type { Log } from '../../src/log.js';
import { TransferHandler, type TransferHandlerOptions } from '../../src/transfer/handler.js';
import type { Image } from '../../src/transfer/image.js';
import { ImageStore, type ImageStoreOptions } from '../../src/transfer/image-store.js';
import { MessagePacker } from '../../src/transfer/packer.js';
import type {
  ImageReader,
  PublicationSource,
  ServedPublication,
  TsigGrant,
  TsigKeyEntry,
  TsigKeySource,
} from '../../src/transfer/ports.js';
import type { DnsRequest, Transport } from '../../src/transfer/request.js';
import { DEFAULT_TRANSFER_LIMITS } from '../../src/transfer/transfer-limits.js';

export const ZONE = Name.parse('example.com.');
export const NOW = 1_800_000_000;
export const SERIAL = 7;

/** A clock that stands still until it is told otherwise. */
export class FixedClock implements Clock {
  now = NOW;
  seconds(): number {
    return this.now;
  }
  milliseconds(): number {
    return this.now * 1000;
  }
}

/** A log that remembers what was said. */
export class ListLog implements Log {
  readonly lines: { level: string; fields: object; message: string }[] = [];
  debug(fields: object, message: string): void {
    this.lines.push({ level: 'debug', fields, message });
  }
  info(fields: object, message: string): void {
    this.lines.push({ level: 'info', fields, message });
  }
  warn(fields: object, message: string): void {
    this.lines.push({ level: 'warn', fields, message });
  }
  error(fields: object, message: string): void {
    this.lines.push({ level: 'error', fields, message });
  }
  messages(): string[] {
    return this.lines.map((it) => it.message);
  }
}

export function rrset(owner: string, typeText: string, ...rdata: string[]): RRset {
  const type = typeFromText(typeText) as number;
  return {
    owner: Name.parse(owner, ZONE),
    type,
    ttl: 3600,
    rdata: rdata.map((it) => parseRdataText(type, it, ZONE)),
  };
}

export function soaRrset(serial = SERIAL): RRset {
  return rrset('@', 'SOA', `ns1 hostmaster ${serial} 7200 900 1209600 300`);
}

/** An RRSIG rdata whose signature has so many octets; no verifier looks at it here. */
export function signature(octets = 64): Uint8Array {
  const base64 = Buffer.alloc(octets, 5).toString('base64');
  return parseRdataText(RRType.RRSIG, `SOA 13 2 3600 20260101000000 20251201000000 1 example.com. ${base64}`);
}

export function hostRrsets(count: number): RRset[] {
  return Array.from({ length: count }, (_, i) => rrset(`host${i}`, 'A', `192.0.2.${i % 256}`));
}

/** Makes the messages of a zone: SOA, the RRsets, SOA. */
export function packZone(rrsets: readonly RRset[], soa = soaRrset(), zone = ZONE): Uint8Array[] {
  const packer = new MessagePacker({ zone });
  for (const it of [soa, ...rrsets, soa]) packer.add(it);
  return packer.finish();
}

/** A zone that is served in one view. */
export interface FakeZone {
  soa: ServedPublication['soa'];
  openImage: () => Promise<ImageReader>;
  /** Where there is none, no difference is known. */
  openDifference?: (serial: number) => Promise<ImageReader | undefined>;
}

/** What is served, and what was looked for. */
export class FakeSource implements PublicationSource {
  readonly zones = new Map<string, FakeZone>();
  readonly asked: string[] = [];
  error: Error | undefined;
  delay: Promise<void> | undefined;

  set(view: string, zone: FakeZone, name = ZONE): void {
    this.zones.set(`${name.key} ${view}`, zone);
  }

  async find(zone: Name, view: string): Promise<ServedPublication | undefined> {
    this.asked.push(`${zone} ${view}`);
    await this.delay;
    if (this.error !== undefined) throw this.error;
    const found = this.zones.get(`${zone.key} ${view}`);
    return found && { openDifference: () => Promise.resolve(undefined), ...found };
  }
}

export class FakeKeys implements TsigKeySource {
  readonly entries = new Map<string, TsigKeyEntry>();
  readonly secrets = new Map<string, Uint8Array>();
  readonly fetched: string[] = [];
  error: Error | undefined;
  /** References that cannot be had. */
  readonly away = new Set<string>();

  /** Gives a key a second secret. */
  rotate(key: TsigKey, secret: Uint8Array): void {
    const entry = this.entries.get(key.name.key) as TsigKeyEntry;
    const nextSecretRef = `${entry.secretRef} next`;
    this.entries.set(key.name.key, { ...entry, nextSecretRef });
    this.secrets.set(nextSecretRef, secret);
  }

  add(key: TsigKey, ...grants: TsigGrant[]): void {
    const secretRef = key.name.key;
    this.entries.set(key.name.key, { name: key.name, algorithm: key.algorithm, secretRef, grants });
    this.secrets.set(secretRef, key.secret);
  }

  find(name: Name): TsigKeyEntry | undefined {
    return this.entries.get(name.key);
  }

  async secret(entry: TsigKeyEntry): Promise<Uint8Array> {
    this.fetched.push(entry.secretRef);
    if (this.error !== undefined) throw this.error;
    if (this.away.has(entry.secretRef)) throw new Error('away');
    return this.secrets.get(entry.secretRef) as Uint8Array;
  }
}

export function tsigKey(name: string, algorithm: TsigKey['algorithm'] = 'hmac-sha256'): TsigKey {
  return { name: Name.parse(name), algorithm, secret: Buffer.from(`secret of ${name}, 32 octets and more`) };
}

export function grant(view: string, more: Partial<TsigGrant> = {}): TsigGrant {
  return { view, zones: null, addresses: null, ...more };
}

/** A handler over fakes, with images in a folder that `close` removes. */
export class Fixture {
  readonly source = new FakeSource();
  readonly keys = new FakeKeys();
  readonly clock = new FixedClock();
  readonly log = new ListLog();
  readonly images: ImageStore;
  readonly handler: TransferHandler;
  readonly #folder: string;
  readonly #made: Image[] = [];

  private constructor(folder: string, images: ImageStore, options: Partial<TransferHandlerOptions>) {
    this.#folder = folder;
    this.images = images;
    const { source, keys, clock, log } = this;
    const openRanges = [
      { range: '127.0.0.0/8', view: 'external' },
      { range: '::1', view: 'external' },
    ];
    this.handler = new TransferHandler({
      source,
      keys,
      openRanges,
      limits: DEFAULT_TRANSFER_LIMITS,
      log,
      clock,
      ...options,
    });
  }

  static async open(
    options: Partial<TransferHandlerOptions> = {},
    images: Partial<ImageStoreOptions> = {},
  ): Promise<Fixture> {
    const folder = await mkdtemp(join(tmpdir(), 'zoneseal-transfer-'));
    return new Fixture(folder, await ImageStore.open({ folder, ...images }), options);
  }

  async close(): Promise<void> {
    for (const image of this.#made) image.release();
    await rm(this.#folder, { recursive: true });
  }

  /** An image without a message, served in a view. */
  serveGrowing(view: string, soa: RRset | undefined = soaRrset(), zone = ZONE): Image {
    const image = this.images.create(`${zone} (${view})`);
    this.#made.push(image);
    this.source.set(
      view,
      {
        soa: soa === undefined ? undefined : { rrset: soa, signatures: [signature()] },
        openImage: async () => image.open(),
      },
      zone,
    );
    return image;
  }

  /** A whole image, served in a view. */
  async serve(view: string, rrsets: readonly RRset[], soa = soaRrset(), zone = ZONE): Promise<Image> {
    const image = this.serveGrowing(view, soa, zone);
    for (const message of packZone(rrsets, soa, zone)) await image.append(message);
    await image.complete();
    return image;
  }

  request(octets: Uint8Array, more: Partial<DnsRequest> = {}): DnsRequest {
    return {
      octets,
      transport: 'tcp',
      address: '127.0.0.1',
      port: 1024,
      signal: new AbortController().signal,
      ...more,
    };
  }

  /** All messages of an answer. */
  async ask(octets: Uint8Array, more: Partial<DnsRequest> = {}): Promise<Uint8Array[]> {
    const messages: Uint8Array[] = [];
    for await (const message of this.handler.answer(this.request(octets, more))) messages.push(message);
    return messages;
  }

  /** The one message of an answer, read. */
  async askOne(octets: Uint8Array, transport: Transport = 'udp', address = '127.0.0.1'): Promise<Message> {
    const messages = await this.ask(octets, { transport, address });
    if (messages.length !== 1) throw new Error(`${messages.length} messages`);
    return readMessage(messages[0] as Uint8Array);
  }
}

export interface QueryOptions {
  readonly id?: number;
  readonly flags?: number;
  readonly class?: number;
  readonly edns?: {
    udpSize?: number;
    version?: number;
    dnssecOk?: boolean;
    options?: readonly EdnsOption[];
  };
  /** The serial of an IXFR client. */
  readonly serial?: number;
}

export function makeQuery(name: string | Name, typeText: string, options: QueryOptions = {}): Uint8Array {
  const writer = new MessageWriter(2048);
  const zone = typeof name === 'string' ? Name.parse(name) : name;
  writer.writeHeader(options.id ?? 4711, options.flags ?? 0);
  writer.writeQuestion(zone, typeFromText(typeText) as number, options.class ?? 1);
  if (options.serial !== undefined) {
    const rdata = parseRdataText(RRType.SOA, `. . ${options.serial} 0 0 0 0`);
    writer.writeRecord('authority', zone, RRType.SOA, 1, 0, rdata);
  }
  const { edns } = options;
  if (edns !== undefined) {
    const { udpSize = 1232, version = 0, dnssecOk = false, options: ednsOptions = [] } = edns;
    writer.writeEdns({ udpSize, version, dnssecOk, extendedRcode: 0, options: ednsOptions });
  }
  return writer.finish();
}

/** Owner, type and rdata of each answer record, in order. */
export function answersOf(messages: readonly Uint8Array[]): string[] {
  return messages.flatMap((it) =>
    readMessage(it).answer.map(
      ({ owner, type, rdata }) => `${owner} ${type} ${Buffer.from(rdata).toString('hex')}`,
    ),
  );
}
