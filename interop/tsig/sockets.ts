import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { Target } from '../lib/dns-client.js';

const TIMEOUT = 5000;

/** Sends one message from an address of this host, as a client elsewhere would; the first answer, if one comes. */
export function exchangeFrom(
  localAddress: string,
  target: Target,
  octets: Uint8Array,
  transport: 'udp' | 'tcp' = 'udp',
): Promise<Uint8Array | undefined> {
  return transport === 'udp'
    ? exchangeUdpFrom(localAddress, target, octets)
    : exchangeTcpFrom(localAddress, target, octets);
}

async function exchangeUdpFrom(
  localAddress: string,
  { host, port }: Target,
  octets: Uint8Array,
): Promise<Uint8Array | undefined> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  try {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => resolve(undefined), TIMEOUT);
      socket.once('error', reject);
      socket.once('message', (answer) => {
        clearTimeout(timer);
        resolve(new Uint8Array(answer));
      });
      socket.bind({ address: localAddress }, () => socket.send(octets, port, host));
    });
  } finally {
    socket.close();
  }
}

function exchangeTcpFrom(
  localAddress: string,
  { host, port }: Target,
  octets: Uint8Array,
): Promise<Uint8Array | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, localAddress });
    let received = Buffer.alloc(0);
    const end = (answer?: Uint8Array): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(end, TIMEOUT);
    socket.once('error', () => end());
    socket.once('close', () => end());
    socket.once('connect', () => socket.write(framed(octets)));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      end(new Uint8Array(received.subarray(2, 2 + received.readUInt16BE(0))));
    });
  });
}

/** A message with its length before it (RFC 1035 §4.2.2). */
export function framed(octets: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(octets.length >>> 8, octets.length), octets]);
}
