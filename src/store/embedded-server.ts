import { createServer, type Server, type Socket } from 'node:net';

/** What of PGlite is served. */
export interface ProtocolBackend {
  /** Takes messages of the PostgreSQL protocol and returns the answers. */
  execProtocolRaw(message: Uint8Array): Promise<Uint8Array>;
}

/** Limits of an EmbeddedServer. */
export interface EmbeddedServerOptions {
  readonly maxConnections: number;
  /** Milliseconds that a client may leave a transaction open without a word while others wait. */
  readonly idleInTransaction: number;
  /** The backend threw: it cannot be trusted any more. */
  readonly onFailure: (error: unknown) => void;
}

const SSL_REQUEST = 80_877_103;
const GSS_REQUEST = 80_877_104;
const CANCEL_REQUEST = 80_877_102;
const MAX_MESSAGE = 0x1000_0000;

/** Message types after which the backend has to run: Query, Sync, Flush, FunctionCall. */
const RUNS = new Set(['Q', 'S', 'H', 'F'].map((type) => type.charCodeAt(0)));
const TERMINATE = 'X'.charCodeAt(0);
const NOTIFICATION = 'A'.charCodeAt(0);
const READY = 'Z'.charCodeAt(0);
const IDLE = 'I'.charCodeAt(0);

const SYNC = Uint8Array.of(0x53, 0, 0, 0, 4);
const ROLLBACK = Buffer.concat([Buffer.from([0x51, 0, 0, 0, 13]), Buffer.from('rollback\0')]);

interface Batch {
  readonly client: Client;
  readonly messages: Uint8Array;
}

/** One connection: its octets cut into batches that end where the backend has to answer. */
class Client {
  readonly socket: Socket;
  started = false;
  listens = false;
  #rest: Buffer = Buffer.alloc(0);
  #pending: Buffer[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** The batches that are whole now. 'close': the client has said its last word, or speaks another protocol. */
  *take(octets: Buffer): Generator<Uint8Array | 'close'> {
    this.#rest = this.#rest.length === 0 ? octets : Buffer.concat([this.#rest, octets]);
    for (;;) {
      const header = this.started ? 1 : 0;
      if (this.#rest.length < header + 4) return;
      const length = header + this.#rest.readUInt32BE(header);
      if (length < header + 4 || length > MAX_MESSAGE) {
        yield 'close';
        return;
      }
      if (this.#rest.length < length) return;
      const message = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      if (this.started) {
        const type = message[0] as number;
        if (type === TERMINATE) {
          yield 'close';
          return;
        }
        if (type === 0x51 && /^\s*listen\b/i.test(message.toString('latin1', 5, 40))) this.listens = true;
        this.#pending.push(message);
        if (RUNS.has(type)) yield this.#flush();
        continue;
      }
      const code = length >= 8 ? message.readUInt32BE(4) : 0;
      if (code === SSL_REQUEST || code === GSS_REQUEST) {
        this.socket.write('N');
      } else if (code === CANCEL_REQUEST) {
        yield 'close';
        return;
      } else {
        this.started = true;
        this.#pending.push(message);
        yield this.#flush();
      }
    }
  }

  #flush(): Uint8Array {
    const batch = this.#pending.length === 1 ? (this.#pending[0] as Buffer) : Buffer.concat(this.#pending);
    this.#pending = [];
    // a plain copy: PGlite takes the whole memory behind an array
    return new Uint8Array(batch);
  }
}

/**
 * Serves one PGlite to many clients over a socket. PGlite is one session: whoever has a transaction open, or is in the
 * middle of a protocol exchange, has it alone until it is idle again. Notifications reach every client that has said LISTEN
 * (the server of pglite-socket hands them to whoever sent them), and a client that goes away takes its transaction with it.
 */
export class EmbeddedServer {
  readonly #backend: ProtocolBackend;
  readonly #options: EmbeddedServerOptions;
  readonly #server: Server;
  readonly #clients = new Set<Client>();
  #queue: Batch[] = [];
  #holder: Client | undefined;
  #holderTimer: NodeJS.Timeout | undefined;
  #running = false;
  #draining = false;
  #onQuiet: (() => void) | undefined;

  constructor(backend: ProtocolBackend, options: EmbeddedServerOptions) {
    this.#backend = backend;
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = options.maxConnections;
  }

  listen(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, resolve);
    });
  }

  /** Takes no new clients, lets the transaction under way end (for at most `patience` milliseconds), and closes. */
  async close(patience: number): Promise<void> {
    this.#draining = true;
    this.#server.close();
    if (this.#running || this.#holder !== undefined || this.#queue.length > 0) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#onQuiet = resolve;
        timer = setTimeout(resolve, patience);
      });
      clearTimeout(timer);
    }
    clearTimeout(this.#holderTimer);
    for (const { socket } of this.#clients) socket.destroy();
  }

  #accept(socket: Socket): void {
    if (this.#draining) {
      socket.destroy();
      return;
    }
    const client = new Client(socket);
    this.#clients.add(client);
    socket.setNoDelay(true);
    socket.on('data', (octets) => {
      for (const batch of client.take(octets)) {
        if (batch === 'close') {
          socket.end();
          return;
        }
        this.#queue.push({ client, messages: batch });
      }
      void this.#work();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#clients.delete(client);
      this.#queue = this.#queue.filter((batch) => batch.client !== client);
      void this.#work();
    });
  }

  async #work(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      for (;;) {
        if (this.#holder !== undefined && !this.#clients.has(this.#holder)) {
          await this.#backend.execProtocolRaw(SYNC);
          this.#route(undefined, await this.#backend.execProtocolRaw(ROLLBACK));
          this.#hold(undefined);
        }
        const batch = this.#next();
        if (batch === undefined) break;
        const answer = await this.#backend.execProtocolRaw(batch.messages);
        this.#hold(this.#route(batch.client, answer) ? undefined : batch.client);
      }
    } catch (error) {
      this.#options.onFailure(error);
      return;
    }
    this.#running = false;
    if (this.#holder === undefined && this.#queue.length === 0) this.#onQuiet?.();
  }

  #next(): Batch | undefined {
    const holder = this.#holder;
    if (holder === undefined) return this.#queue.shift();
    const at = this.#queue.findIndex((batch) => batch.client === holder);
    return at < 0 ? undefined : this.#queue.splice(at, 1)[0];
  }

  /** Who has the session alone; a holder that stays silent loses its connection. */
  #hold(client: Client | undefined): void {
    clearTimeout(this.#holderTimer);
    this.#holder = client;
    if (client === undefined) return;
    this.#holderTimer = setTimeout(() => client.socket.destroy(), this.#options.idleInTransaction);
    this.#holderTimer.unref();
  }

  /**
   * Sends an answer to its client, notifications in it to everyone who listens.
   * @returns whether the session is idle after it
   */
  #route(client: Client | undefined, octets: Uint8Array): boolean {
    const answer = Buffer.from(octets.buffer, octets.byteOffset, octets.length);
    let idle = false;
    let from = 0;
    for (let at = 0; at + 5 <= answer.length; ) {
      const next = at + 1 + answer.readUInt32BE(at + 1);
      if (answer[at] === READY) idle = answer[at + 5] === IDLE;
      if (answer[at] === NOTIFICATION) {
        if (at > from) client?.socket.write(answer.subarray(from, at));
        from = next;
        for (const { listens, socket } of this.#clients) if (listens) socket.write(answer.subarray(at, next));
      }
      at = next;
    }
    if (from < answer.length) client?.socket.write(from === 0 ? answer : answer.subarray(from));
    return idle;
  }
}
