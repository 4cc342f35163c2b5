/**
 * Makes test/vectors/verify/*.zone: a zone of tricky names signed by three other programs, for the verifier's unit tests.
 * `npx tsx interop/codecs/make-verify-vectors.ts` (Debian 12: dnssec-signzone 9.18, ldns-signzone 1.8, kzonesign 3.2).
 * The keys are thrown away. The signatures are valid at VECTOR_NOW of test/dnssec/verify/vectors.ts.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { VECTOR_NOW, VECTORS } from '../../test/dnssec/verify/vectors.js';
import { signWith } from './signers.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const out = path.join(root, 'test/vectors/verify');
const file = path.join(root, 'test/vectors/dnssec/tricky.zone');
const work = await mkdtemp(path.join(tmpdir(), 'zoneseal-vectors-'));
await mkdir(out, { recursive: true });
for (const { name, signer, ...job } of VECTORS) {
  const times = { inception: VECTOR_NOW - 86_400, expiration: VECTOR_NOW + 30 * 86_400 };
  const { text, command } = await signWith(signer, work, { apex: 'example', file, ...times, ...job });
  const records = text
    .split('\n')
    .filter((line) => !line.startsWith(';'))
    .join('\n');
  const head = `; Made by interop/codecs/make-verify-vectors.ts with ${command}, algorithms ${job.algorithms.join(', ')}.\n`;
  await writeFile(path.join(out, `${name}.zone`), head + records);
}
await rm(work, { recursive: true });
