import { algorithmToText } from '../dnssec/algorithm.js';
import type { KeyRole, ZoneKey } from '../keys/key-set.js';
import type { ManagedKey } from '../keys/rollover/model.js';
import { timeText } from '../keys/rollover/words.js';

/** A key without anything secret, for a program. */
export function keyJson(key: ZoneKey): object {
  const { id, zone, role, algorithm, keyTag, flags, publicKey, secretRef, secretExpires } = key;
  const { view, signs, published } = key;
  const text = Buffer.from(publicKey).toString('base64');
  const expires = secretExpires === undefined ? {} : { secretExpires: timeText(secretExpires) };
  return {
    id,
    zone,
    role,
    algorithm,
    keyTag,
    flags,
    publicKey: text,
    secretRef,
    ...expires,
    view,
    signs,
    published,
  };
}

/** The same with what is wanted of it: what it does in a roll, and what it is to become. */
export function managedKeyJson(key: ManagedKey): object {
  const { parent, keySetsOnly, goal, createdAt, activeAt, removedAt } = key;
  const time = (seconds: number | null): string | null => (seconds === null ? null : timeText(seconds));
  const times = { createdAt: time(createdAt), activeAt: time(activeAt), removedAt: time(removedAt) };
  return { ...keyJson(key), keySetsOnly, parent, goal, ...times };
}

/** `KSK 12345 (ECDSAP256SHA256)` */
export function keyText(key: { role: KeyRole; keyTag: number; algorithm: number }): string {
  return `${key.role} ${key.keyTag} (${algorithmToText(key.algorithm)})`;
}
