import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errorMessage, ZonesealError } from '../../errors.js';

const file = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+-]*$/, 'is no plain file name');

const manifestSchema = z.object({
  secrets: z.array(
    z.object({
      id: z.uuid(),
      name: z.string(),
      file,
      secretType: z.enum(['private', 'symmetric', 'passphrase', 'opaque']),
      contentType: z.enum(['text/plain', 'application/octet-stream', 'application/pkcs8']),
      algorithm: z.string().optional(),
      bitLength: z.int().optional(),
      metadata: z.record(z.string(), z.string()).default({}),
    }),
  ),
  keys: z.array(
    z.object({
      zone: z.string(),
      role: z.enum(['KSK', 'ZSK', 'CSK']),
      algorithm: z.int(),
      keyTag: z.int(),
      flags: z.int(),
      publicKey: z.base64(),
      secret: z.uuid(),
    }),
  ),
  tsigKeys: z.array(
    z.object({
      name: z.string(),
      algorithm: z.literal('hmac-sha256'),
      secret: z.uuid(),
      /** For dig -k and the configuration of BIND. */
      file,
      /** For kdig -k. */
      kdigFile: file,
    }),
  ),
});

/** What a folder of development keys holds: secrets under stable ids, and the DNSSEC and TSIG keys that they belong to. */
export type DevelopmentManifest = z.infer<typeof manifestSchema>;

/**
 * Reads the manifest.json of a folder of development keys.
 * @throws ZonesealError KEYSTORE_CONFIG_INVALID
 */
export async function readManifest(folder: string): Promise<DevelopmentManifest> {
  const path = join(folder, 'manifest.json');
  try {
    return manifestSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    throw new ZonesealError(
      'KEYSTORE_CONFIG_INVALID',
      `the development keys, ${path}: ${errorMessage(error)}`,
    );
  }
}
