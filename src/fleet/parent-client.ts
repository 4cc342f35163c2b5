import { isIPv6 } from 'node:net';
import type { Clock } from '../clock.js';
import { type Message, RCODE } from '../dns/message.js';
import { Name } from '../dns/name.js';
import { RRType } from '../dns/types.js';
import { judgeDsAnswer, soaMinimum } from '../dnssec/verify/ds-answer.js';
import { rcodeText } from './control-message.js';
import { type ExchangeResult, exchange } from './exchange.js';

/** Where a nameserver listens. */
export interface ParentServer {
  readonly address: string;
  readonly port: number;
}

/** A zone above others, as an operator told of it. */
export interface ParentZone {
  /** Absolute presentation format, lower case. */
  readonly name: string;
  /** All of its nameservers. */
  readonly servers: readonly ParentServer[];
  /** DS rdatas of its keys; answers have to be valid by them. None: answers are believed. */
  readonly anchors: readonly Uint8Array[];
}

/** What one nameserver of the parent said about the DS of a zone. */
export type DsSighting =
  /** The DS RRset, or that there is none. */
  | {
      readonly kind: 'seen';
      readonly ds: readonly Uint8Array[];
      /** Seconds; of the DS RRset, or of the answer that there is none (RFC 2308 §5); as signed where it is proved. */
      readonly ttl: number;
      /** Whether that is valid by a trust anchor. Else anyone on the way may have written it. */
      readonly isProved: boolean;
    }
  | { readonly kind: 'unknown'; readonly problem: string };

export interface ParentClientOptions {
  /** This host's clock: signatures are judged by it. */
  readonly clock: Clock;
  /** Seconds that an answer is waited for, over UDP and over TCP each. */
  readonly answerSeconds: number;
  /** Own addresses that messages are sent from; undefined: the system's choice. */
  readonly sourceIpv4: string | undefined;
  readonly sourceIpv6: string | undefined;
}

/**
 * No cache keeps anything longer, whatever the TTL says: RFC 8767 §4 recommends a cap of seven days, and resolvers come with that or a
 * lower one. Else one answer with a huge TTL, made up by someone on the way, would hold a roll for as long as it says.
 */
const MAX_TTL = 7 * 86_400;

/** Asks nameservers of parent zones, and tells them of changed CDS. */
export class ParentClient {
  readonly #options: ParentClientOptions;

  constructor(options: ParentClientOptions) {
    this.#options = options;
  }

  /**
   * Asks one nameserver of a zone's parent for the zone's DS (RFC 4035 §3.1.4.1: it is the parent's to answer), over TCP where UDP does
   * not suffice. An answer counts when it is the parent's own and, where there is a trust anchor, is valid by it. Never throws.
   */
  async findDs(
    zone: string,
    parent: ParentZone,
    server: ParentServer,
    signal: AbortSignal,
  ): Promise<DsSighting> {
    const [name, above] = [Name.parse(zone), Name.parse(parent.name)];
    const ask = (of: Name, type: number): Promise<ExchangeResult> => this.#ask(server, of, type, signal);
    const result = await ask(name, RRType.DS);
    if (result.kind !== 'answer') return { kind: 'unknown', problem: result.problem };
    const { message } = result;
    const problem = notAuthoritative(message, above);
    if (problem !== undefined) return { kind: 'unknown', problem };
    const said = sighting(message, name, above);
    if (parent.anchors.length > 0 && said.kind === 'seen') {
      const keys = await ask(above, RRType.DNSKEY);
      if (keys.kind !== 'answer') return { kind: 'unknown', problem: `DNSKEY: ${keys.problem}` };
      const verdict = judgeDsAnswer({
        parent: above,
        zone: name,
        anchors: parent.anchors,
        dnskeys: keys.message.answer,
        answer: message.answer,
        authority: message.authority,
        now: this.#options.clock.seconds(),
      });
      if (verdict.kind === 'unproved') return { kind: 'unknown', problem: verdict.problem };
      return { ...said, ttl: Math.min(verdict.ttl, MAX_TTL), isProved: true };
    }
    return said;
  }

  /**
   * Tells a parent's agent that a zone's CDS or CDNSKEY has changed (RFC 9859 §3); undefined when it has heard, else why not. Never throws.
   */
  async notifyCds(zone: string, target: ParentServer, signal: AbortSignal): Promise<string | undefined> {
    const question = { kind: 'notify', zone: Name.parse(zone), type: RRType.CDS } as const;
    const result = await exchange({ ...this.#common(target, signal), question });
    if (result.kind !== 'answer') return result.problem;
    const { rcode } = result.message;
    return rcode === RCODE.NOERROR ? undefined : rcodeText(rcode);
  }

  #ask(server: ParentServer, zone: Name, type: number, signal: AbortSignal): Promise<ExchangeResult> {
    const question = { kind: 'query', zone, type, dnssec: true } as const;
    return exchange({ ...this.#common(server, signal), question });
  }

  #common({ address, port }: ParentServer, signal: AbortSignal) {
    const { clock, answerSeconds, sourceIpv4, sourceIpv6 } = this.#options;
    const source = isIPv6(address) ? sourceIpv6 : sourceIpv4;
    const target = { address, port, source };
    return { target, key: undefined, timeoutMs: answerSeconds * 1000, clock, signal };
  }
}

/** Why an answer is not that of the parent; undefined when it is. */
function notAuthoritative(message: Message, parent: Name): string | undefined {
  if (message.rcode !== RCODE.NOERROR && message.rcode !== RCODE.NXDOMAIN) return rcodeText(message.rcode);
  if (!message.aa) return 'an answer that is not authoritative';
  const soa = message.authority.find(({ type }) => type === RRType.SOA);
  // a server that has the zone as well must not answer for the zone itself (RFC 4035 §3.1.4.1)
  if (soa !== undefined && !soa.owner.equals(parent))
    return `an answer from ${soa.owner} in place of ${parent}`;
  return undefined;
}

/** What an answer says, if it is believed. */
function sighting(message: Message, zone: Name, parent: Name): DsSighting {
  const ds = message.answer.filter(({ owner, type }) => type === RRType.DS && owner.equals(zone));
  const seen = (rdata: readonly Uint8Array[], ttl: number): DsSighting => {
    return { kind: 'seen', ds: rdata, ttl: Math.min(ttl, MAX_TTL), isProved: false };
  };
  if (ds.length > 0) {
    return seen(
      ds.map(({ rdata }) => rdata),
      Math.max(...ds.map(({ ttl }) => ttl)),
    );
  }
  const soa = message.authority.find(({ type, owner }) => type === RRType.SOA && owner.equals(parent));
  if (soa === undefined || message.answer.length > 0)
    return { kind: 'unknown', problem: 'an answer with neither DS nor SOA' };
  return seen([], Math.min(soa.ttl, soaMinimum(soa.rdata)));
}
