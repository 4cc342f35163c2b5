import { formatRecord } from '../dns/master-writer.js';
import type { Name } from '../dns/name.js';
import { RRType } from '../dns/types.js';
import { ZonesealError } from '../errors.js';
import type { FolderKeys } from '../keys/key-folder.js';
import { signingKeys, type ZoneKey } from '../keys/key-set.js';
import { isUnsigned, keySetRrsets } from '../keys/key-set-records.js';
import type { Policy } from '../keys/policy.js';
import { StreamDigest } from '../signing/node-digest.js';
import { type SignerKey, type SigningResult, signZone } from '../signing/sign-zone.js';
import { inTransferOrder, keyPrint, type SignedRRset } from '../signing/signed-node.js';
import type { Signer } from '../signing/signer.js';
import { WorkerPool } from '../signing/worker-pool.js';
import type { ZoneNode } from '../zone/node.js';
import type { Progress } from './progress.js';
import type { TextSink } from './terminal.js';

/** What a signed master file is made of. */
export interface SignedOutput {
  readonly zone: Name;
  /** The view whose keys sign; null for a zone without views. */
  readonly view: string | null;
  readonly nodes: AsyncIterable<readonly ZoneNode[]>;
  readonly found: FolderKeys;
  /** Whether CDS and CDNSKEY ask for all DS to go; left out: they do not. */
  readonly deleteSentinel?: boolean;
  readonly policy: Policy;
  /** Seconds since 1970. */
  readonly time: number;
  readonly serial: number;
  readonly sink: TextSink;
  /** Signing threads. */
  readonly workers: number;
}

/** Signs nodes, where the policy wants that, and writes the records as they come, the SOA first, each RRset followed by its signatures. */
export async function writeSignedZone(output: SignedOutput): Promise<SigningResult> {
  const { zone, view, nodes, found, policy, time, serial, sink, workers, deleteSentinel = false } = output;
  const keySet = { keys: found.keys, deleteSentinel };
  const roles = signingKeys(found.keys, view);
  const keyRrsets = keySetRrsets(keySet, zone, policy);
  if (keyRrsets.length === 0 && !isUnsigned(keySet, policy))
    throw new ZonesealError('KEY_SET_INVALID', `zone ${zone}: no key is published`);
  const signer = new WorkerPool(workers);
  try {
    const digest = policy.zonemd ? new StreamDigest(zone, policy.denial) : undefined;
    const signed = signZone(nodes, {
      zone,
      time,
      serial,
      policy,
      keyRrsets,
      keySigning: registerKeys(roles.keySigning, found, signer),
      zoneSigning: registerKeys(roles.zoneSigning, found, signer),
      signer,
      ...(digest === undefined ? {} : { digest: () => digest.finish() }),
    });
    for (;;) {
      const next = await signed.next();
      if (next.done === true) {
        if (next.value.zonemd !== undefined) await sink.write(formatSigned(next.value.zonemd));
        return next.value;
      }
      let text = '';
      for (const { node } of next.value) {
        digest?.add(node);
        text += inTransferOrder(node).map(formatSigned).join('');
      }
      await sink.write(text);
    }
  } finally {
    await signer.close();
  }
}

/** Nodes that are counted on their way. */
export async function* countNodes(
  nodes: AsyncIterable<readonly ZoneNode[]>,
  progress: Progress,
): AsyncGenerator<readonly ZoneNode[], void, undefined> {
  let count = 0;
  for await (const batch of nodes) {
    yield batch;
    count += batch.length;
    progress.update(count);
  }
}

function registerKeys(keys: readonly ZoneKey[], { privateKeys }: FolderKeys, signer: Signer): SignerKey[] {
  return keys.map(({ id, algorithm, keyTag, publicKey }) => {
    const key = privateKeys.get(id);
    if (key === undefined) throw new Error(`no private key for ${id}`);
    return { handle: signer.register({ key, algorithm }), algorithm, keyTag, print: keyPrint(publicKey) };
  });
}

/** An RRset and the signatures over it as lines of a master file. */
export function formatSigned({ rrset, signatures }: SignedRRset): string {
  const { owner, ttl, type } = rrset;
  let text = '';
  for (const rdata of rrset.rdata) text += `${formatRecord(owner, ttl, type, rdata)}\n`;
  for (const rdata of signatures) text += `${formatRecord(owner, ttl, RRType.RRSIG, rdata)}\n`;
  return text;
}
