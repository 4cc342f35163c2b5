import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Database } from '../../src/store/database.js';
import { databaseError } from '../../src/store/database-errors.js';

let server: Server | undefined;
afterEach(() => server?.close());

function serve(onConnection: (socket: import('node:net').Socket) => void): Promise<number> {
  return new Promise((resolve) => {
    const listening = createServer(onConnection);
    server = listening;
    listening.listen(0, '127.0.0.1', () => resolve((listening.address() as { port: number }).port));
  });
}

const fromServer = (code: string, message = 'said the server') =>
  Object.assign(new Error(message), { code, severity: 'ERROR', detail: 'Failing row contains (secret)' });

describe('errors of the database', () => {
  it.each([
    ['40001', 'DATABASE_CONFLICT', true],
    ['40P01', 'DATABASE_CONFLICT', true],
    ['57014', 'DATABASE_TIMEOUT', true],
    ['57P01', 'DATABASE_UNAVAILABLE', true],
    ['57P03', 'DATABASE_UNAVAILABLE', true],
    ['53300', 'DATABASE_UNAVAILABLE', true],
    ['08006', 'DATABASE_UNAVAILABLE', true],
    ['25006', 'DATABASE_UNAVAILABLE', true],
    ['28P01', 'DATABASE_REFUSED_LOGIN', false],
    ['3D000', 'DATABASE_REFUSED_LOGIN', false],
    ['42501', 'DATABASE_FORBIDDEN', false],
    ['23505', 'DATA_REFUSED', false],
    ['22P02', 'DATA_REFUSED', false],
    ['42601', 'DATABASE_FAILED', false],
  ])('with SQLSTATE %s are %s', (state, code, retriable) => {
    const error = databaseError(fromServer(state));
    expect(error).toMatchObject({ code, fields: { state, retriable } });
    expect(error.message).toContain('said the server');
    expect(JSON.stringify([error.message, error.fields])).not.toContain('secret');
  });

  it('hold no password, address or URL where a connection cannot be had', async () => {
    const database = new Database({ url: 'postgres://user:hunter2@127.0.0.1:1/db', connectTimeout: 500 });
    const error = await database.query('select 1').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'DATABASE_UNAVAILABLE', fields: { retriable: true } });
    expect(`${(error as Error).message}${JSON.stringify((error as { fields: unknown }).fields)}`).not.toMatch(
      /hunter2|127\.0\.0\.1|postgres:\/\//,
    );
    await database.close();
  });

  it('come in time from a server that says nothing', async () => {
    const port = await serve(() => undefined);
    const database = new Database({ url: `postgres://user@127.0.0.1:${port}/db`, connectTimeout: 200 });
    await expect(database.query('select 1')).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await database.close();
  });

  it('come from a server that hangs up, or speaks another protocol', async () => {
    const port = await serve((socket) => socket.end('220 smtp.example ESMTP\r\n'));
    const database = new Database({ url: `postgres://user@127.0.0.1:${port}/db`, connectTimeout: 2000 });
    await expect(database.query('select 1')).rejects.toMatchObject({
      code: expect.stringMatching(/^DATABASE_/),
    });
    await database.close();
    await expect(database.query('select 1')).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  });
});
