import { rmSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { EmbeddedServer } from './embedded-server.js';

/** What the thread is started with. */
export interface EmbeddedWorkerData {
  readonly dataFolder: string;
  readonly socketPath: string;
  readonly maxConnections: number;
  readonly idleInTransaction: number;
}

/** To the thread: end. */
export interface EmbeddedWorkerRequest {
  readonly kind: 'stop';
  /** Milliseconds to wait for a transaction under way. */
  readonly patience: number;
}

/** From the thread. */
export type EmbeddedWorkerReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'stopped' };

const port = parentPort;
if (port === null) throw new Error('embedded-worker.js runs as a thread only');
const { dataFolder, socketPath, maxConnections, idleInTransaction } = workerData as EmbeddedWorkerData;
const report = (message: EmbeddedWorkerReport): void => port.postMessage(message);

function fail(error: unknown): void {
  report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  // the thread's memory may be damaged; what was committed is in the folder
  setImmediate(() => process.exit(1));
}

try {
  const database = await PGlite.create({ dataDir: dataFolder });
  // the session listens once for all clients
  await database.exec('listen zoneseal');
  const server = new EmbeddedServer(
    { execProtocolRaw: (message) => database.runExclusive(() => database.execProtocolRaw(message)) },
    { maxConnections, idleInTransaction, onFailure: fail },
  );
  rmSync(socketPath, { force: true });
  await server.listen(socketPath);
  port.once('message', (request: EmbeddedWorkerRequest) => {
    void (async () => {
      try {
        await server.close(request.patience);
        await database.close();
        report({ kind: 'stopped' });
        port.close();
      } catch (error) {
        fail(error);
      }
    })();
  });
  report({ kind: 'ready' });
} catch (error) {
  fail(error);
}
