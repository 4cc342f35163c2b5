import { z } from 'zod';
import { ALGORITHMS } from '../dnssec/algorithm.js';
import { ZonesealError } from '../errors.js';
import { unsafeTimes } from './policy-arithmetic.js';

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Seconds of a duration such as `14d`, `1h30m` or `3600`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (/^[0-9]+$/.test(text)) return Number(text);
  if (!/^([0-9]+[smhdw])+$/i.test(text)) return undefined;
  let seconds = 0;
  for (const [, count, unit] of text.matchAll(/([0-9]+)([smhdw])/gi)) {
    seconds += Number(count) * (UNITS[(unit as string).toLowerCase()] as number);
  }
  return seconds;
}

/** Seconds, written as a number or as a duration. */
export const durationSchema = z.union([z.number(), z.string()]).transform((value, context) => {
  const seconds = typeof value === 'number' ? value : parseDuration(value.trim());
  if (seconds === undefined || !Number.isSafeInteger(seconds) || seconds < 0) {
    context.addIssue({
      code: 'custom',
      message: `"${value}" is no duration; write seconds, or such as 1h30m or 14d`,
    });
    return z.NEVER;
  }
  return seconds;
});

const HOUR = 3600;
const DAY = 86_400;

/** The algorithm numbers Zoneseal signs with. */
export const SIGNING_ALGORITHMS = [8, 10, 13, 14, 15, 16] as const;

/** `8 (RSASHA256), …` */
function choices(): string {
  return SIGNING_ALGORITHMS.map((number) => `${number} (${ALGORITHMS.get(number)?.mnemonic})`).join(', ');
}

const nsec3Schema = z.strictObject({
  iterations: z.int().min(0).max(2500).default(0).describe('additional hash iterations (RFC 9276 wants 0)'),
  salt: z
    .string()
    .regex(/^(-|([0-9a-fA-F]{2}){0,255})$/, 'the salt is hexadecimal, or - for none')
    .transform((salt) => (salt === '-' ? '' : salt.toLowerCase()))
    .default('')
    .describe('salt in hexadecimal, - or empty for none'),
  optOut: z.boolean().default(false).describe('leave insecure delegations out of the chain'),
});

/** How a zone is signed: the document a policy row holds. */
export const policySchema = z
  .strictObject({
    algorithm: z
      .union(
        SIGNING_ALGORITHMS.map((number) => z.literal(number)),
        { error: `must be one of ${choices()}` },
      )
      .default(13)
      .describe('DNSSEC algorithm number of new keys: 8, 10, 13, 14, 15 or 16'),
    rsaBits: z.int().min(1024).max(4096).default(2048).describe('modulus size of new RSA keys'),
    keys: z.enum(['ksk+zsk', 'csk']).default('ksk+zsk').describe('which keys new zones get'),
    denial: z.enum(['nsec', 'nsec3']).default('nsec').describe('denial of existence'),
    nsec3: nsec3Schema.prefault({}),
    validity: durationSchema.default(14 * DAY).describe('lifetime of a signature from the start of its slot'),
    refresh: durationSchema.default(7 * DAY).describe('validity left at which a signature is made anew'),
    inceptionOffset: durationSchema.default(HOUR).describe('how far inception is set back; an hour or more'),
    dnskeyTtl: durationSchema.default(HOUR).describe('TTL of DNSKEY, CDS and CDNSKEY'),
    serial: z.enum(['unixtime', 'increment', 'date']).default('unixtime').describe('what new serials follow'),
    zonemd: z.boolean().default(false).describe('add a ZONEMD record (RFC 8976, SHA-384)'),
    signed: z
      .boolean()
      .default(true)
      .describe('false: the zone becomes insecure, safely, and is then served unsigned'),
    zskLifetime: durationSchema
      .default(90 * DAY)
      .describe('how long a ZSK signs before it is replaced; 0: until it is rolled by hand'),
    kskLifetime: durationSchema
      .default(0)
      .describe('how long a KSK or CSK is in use before it is replaced; 0: until it is rolled by hand'),
    kskRoll: z
      .enum(['double-signature', 'double-ds'])
      .default('double-signature')
      .describe('whether a new KSK is published before its DS is, or its DS before it is (RFC 7583)'),
    viewZsks: z.array(z.string()).default([]).describe('views that get ZSKs of their own'),
    propagationDelay: durationSchema
      .default(HOUR)
      .describe('until all nameservers have a new publication, peers that are not registered included'),
    publishSafety: durationSchema.default(HOUR).describe('added to every wait for caches'),
    parentDsTtl: durationSchema
      .default(DAY)
      .describe("the largest TTL of the DS RRset, and of the parent's negative answers"),
    parentPropagationDelay: durationSchema
      .default(HOUR)
      .describe("until all of the parent's nameservers have a new DS RRset"),
    cdsDigests: z
      .array(z.union([z.literal(2), z.literal(4)]))
      .default([2])
      .describe('digest types of CDS records: 2 (SHA-256), 4 (SHA-384); none: no CDS and no CDNSKEY'),
    cdnskey: z.boolean().default(true).describe('publish CDNSKEY beside CDS'),
    keyRetention: durationSchema
      .default(7 * DAY)
      .describe('how long the private half of a key that was taken out is kept'),
  })
  .superRefine((policy, context) => {
    const issue = (path: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [path], message });
    };
    if (policy.validity > 0x7fff_ffff / 2)
      issue('validity', 'is longer than RRSIG times can tell apart (34 years)');
    if (policy.inceptionOffset < HOUR)
      issue('inceptionOffset', 'must be an hour or more, for clocks that run behind');
    if (policy.refresh < 60) issue('refresh', 'must be a minute or more');
    for (const { setting, message } of unsafeTimes(policy)) issue(setting, message);
    if (policy.dnskeyTtl > 0x7fff_ffff) issue('dnskeyTtl', 'is beyond the largest TTL');
  });

/** A policy with every default filled in; durations in seconds. */
export type Policy = z.infer<typeof policySchema>;

/**
 * Reads a policy document.
 * @throws ZonesealError POLICY_INVALID naming each field that is wrong
 */
export function parsePolicy(name: string, document: unknown): Policy {
  const result = policySchema.safeParse(document);
  if (result.success) return result.data;
  const reasons = result.error.issues.map((i) => `${i.path.join('.') || 'policy'}: ${i.message}`).join('; ');
  throw new ZonesealError('POLICY_INVALID', `policy "${name}": ${reasons}`, { policy: name });
}
