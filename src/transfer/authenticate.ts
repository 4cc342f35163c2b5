import type { Clock } from '../clock.js';
import type { Message } from '../dns/message.js';
import {
  parseTsigAlgorithm,
  TSIG_ERROR,
  type TsigFailure,
  type TsigKey,
  type TsigRequestCheck,
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
  if (entry === undefined || !isAsked) return refuse(octets, query, clock);
  return authenticateBy(entry, secretOf, (secret) => {
    const key = { name: entry.name, algorithm, secret };
    return verifyRequest(octets, query, () => key, clock.seconds());
  });
}

function refuse(octets: Uint8Array, query: Message, clock: Clock): TsigFailure {
  return verifyRequest(octets, query, () => undefined, clock.seconds()) as TsigFailure;
}

/** Tries the secrets of a key until one is that of the request; during a change there are two. */
async function authenticateBy(
  entry: TsigKeyEntry,
  secretOf: (entry: TsigKeyEntry) => Promise<Uint8Array>,
  verify: (secret: Uint8Array) => TsigRequestCheck,
): Promise<Authentication> {
  const { nextSecretRef } = entry;
  const entries = nextSecretRef === undefined ? [entry] : [entry, { ...entry, secretRef: nextSecretRef }];
  const pending = entries.map(secretOf);
  // none is waited for longer than it takes to find the right one
  for (const each of pending) each.catch(() => undefined);
  let refused: TsigFailure | undefined;
  let missing: unknown;
  for (const each of pending) {
    let secret: Uint8Array;
    try {
      secret = await each;
    } catch (error) {
      missing ??= error;
      continue;
    }
    const check = verify(secret);
    if (check.status === 'ok') return { ...check, entry };
    if (check.status === 'error' && check.tsigError !== TSIG_ERROR.BADSIG) return check;
    if (check.status === 'error') refused = check;
  }
  // it may have been made with the one that cannot be had
  if (missing !== undefined) throw missing;
  return refused as TsigFailure;
}
