import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStore } from '../../src/gateway-store.js';
import { ConfigFolder } from '../lib/config-folder.js';

const files = new ConfigFolder();
const sockets = new Set<Socket>();
let server: Server;
let port = 0;

const AUTHENTICATED = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]);
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);
const DONE = Buffer.from([0x43, 0, 0, 0, 8, 0x53, 0x45, 0x54, 0]);

// lets clients in, takes the settings of their session, and says nothing from then on
beforeAll(async () => {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    let messages = 0;
    socket.on('data', () => {
      messages++;
      if (messages === 1) socket.write(Buffer.concat([AUTHENTICATED, READY]));
      if (messages === 2) socket.write(Buffer.concat([DONE, READY]));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  port = (server.address() as { port: number }).port;
});

afterAll(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
  files.remove();
});

it('the time of a database that went silent is waited for no longer than a connection', async () => {
  const url = `postgresql://zoneseal@127.0.0.1:${port}/zoneseal`;
  const store = await openStore(files.load(`database: { url: "${url}", connectTimeout: 1 }\n`));
  const begun = performance.now();
  await expect(store.time()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  expect(performance.now() - begun).toBeLessThan(10_000);
  expect(sockets.size).toBe(1);
  await store.close();
});
