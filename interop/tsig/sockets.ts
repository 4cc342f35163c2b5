import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
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

/** A TCP connection from an address of this host; what comes on it is dropped unless someone listens. */
export function openFrom(localAddress: string, { host, port }: Target): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, localAddress });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      // without a reader the end of the connection would not be seen
      socket.resume();
      resolve(socket);
    });
  });
}

/** Sends octets and ends its side; all that comes back until the server closes the connection. */
export async function readToEnd(target: Target, octets: Uint8Array): Promise<Buffer> {
  const socket = await openFrom('127.0.0.1', target);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.end(octets);
  await closed;
  return Buffer.concat(chunks);
}

/** Whether the system takes what was written to a socket within so many milliseconds. */
export function drained(socket: Socket, milliseconds: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), milliseconds);
    socket.once('drain', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

/** TCP connections over IPv4 that a server on this host has open. */
export function openConnections({ port }: Target): number {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = readFileSync('/proc/net/tcp', 'latin1').split('\n');
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(suffix) && state === '01').length;
}
