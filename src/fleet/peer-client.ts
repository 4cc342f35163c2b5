import { isIPv6 } from 'node:net';
import type { Clock } from '../clock.js';
import { RCODE } from '../dns/message.js';
import { Name } from '../dns/name.js';
import type { TsigKey } from '../dns/tsig.js';
import { errorMessage } from '../errors.js';
import { withDeadline } from '../transfer/deadline.js';
import { type ControlQuestion, rcodeText, type SoaHint, serialInAnswer } from './control-message.js';
import { NOTIFY_PROBLEM, type NotifyOutcome, type PollOutcome } from './decision.js';
import { type ExchangeResult, exchange } from './exchange.js';
import type { PeerKey, PeerKeySource, PeerTarget } from './ports.js';

export interface PeerClientOptions {
  readonly keys: PeerKeySource;
  /** This host's clock, which TSIG uses. */
  readonly clock: Clock;
  /** Seconds that an answer is waited for, over UDP and over TCP each. */
  readonly answerSeconds: number;
  /** Seconds that the secret of a TSIG key is waited for. */
  readonly secretSeconds: number;
  /** Own addresses that messages are sent from; undefined: the system's choice. */
  readonly sourceIpv4: string | undefined;
  readonly sourceIpv6: string | undefined;
}

/** Messages sent since the start, by what came of them. */
export interface PeerClientCounts {
  readonly notifies: Readonly<Record<NotifyOutcome['kind'], number>>;
  readonly polls: Readonly<Record<PollOutcome['kind'], number>>;
}

/** Sends NOTIFY and SOA queries to peers, one message each. */
export class PeerClient {
  readonly counts = {
    notifies: { accepted: 0, refused: 0, silent: 0, unable: 0 },
    polls: { serial: 0, refused: 0, silent: 0, unable: 0 },
  } satisfies PeerClientCounts;
  readonly #options: PeerClientOptions;

  constructor(options: PeerClientOptions) {
    this.#options = options;
  }

  /** Tells a peer that a zone has changed (RFC 1996). Never throws. */
  async notify(
    peer: PeerTarget,
    zone: string,
    hint: SoaHint | undefined,
    signal: AbortSignal,
  ): Promise<NotifyOutcome> {
    const question = {
      kind: 'notify',
      zone: Name.parse(zone),
      ...(hint === undefined ? {} : { hint }),
    } as const;
    const result = await this.#ask(peer, question, signal);
    const outcome = notifyOutcome(result);
    this.counts.notifies[outcome.kind]++;
    return outcome;
  }

  /** Asks a peer which serial of a zone it serves. Never throws. */
  async soaSerial(peer: PeerTarget, zone: string, signal: AbortSignal): Promise<PollOutcome> {
    const name = Name.parse(zone);
    const result = await this.#ask(peer, { kind: 'query', zone: name }, signal);
    const outcome = pollOutcome(result, name);
    this.counts.polls[outcome.kind]++;
    return outcome;
  }

  /** While a key changes a peer may have its secret of before still, and that is tried where the new one is not accepted. */
  async #ask(peer: PeerTarget, question: ControlQuestion, signal: AbortSignal): Promise<AskResult> {
    const { key } = peer;
    const result = await this.#askBy(peer, key, question, signal);
    if (key?.previousSecretRef === undefined || isSettled(result)) return result;
    const before = { ...key, secretRef: key.previousSecretRef };
    const other = await this.#askBy(peer, before, question, signal);
    return other.kind === 'answer' || (other.kind === 'refused' && other.isProved) ? other : result;
  }

  async #askBy(
    { address, port }: PeerTarget,
    key: PeerKey | undefined,
    question: ControlQuestion,
    signal: AbortSignal,
  ): Promise<AskResult> {
    const { keys, clock, answerSeconds, secretSeconds, sourceIpv4, sourceIpv6 } = this.#options;
    let secret: TsigKey | undefined;
    if (key !== undefined) {
      try {
        secret = await withDeadline(keys.key(key), `TSIG key ${key.name}`, secretSeconds * 1000, signal);
      } catch (error) {
        return { kind: 'unable', problem: errorMessage(error) };
      }
    }
    const source = isIPv6(address) ? sourceIpv6 : sourceIpv4;
    const target = { address, port, source };
    return exchange({ target, question, key: secret, timeoutMs: answerSeconds * 1000, clock, signal });
  }
}

/** Whether another secret would change nothing: the peer knows this one, or says nothing whatever it is asked with. */
function isSettled(result: AskResult): boolean {
  return (
    result.kind === 'answer' || result.kind === 'silent' || (result.kind === 'refused' && result.isProved)
  );
}

type AskResult = ExchangeResult | { readonly kind: 'unable'; readonly problem: string };

function notifyOutcome(result: AskResult): NotifyOutcome {
  if (result.kind !== 'answer') return { kind: result.kind, problem: `${NOTIFY_PROBLEM}${result.problem}` };
  const { rcode } = result.message;
  if (rcode === RCODE.NOERROR) return { kind: 'accepted' };
  return { kind: 'refused', problem: `${NOTIFY_PROBLEM}${rcodeText(rcode)}` };
}

function pollOutcome(result: AskResult, zone: Name): PollOutcome {
  if (result.kind !== 'answer') return { kind: result.kind, problem: `SOA: ${result.problem}` };
  const serial = serialInAnswer(result.message, zone);
  if (typeof serial === 'number') return { kind: 'serial', serial };
  return { kind: 'refused', problem: `SOA: ${serial}` };
}
