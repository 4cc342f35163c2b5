import { beforeEach, describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import type { RRset } from '../../src/dns/record.js';
import { RRType } from '../../src/dns/types.js';
import { nsecRdata } from '../../src/dnssec/nsec.js';
import { splitNsec3 } from '../../src/dnssec/nsec3.js';
import { generateKey } from '../../src/keys/generate.js';
import type { ZoneKey } from '../../src/keys/key-set.js';
import { parsePolicy } from '../../src/keys/policy.js';
import { pagesOf } from '../../src/publication/page-builder.js';
import type { Publication, StoredPage } from '../../src/publication/ports.js';
import { FORMAT_VERSION, produce } from '../../src/publication/produce.js';
import { readRules } from '../../src/publication/rules.js';
import type { Update, UpdateInput } from '../../src/publication/seal-update.js';
import { makeUpdate } from '../../src/publication/update.js';
import { passUpdateGate, type UpdateGateInput } from '../../src/publication/update-gate.js';
import { unpackPage } from '../../src/signing/page-codec.js';
import { keyPrint, type SignedNode, type SignedRRset } from '../../src/signing/signed-node.js';
import type { ZoneRow } from '../../src/zone/row.js';
import { DigestSigner } from '../lib/digest-signer.js';
import { MemoryPublicationStore } from '../lib/memory-publication-store.js';

const ZONE = 'z.';
const zone = Name.parse(ZONE);
const made = await generateKey({ algorithm: 13, role: 'CSK' });
const key: ZoneKey = {
  ...made,
  id: '1',
  zone: ZONE,
  secretRef: 'x',
  view: null,
  signs: true,
  published: true,
};

function row(owner: string, type: string, ...data: string[]): ZoneRow {
  return { owner, sortKey: Name.parse(owner).sortKey(), type, ttl: 300, data, views: null };
}

const rowsOf = (...names: string[]): ZoneRow[] => [
  row(ZONE, 'NS', 'ns.z.'),
  row(ZONE, 'SOA', 'ns.z. host.z. 1 3600 600 86400 300'),
  ...names.toSorted().map((name) => row(`${name}.z.`, 'A', '192.0.2.1')),
];

interface Sample {
  readonly input: UpdateInput;
  readonly update: Update;
}

/** An update by which b goes, d comes, and the apex changes. */
async function sample(denial: 'nsec' | 'nsec3'): Promise<Sample> {
  const store = new MemoryPublicationStore(ZONE, 'internal');
  store.policy = parsePolicy('default', { denial });
  store.keySet = [key];
  const signer = new DigestSigner();
  const allocate = async (): Promise<Publication> => {
    const nextSerial = (): number => store.publications.length + 1;
    const allocation = await store.allocate(store.zone, { formatVersion: FORMAT_VERSION, nextSerial });
    if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
    return allocation.publication;
  };
  store.rows = rowsOf('a', 'b', 'c', 'e', 'ns');
  const first = await allocate();
  const { result } = await produce(
    { publication: first, gateway: 'g', image: undefined, distrusted: new Set() },
    { store, signer, keyRing: { privateKeys: () => Promise.resolve(new Map()) } },
  );
  await store.markReady(first.id, 'g', result);
  store.version++;
  store.now += 10;
  store.rows = [...rowsOf('a', 'c', 'd', 'e', 'ns'), row(ZONE, 'TXT', 'new')].sort((a, b) =>
    Buffer.compare(a.sortKey, b.sortKey),
  );
  const publication = await allocate();
  const { algorithm, keyTag, publicKey } = key;
  const keys = [{ handle: 1, algorithm, keyTag, print: keyPrint(publicKey) }];
  const input: UpdateInput = {
    ...(await readRules(publication, store)),
    publication,
    base: (await store.newestReady()) as Publication,
    siblings: [],
    abandoned: [],
    touched: [zone, Name.parse('b.z.'), Name.parse('d.z.')].map((name) => name.sortKey()),
    expiring: [],
    keySigning: keys,
    zoneSigning: keys,
    signer,
  };
  return { input, update: (await makeUpdate(input, store)) as Update };
}

/** The update with the nodes of its pages written otherwise. */
function rewritten(
  { changes, ...update }: Update,
  change: (node: SignedNode) => SignedNode | undefined,
): Update {
  const pages = changes.pages.flatMap(({ content }) =>
    pagesOf(
      unpackPage(content, zone).flatMap((node) => change(node) ?? []),
      zone,
    ),
  );
  return { ...update, changes: { ...changes, pages } };
}

const rrsets =
  (owner: string | undefined, change: (signed: SignedRRset) => SignedRRset | undefined) =>
  (node: SignedNode): SignedNode =>
    owner !== undefined && node.name.toString() !== owner
      ? node
      : { ...node, rrsets: node.rrsets.flatMap((signed) => change(signed) ?? []) };

const ofType =
  (type: number, change: (rrset: RRset, signed: SignedRRset) => Partial<SignedRRset> | undefined) =>
  (signed: SignedRRset): SignedRRset | undefined => {
    if (signed.rrset.type !== type) return signed;
    const changed = change(signed.rrset, signed);
    return changed && { ...signed, ...changed };
  };

const pointing = (owner: string, to: string) =>
  rrsets(
    owner,
    ofType(RRType.NSEC, (rrset) => ({
      rrset: { ...rrset, rdata: [nsecRdata(Name.parse(to), Uint8Array.of(0, 1, 0x40))] },
    })),
  );

describe('the gate of updates', () => {
  let given: Sample;
  beforeEach(async () => {
    given = await sample('nsec');
  });
  const gate = (input: Partial<UpdateGateInput>, update: Update): Promise<void> =>
    passUpdateGate({ ...given.input, denial: given.input.policy.denial, ...input }, update);
  const refuses = async (input: Partial<UpdateGateInput>, update: Update, reason: RegExp): Promise<void> => {
    await expect(gate(input, update)).rejects.toMatchObject({
      code: 'PUBLICATION_REFUSED_BY_GATE',
      message: expect.stringMatching(reason),
      fields: { zone: ZONE, view: 'internal', serial: 2 },
    });
  };

  it('lets through what was made, and names zone, view and serial of what it refuses', async () => {
    await gate({}, given.update);
    const { publication } = given.input;
    const other = { ...publication, serial: 3 };
    await expect(gate({ publication: other }, given.update)).rejects.toThrow(
      'zone z. in view internal, serial 3: the SOA says serial 2; the publication before it goes on being served',
    );
  });

  it('holds the SOA to the publication: its serial, after the one before, signed by each key for its time', async () => {
    const { input, update } = given;
    const { publication, base, zoneSigning } = input;
    await refuses({ base: { ...base, serial: 2 } }, update, /does not come after 2/);
    const { soa } = update.result;
    const unsigned = { ...update, result: { ...update.result, soa: { ...soa, signatures: [] } } };
    await refuses({}, unsigned, /its SOA has no signature by key/);
    await refuses({ zoneSigning: [] }, update, /its SOA has no signature/);
    const more = [...zoneSigning, { handle: 2, algorithm: 13, keyTag: 1, print: 1 }];
    await refuses({ zoneSigning: more }, update, /no signature by key 1/);
    const late = { ...publication, time: publication.time + 90 * 86_400 };
    await refuses({ publication: late }, update, /not valid at its time/);
    const early = { ...publication, time: publication.time - 90 * 86_400 };
    await refuses({ publication: early }, update, /not valid at its time/);
  });

  it('refuses signatures that are too old already', async () => {
    const { update } = given;
    const pages = update.changes.pages.map((page) => ({
      ...page,
      expires: given.input.publication.time + given.input.policy.refresh,
    }));
    await refuses({}, { ...update, changes: { ...update.changes, pages } }, /too old already/);
  });

  it('holds the journal to the pages, and the number of records to both', async () => {
    const { update } = given;
    const { changes, result } = update;
    await refuses({}, { ...update, changes: { ...changes, journal: [] } }, /its journal says/);
    await refuses(
      {},
      { ...update, changes: { ...changes, journal: changes.journal.slice(1) } },
      /its journal/,
    );
    await refuses({}, { ...update, result: { ...result, journal: undefined } }, /its journal says/);
    await refuses({}, { ...update, result: { ...result, records: result.records + 1 } }, /records where/);
    await refuses({}, { ...update, changes: { ...changes, pages: [], replaced: [] } }, /its journal says/);
    const shorter = rewritten(
      update,
      rrsets(
        'e.z.',
        ofType(RRType.A, () => undefined),
      ),
    );
    await refuses({}, shorter, /its journal says/);
  });

  it('refuses what has no signature and is to have one, and a signature where there is to be none', async () => {
    const bare = rewritten(
      given.update,
      rrsets(
        'e.z.',
        ofType(RRType.A, () => ({ signatures: [], prints: [] })),
      ),
    );
    await refuses({}, bare, /e\.z\. has an RRset of type 1 without signature/);
    const occluded = rewritten(given.update, (node) =>
      node.name.toString() === 'e.z.' ? { ...node, kind: 'occluded' } : node,
    );
    await refuses({}, occluded, /does not lead to it|not the zone's to make/);
  });

  it('refuses an apex without the DNSKEY RRset of the key set, and no apex', async () => {
    const { update, input } = given;
    await refuses(
      {},
      rewritten(
        update,
        rrsets(
          ZONE,
          ofType(RRType.DNSKEY, () => undefined),
        ),
      ),
      /RRset of type 48/,
    );
    const [dnskeys] = input.keyRrsets as [RRset];
    const rdata = dnskeys.rdata.map((octets) => Uint8Array.from(octets, (octet) => octet ^ 1));
    await refuses({ keyRrsets: [{ ...dnskeys, rdata }] }, update, /RRset of type 48/);
    const headless = rewritten(update, (node) => (node.kind === 'apex' ? undefined : node));
    await refuses({}, headless, /it has no apex/);
  });

  it('refuses what is signed of a zone that is to be unsigned', async () => {
    const unsigned = { keyRrsets: [], zoneSigning: [], denial: 'none' } as const;
    await refuses(unsigned, given.update, /is to be unsigned/);
    const { result } = given.update;
    const bare = { ...given.update, result: { ...result, soa: { ...result.soa, signatures: [] } } };
    await refuses(unsigned, bare, /not the zone's to make/);
  });

  it('refuses an NSEC chain that does not lead on', async () => {
    const { update } = given;
    await refuses({}, rewritten(update, pointing('a.z.', 'd.z.')), /does not lead to it/);
    await refuses({}, rewritten(update, pointing('ns.z.', 'a.z.')), /leads back/);
    await refuses({}, rewritten(update, pointing('ns.z.', 'x.z.')), /does not close/);
    const without = rewritten(
      update,
      rrsets(
        'd.z.',
        ofType(RRType.NSEC, () => undefined),
      ),
    );
    await refuses({}, without, /does not lead to it|has no denial/);
    await refuses({ denial: 'nsec3' }, update, /denial record of another kind/);
  });

  it('refuses an NSEC chain that passes by a name across pages that it does not look at', async () => {
    const { update } = given;
    // pages of one name each, of which those of c and d are written: c leads to d, d to e
    const single = (node: SignedNode): StoredPage => ({
      ...(pagesOf([node], zone)[0] as StoredPage),
      since: '1',
      nextKey: null,
    });
    const nodes = update.changes.pages.flatMap(({ content }) => unpackPage(content, zone));
    const named = (name: string): SignedNode => nodes.find((it) => it.name.toString() === name) as SignedNode;
    const old = pointing('c.z.', 'e.z.')(named('c.z.'));
    const written = (...pages: SignedNode[]): Update => ({
      ...update,
      changes: { ...update.changes, replaced: [single(old)], pages: pages.map(single) },
    });
    // right but for the journal, which is of the real one
    await refuses({}, written(named('c.z.'), named('d.z.')), /its journal says/);
    await refuses({}, written(old, named('d.z.')), /names that came and went/);
    await refuses({}, written(named('c.z.')), /names that came and went/);
    await refuses({}, written(named('d.z.'), named('c.z.')), /out of order/);
  });

  it('refuses an NSEC3 chain that does not lead on', async () => {
    given = await sample('nsec3');
    const { update } = given;
    await gate({}, update);
    const chain = update.changes.pages
      .filter((page) => page.chain)
      .flatMap(({ content }) => unpackPage(content, zone));
    const nextOf = ({ rrsets: [first] }: SignedNode): Uint8Array =>
      splitNsec3(first?.rrset.rdata[0] as Uint8Array).next;
    const other = (node: SignedNode, next: Uint8Array): SignedNode =>
      rrsets(
        undefined,
        ofType(RRType.NSEC3, (rrset) => {
          const rdata = Uint8Array.from(rrset.rdata[0] as Uint8Array);
          splitNsec3(rdata).next.set(next);
          return { rrset: { ...rrset, rdata: [rdata] } };
        }),
      )(node);
    const [first, second] = chain as [SignedNode, SignedNode];
    const last = chain.at(-1) as SignedNode;
    const is = (node: SignedNode) => (it: SignedNode) => it.name.equals(node.name);
    const skipping = rewritten(update, (node) => (is(first)(node) ? other(node, nextOf(second)) : node));
    await refuses({}, skipping, /does not lead to it/);
    const open = rewritten(update, (node) =>
      is(last)(node) ? other(node, new Uint8Array(20).fill(255)) : node,
    );
    await refuses({}, open, /does not close/);
    await refuses(
      {},
      rewritten(update, (node) => (is(second)(node) ? undefined : node)),
      /does not lead to it/,
    );
  });
});
