import type { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import { zonemdRdata } from '../dnssec/zonemd.js';
import { type EarlierNodes, NOTHING_EARLIER } from './earlier-nodes.js';
import type { SignedRRset, SourceNode } from './signed-node.js';
import { type SignedStep, type SignerKey, SigningStage, type StageInput } from './signing-stage.js';
import { type StreamInput, streamZone } from './zone-stream.js';

export type { SignedStep, SignerKey };

/** What a signed variant of a zone follows from besides its nodes. */
export interface SigningInput extends StreamInput, Omit<StageInput, 'policy'> {
  /** What was signed before and may serve again. */
  readonly earlier?: EarlierNodes;
  /**
   * The digest over everything that was yielded so far (RFC 8976 §3.3), asked for once, after the denial chain, where the
   * policy wants ZONEMD. Owners were yielded in canonical order, and then those of the NSEC3 chain in canonical order.
   */
  readonly digest?: () => Promise<Uint8Array>;
}

/** What is known when the last node has been yielded. */
export interface SigningResult {
  /** The SOA as published, signed where the zone is: it opens and closes a transfer. */
  readonly soa: SignedRRset;
  /** The ZONEMD RRset, signed, where the policy wants one. It comes before the closing SOA. */
  readonly zonemd: SignedRRset | undefined;
  /** When the first RRset leaves its slot, seconds since 1970; infinite where the zone is unsigned. */
  readonly resignAt: number;
  /** Records of all nodes, RRSIGs counted, ZONEMD among them, the closing SOA not. */
  readonly records: number;
  /** Signatures made, and signatures that served again. */
  readonly signatures: number;
  readonly reused: number;
}

/**
 * The signed variant of a zone as a stream, the apex first: its nodes in canonical order, each with its RRSIGs and NSEC,
 * then the NSEC3 chain; ZONEMD is in the result. Order is kept whatever order workers finish in; a bounded number of blocks
 * is under way.
 * @throws ZonesealError of the chains, of the signer, and ZONE_INVALID when there is no apex
 */
export async function* signZone(
  nodes: AsyncIterable<readonly SourceNode[]>,
  input: SigningInput,
): AsyncGenerator<readonly SignedStep[], SigningResult, undefined> {
  const { policy, zone, earlier } = input;
  const stage = new SigningStage(input);
  let soa: SignedRRset | undefined;
  const noted = (steps: readonly SignedStep[]): readonly SignedStep[] => {
    soa ??= steps[0]?.node.rrsets.find(({ rrset }) => rrset.type === RRType.SOA);
    return steps;
  };
  try {
    for await (const batch of streamZone(nodes, input)) {
      for (const node of batch) {
        const found = earlier?.find(node) ?? NOTHING_EARLIER;
        stage.add(node, found instanceof Promise ? await found : found);
        while (stage.hasReady) yield noted(await stage.finishEldest());
      }
    }
    for (stage.submit(); stage.isBusy; ) yield noted(await stage.finishEldest());
    if (soa === undefined) throw new Error('a zone has an apex');
    const zonemd = policy.zonemd ? await signDigest(stage, zone, soa.rrset, input) : undefined;
    const { resignAt, records, signatures, reused } = stage;
    return { soa, zonemd, resignAt, records, signatures, reused };
  } finally {
    await stage.abandon();
  }
}

async function signDigest(
  stage: SigningStage,
  zone: Name,
  soa: RRset,
  { digest, serial }: SigningInput,
): Promise<SignedRRset> {
  if (digest === undefined) throw new Error('a ZONEMD policy needs a digest');
  return stage.signOne({
    owner: zone,
    type: RRType.ZONEMD,
    ttl: soa.ttl,
    rdata: [zonemdRdata(serial, await digest())],
  });
}
