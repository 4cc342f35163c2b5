import type { Clock } from '../clock.js';
import type { Message } from '../dns/message.js';
import {
  parseTsigAlgorithm,
  type TsigFailure,
  type TsigKey,
  tsigAlgorithmOf,
  verifyRequest,
} from '../dns/tsig.js';
import type { TsigKeyEntry, TsigKeySource } from './ports.js';

/** Who sent a request, as far as its TSIG says. */
export type Authentication =
  | { readonly status: 'none' }
  | { readonly status: 'ok'; readonly entry: TsigKeyEntry; readonly key: TsigKey; readonly mac: Uint8Array }
  | TsigFailure;

/**
 * Checks the TSIG of a request. A secret is asked for only when the key is configured and the request names its algorithm.
 * @param secretOf how a secret is got, time limit included
 * @throws what `secretOf` throws
 */
export async function authenticate(
  octets: Uint8Array,
  query: Message,
  keys: Pick<TsigKeySource, 'find'>,
  secretOf: (entry: TsigKeyEntry) => Promise<Uint8Array>,
  clock: Clock,
): Promise<Authentication> {
  if (query.tsig === undefined) return { status: 'none' };
  const entry = keys.find(query.tsig.keyName);
  const algorithm = entry === undefined ? undefined : parseTsigAlgorithm(entry.algorithm);
  const isAsked = algorithm !== undefined && tsigAlgorithmOf(query.tsig.algorithmName) === algorithm;
  let key: TsigKey | undefined;
  if (entry !== undefined && isAsked) key = { name: entry.name, algorithm, secret: await secretOf(entry) };
  const check = verifyRequest(octets, query, () => key, clock.seconds());
  if (check.status !== 'ok') return check;
  return { ...check, entry: entry as TsigKeyEntry };
}
