import { connect } from 'node:net';

/** What a transfer took; milliseconds from the first byte asked. */
export interface Fetched {
  readonly milliseconds: number;
  readonly firstMessage: number;
  readonly messages: number;
  readonly octets: number;
}

/** Octets of serial, refresh, retry, expire and minimum, with which an SOA ends. */
const SOA_TAIL = 20;

function axfrQuery(zone: string): Buffer {
  const labels = zone.split('.').filter((label) => label !== '');
  const name = Buffer.concat([
    ...labels.map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
    Buffer.of(0),
  ]);
  const message = Buffer.concat([
    Buffer.from([0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    name,
    Buffer.from([0, 252, 0, 1]),
  ]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/**
 * A plain TCP client: asks for a zone without TSIG and reads to the closing SOA, which it tells by the octets with which the
 * opening one ends. The connection is closed afterwards. undefined when the zone is refused or not ready.
 */
export function fetchZone(port: number, zone: string, timeoutMs = 300_000): Promise<Fetched | undefined> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    const timer = setTimeout(() => socket.destroy(new Error('the transfer took too long')), timeoutMs);
    let rest: Buffer = Buffer.alloc(0);
    let tail: Buffer | undefined;
    let firstMessage = 0;
    let messages = 0;
    let octets = 0;
    const end = (result: Fetched | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    socket.on('connect', () => socket.write(axfrQuery(zone)));
    socket.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.on('close', () => end(undefined));
    socket.on('data', (chunk) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (;;) {
        if (rest.length < 2) return;
        const length = rest.readUInt16BE(0);
        if (rest.length < length + 2) return;
        const message = rest.subarray(2, length + 2);
        rest = rest.subarray(length + 2);
        if ((message.readUInt16BE(2) & 0xf) !== 0) return end(undefined);
        messages++;
        octets += length;
        if (tail === undefined) {
          firstMessage = performance.now() - begun;
          tail = Buffer.from(firstSoaTail(message));
        }
        const closes =
          message.subarray(-SOA_TAIL).equals(tail) && (messages > 1 || message.readUInt16BE(6) > 1);
        if (closes) return end({ milliseconds: performance.now() - begun, firstMessage, messages, octets });
      }
    });
  });
}

/** The last octets of the SOA with which a transfer opens. */
function firstSoaTail(message: Buffer): Buffer {
  let at = 12;
  const skipName = (): void => {
    for (;;) {
      const length = message.readUInt8(at);
      if (length >= 0xc0) {
        at += 2;
        return;
      }
      at += length + 1;
      if (length === 0) return;
    }
  };
  skipName();
  at += 4;
  skipName();
  at += 10 + message.readUInt16BE(at + 8);
  return message.subarray(at - SOA_TAIL, at);
}
