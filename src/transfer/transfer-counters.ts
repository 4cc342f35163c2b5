import { RCODE } from '../dns/message.js';
import { TSIG_ERROR } from '../dns/tsig.js';

/** How a transfer ended: whole; by a fault here; by the client going away or being too slow; never begun, for there were too many. */
export type TransferOutcome = 'completed' | 'failed' | 'abandoned' | 'refused';

/** What the transfer protocol has done since the start, for metrics. */
export interface TransferCounts {
  readonly requests: number;
  /** Requests that got no answer. */
  readonly silences: number;
  /** Answers that are not a transfer, by the text of their RCODE. */
  readonly answers: Readonly<Record<string, number>>;
  /** Requests whose TSIG was not accepted, by the text of the TSIG error. */
  readonly tsigFailures: Readonly<Record<string, number>>;
  readonly transfers: Readonly<Record<TransferOutcome, number>>;
  /** Octets of messages handed to sockets by transfers, TSIG included. */
  readonly transferOctets: number;
}

const rcodeTexts = textsOf(RCODE);
const tsigErrorTexts = textsOf(TSIG_ERROR);

/** Collects TransferCounts. */
export class TransferCounters implements TransferCounts {
  requests = 0;
  silences = 0;
  transferOctets = 0;
  readonly answers: Record<string, number> = {};
  readonly tsigFailures: Record<string, number> = {};
  readonly transfers: Record<TransferOutcome, number> = { completed: 0, failed: 0, abandoned: 0, refused: 0 };

  countAnswer(rcode: number): void {
    increment(this.answers, rcodeTexts.get(rcode) ?? `RCODE${rcode}`);
  }

  countTsigFailure(tsigError: number): void {
    increment(this.tsigFailures, tsigErrorText(tsigError));
  }
}

/** The mnemonic of a TSIG error; FORMERR where the record itself was at fault. */
export function tsigErrorText(tsigError: number): string {
  return tsigErrorTexts.get(tsigError) ?? 'FORMERR';
}

function increment(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}

function textsOf(values: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(values).map(([text, value]) => [value, text]));
}
