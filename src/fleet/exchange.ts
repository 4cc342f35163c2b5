import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { Clock } from '../clock.js';
import type { Message } from '../dns/message.js';
import type { TsigKey } from '../dns/tsig.js';
import { type AnswerCheck, type ControlQuestion, ControlRequest } from './control-message.js';

/** Where messages are sent, and from where. */
export interface ExchangeTarget {
  readonly address: string;
  readonly port: number;
  /** The own address; undefined: what the system takes. */
  readonly source: string | undefined;
}

/** How one message is sent and its answer waited for. */
export interface ExchangeOptions {
  readonly target: ExchangeTarget;
  readonly question: ControlQuestion;
  readonly key: TsigKey | undefined;
  readonly timeoutMs: number;
  /** This host's clock, which TSIG uses. */
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * What came of it. `refused` is an answer that the peer meant, or may have meant, as a refusal; where it is not proved, the peer may
 * have another secret.
 */
export type ExchangeResult =
  | { readonly kind: 'answer'; readonly message: Message }
  | { readonly kind: 'refused'; readonly problem: string; readonly isProved: boolean }
  | { readonly kind: 'silent'; readonly problem: string };

/** Datagrams looked at for one answer: a peer that floods is not listened to any longer. */
const MAX_DATAGRAMS = 32;
/** The largest datagram that is looked at: it is asked for less. */
const MAX_DATAGRAM_OCTETS = 4096;
/** How long a sound answer is waited for when one without a proof has come. */
const GRACE_MS = 200;

/** Sends a message over UDP, and over TCP where the answer is truncated; never throws. */
export async function exchange(options: ExchangeOptions): Promise<ExchangeResult> {
  const result = await exchangeUdp(options);
  if (result.kind !== 'answer' || !result.message.tc || options.question.kind === 'notify') return result;
  return exchangeTcp(options);
}

/** What settles one exchange: the first sound answer, the time, a fault of the socket, the end of the gateway. */
class Settling {
  readonly #resolve: (result: ExchangeResult) => void;
  readonly #cleaners: (() => void)[] = [];
  readonly #timer: NodeJS.Timeout;
  #grace: NodeJS.Timeout | undefined;
  #unproved: ExchangeResult | undefined;
  /** What was wrong with the first answer that was passed over for its TSIG. */
  #badTsig: string | undefined;
  #isSettled = false;

  constructor({ timeoutMs, signal }: ExchangeOptions, resolve: (result: ExchangeResult) => void) {
    this.#resolve = resolve;
    this.#timer = setTimeout(() => this.giveUp('no answer'), timeoutMs);
    const abort = (): void => this.giveUp('the gateway is being stopped');
    signal.addEventListener('abort', abort);
    this.#cleaners.push(() => signal.removeEventListener('abort', abort));
    if (signal.aborted) queueMicrotask(abort);
  }

  onEnd(clean: () => void): void {
    if (this.#isSettled) clean();
    else this.#cleaners.push(clean);
  }

  take(check: AnswerCheck): void {
    if (check.kind === 'ignored') {
      this.#badTsig ??= check.problem;
      return;
    }
    if (check.kind === 'answer') this.#settle(check);
    else if (check.isProved) this.#settle({ kind: 'refused', problem: check.problem, isProved: true });
    else {
      this.#unproved ??= { kind: 'refused', problem: check.problem, isProved: false };
      this.#grace ??= setTimeout(() => this.giveUp('no answer'), GRACE_MS);
    }
  }

  giveUp(problem: string): void {
    this.#settle(this.#unproved ?? { kind: 'silent', problem: this.#badTsig ?? problem });
  }

  #settle(result: ExchangeResult): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#grace);
    for (const clean of this.#cleaners) clean();
    this.#resolve(result);
  }
}

/** A connected socket for each message: its port cannot be guessed, others' datagrams do not reach it, and what the network says of the address does. */
function exchangeUdp(options: ExchangeOptions): Promise<ExchangeResult> {
  const { target, question, key, clock } = options;
  const request = new ControlRequest(question, key, clock.seconds());
  return new Promise((resolve) => {
    const settling = new Settling(options, resolve);
    const socket = createSocket(isIPv6(target.address) ? 'udp6' : 'udp4');
    settling.onEnd(() => socket.close());
    const fail = (error: Error | null): void => {
      if (error !== null) settling.giveUp(faultText(error));
    };
    let received = 0;
    socket.on('error', fail);
    socket.on('message', (octets) => {
      if (++received > MAX_DATAGRAMS) settling.giveUp('too many datagrams');
      else if (octets.length <= MAX_DATAGRAM_OCTETS) settling.take(request.check(octets, clock.seconds()));
    });
    const send = (): void => {
      socket.connect(target.port, target.address, ((error?: Error) => {
        if (error != null) fail(error);
        else socket.send(request.octets, fail);
      }) as () => void);
    };
    if (target.source === undefined) send();
    else socket.bind({ address: target.source }, send);
  });
}

function exchangeTcp(options: ExchangeOptions): Promise<ExchangeResult> {
  const { target, question, key, clock } = options;
  const request = new ControlRequest(question, key, clock.seconds());
  return new Promise((resolve) => {
    const settling = new Settling(options, resolve);
    const { address: host, port, source } = target;
    const socket = connect({ host, port, ...(source === undefined ? {} : { localAddress: source }) });
    settling.onEnd(() => socket.destroy());
    let received = Buffer.alloc(0);
    socket.on('error', (error) => settling.giveUp(faultText(error)));
    socket.on('close', () => settling.giveUp('the connection was closed'));
    socket.on('connect', () => {
      socket.write(
        Buffer.concat([Uint8Array.of(request.octets.length >>> 8, request.octets.length), request.octets]),
      );
    });
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2) return;
      const end = 2 + received.readUInt16BE(0);
      if (received.length < end) return;
      settling.take(request.check(new Uint8Array(received.subarray(2, end)), clock.seconds()));
      settling.giveUp('another answer than was asked for');
    });
  });
}

/** The system's code: its message has the address in it, which the reader knows. */
function faultText(error: NodeJS.ErrnoException): string {
  return error.code ?? 'a fault of the socket';
}
