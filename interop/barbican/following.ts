import { createHash, type Hash } from 'node:crypto';
import { RCODE } from '../../src/dns/message.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import type { TsigKey } from '../../src/dns/tsig-key.js';
import { RRType } from '../../src/dns/types.js';
import {
  buildRequest,
  query,
  type Request,
  type Target,
  TcpConnection,
  transfer,
} from '../lib/dns-client.js';
import { waitUntil } from '../lib/processes.js';

/** A transfer that is read message by message, so that something can happen in the middle of it. */
export class FollowedTransfer {
  readonly #connection: TcpConnection;
  readonly #request: Request;
  readonly #hash = createHash('sha256');
  messages = 0;
  records = 0;
  /** Two when the closing SOA has come. */
  soaRecords = 0;
  serial: number | undefined;
  rcode: number = RCODE.NOERROR;

  private constructor(connection: TcpConnection, request: Request) {
    this.#connection = connection;
    this.#request = request;
  }

  /** Sends the request. */
  static async begin(target: Target, zone: string, key: TsigKey): Promise<FollowedTransfer> {
    const request = buildRequest({ name: zone, type: 'AXFR', signing: { key } });
    const connection = await TcpConnection.open(target);
    connection.send(request.octets);
    return new FollowedTransfer(connection, request);
  }

  /** Begins transfers until one gives its first message: that of a zone that is being signed. */
  static async ofFirst(target: Target, zone: string, key: TsigKey): Promise<FollowedTransfer> {
    let following: FollowedTransfer | undefined;
    await waitUntil(`no transfer of ${zone} begins`, async () => {
      following = await FollowedTransfer.begin(target, zone, key);
      if ((await following.read(1)) && following.rcode === RCODE.NOERROR) return true;
      following.close();
      return false;
    });
    return following as FollowedTransfer;
  }

  get isClosed(): boolean {
    return this.#connection.isClosed;
  }

  get isAuthentic(): boolean {
    return this.#request.isAuthentic;
  }

  /** Reads so many messages more, or all there are; false when the gateway closed the connection or says nothing more. */
  async read(count = Number.POSITIVE_INFINITY, timeoutMilliseconds = 60_000): Promise<boolean> {
    for (let i = 0; i < count && this.soaRecords < 2; i++) {
      const octets = await this.#connection.receive(timeoutMilliseconds);
      if (octets === undefined) return false;
      const { message } = this.#request.read(octets);
      this.messages++;
      this.rcode = message.rcode;
      for (const record of message.answer) this.#note(record);
      if (message.rcode !== RCODE.NOERROR) break;
    }
    return true;
  }

  /** Stops reading from the socket, or goes on. */
  stall(isStalled: boolean): void {
    this.#connection.pause(isStalled);
  }

  close(): void {
    this.#connection.close();
  }

  /** As of `takeZone`, of what was read so far; it can be asked for once. */
  digest(): string {
    return this.#hash.digest('hex');
  }

  #note(record: ResourceRecord): void {
    const { type, rdata } = record;
    this.records++;
    hashRecord(this.#hash, record);
    if (type !== RRType.SOA) return;
    this.soaRecords++;
    this.serial = serialIn(rdata);
  }
}

function serialIn(rdata: Uint8Array): number {
  return Buffer.from(rdata).readUInt32BE(rdata.length - 20);
}

/** The serial that a gateway says it serves; undefined when it says none. */
export async function servedSerial(target: Target, zone: string, key: TsigKey): Promise<number | undefined> {
  const answer = await query(target, {
    name: zone,
    type: 'SOA',
    signing: { key },
    timeoutMilliseconds: 6000,
  });
  const soa = answer?.message.answer.find(({ type }) => type === RRType.SOA);
  return soa === undefined ? undefined : serialIn(soa.rdata);
}

/** Waits until a gateway serves a zone, under another serial than one of before; its serial. */
export async function waitForSerial(
  target: Target,
  zone: string,
  key: TsigKey,
  before?: number,
  timeoutMilliseconds = 60_000,
): Promise<number> {
  let serial: number | undefined;
  await waitUntil(
    () => `${zone} is at serial ${serial ?? 'none'}, before ${before ?? 'none'}`,
    async () => {
      serial = await servedSerial(target, zone, key);
      return serial !== undefined && serial !== before;
    },
    timeoutMilliseconds,
  );
  return serial as number;
}

/** What one whole transfer held. */
export interface Contents {
  readonly serial: number;
  readonly records: number;
  /** Of all octets of all records, in their order. */
  readonly digest: string;
}

/** Makes a change, waits until it is served, and takes the zone with it. @throws Error as takeZone */
export async function takeChange(
  target: Target,
  zone: string,
  key: TsigKey,
  change: () => void,
): Promise<void> {
  const before = await waitForSerial(target, zone, key);
  change();
  await waitForSerial(target, zone, key, before);
  await takeZone(target, zone, key);
}

/** Takes a zone. @throws Error when the transfer is not whole, or not proved */
export async function takeZone(target: Target, zone: string, key: TsigKey): Promise<Contents> {
  const { records, isWhole, isAuthentic, rcode } = await transfer(target, {
    name: zone,
    signing: { key },
    timeoutMilliseconds: 60_000,
  });
  if (!isWhole || !isAuthentic) {
    throw new Error(
      `${zone}: whole ${isWhole}, authentic ${isAuthentic}, RCODE ${rcode}, ${records.length} records`,
    );
  }
  const [soa] = records as [ResourceRecord];
  return { serial: serialIn(soa.rdata), records: records.length, digest: digestOf(records) };
}

/** A digest of all octets of records, in their order. */
export function digestOf(records: readonly ResourceRecord[]): string {
  const hash = createHash('sha256');
  for (const record of records) hashRecord(hash, record);
  return hash.digest('hex');
}

function hashRecord(hash: Hash, { owner, type, ttl, rdata }: ResourceRecord): void {
  hash.update(`${owner} ${type} ${ttl} `).update(rdata);
}
