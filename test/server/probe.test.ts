import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { probeServer } from '../../src/server/probe.js';

const sockets: ReturnType<typeof createSocket>[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

/** A UDP server that answers with what a function makes of the query. */
function serve(answer: (query: Buffer) => Buffer | undefined): Promise<number> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.on('message', (query, { port, address }) => {
    const message = answer(query);
    if (message !== undefined) socket.send(message, port, address);
  });
  return new Promise((resolve) => socket.bind(0, '127.0.0.1', () => resolve(socket.address().port)));
}

const refused = (query: Buffer): Buffer => {
  const answer = Buffer.from(query);
  answer.writeUInt16BE(0x8005, 2);
  return answer;
};

describe('the probe of a DNS server', () => {
  it('succeeds on any answer, also at a wildcard address', async () => {
    const port = await serve(refused);
    expect(await probeServer({ address: '127.0.0.1', port }, 5000)).toBe(true);
    expect(await probeServer({ address: '0.0.0.0', port }, 5000)).toBe(true);
  });

  it('fails on silence, on what is no answer and on another id', async () => {
    const silent = await serve(() => undefined);
    expect(await probeServer({ address: '127.0.0.1', port: silent }, 100)).toBe(false);
    const echo = await serve((query) => query);
    expect(await probeServer({ address: '127.0.0.1', port: echo }, 100)).toBe(false);
    const other = await serve((query) => {
      const answer = refused(query);
      answer.writeUInt16BE((query.readUInt16BE(0) + 1) & 0xffff, 0);
      return answer;
    });
    expect(await probeServer({ address: '127.0.0.1', port: other }, 100)).toBe(false);
    const short = await serve(() => Buffer.of(1, 2, 3));
    expect(await probeServer({ address: '127.0.0.1', port: short }, 100)).toBe(false);
  });
});
