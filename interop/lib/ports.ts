import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/**
 * Below the range from which Linux takes the ports of outgoing connections, so that none of those comes in between. Suites that run at the same
 * time have parts of their own: a server that is down for a moment finds its port again.
 */
const LANE_PORTS = 6000;
const LOWEST = 20_000 + LANE_PORTS * ((Number(process.env['VITEST_POOL_ID'] ?? 1) - 1) % 2);
const HIGHEST = LOWEST + LANE_PORTS;

const given = new Set<number>();

/** A port that is free for TCP and UDP on an address; never given twice by this process. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = randomInt(LOWEST, HIGHEST);
    if (given.has(port)) continue;
    if ((await isTcpFree(address, port)) && (await isUdpFree(address, port))) {
      given.add(port);
      return port;
    }
  }
  throw new Error(`no free port on ${address}`);
}

function isTcpFree(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}

function isUdpFree(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind(port, address, () => socket.close(() => resolve(true)));
  });
}
