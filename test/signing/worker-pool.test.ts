import { generateKeyPairSync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { BatchWriter, SignedReader } from '../../src/signing/batch.js';
import { WorkerPool } from '../../src/signing/worker-pool.js';

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function block(handle: number): Uint8Array {
  const writer = new BatchWriter();
  const at = writer.reserve(handle, 2, 5);
  writer.octets.fill(7, at, at + 5);
  return writer.take();
}

describe('signing workers', () => {
  it('end at any time: while they start, load what they sign with, and sign', async () => {
    for (let i = 0; i < 30; i++) {
      const pool = new WorkerPool(2);
      const handle = pool.register({ key: privateKey, algorithm: 13 });
      const signing = Array.from({ length: 4 }, () => pool.sign(block(handle)).catch(({ code }) => code));
      // loading takes some 30 to 80 ms here; a thread that is ended from outside then ends the process
      await sleep(i * 4);
      await pool.close();
      for (const signed of await Promise.all(signing)) {
        if (signed instanceof Uint8Array) expect(new SignedReader(signed).next()).toHaveLength(2 + 64);
        else expect(signed).toBe('SIGNER_CLOSED');
      }
    }
  }, 60_000);
});
