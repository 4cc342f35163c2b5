import { Name } from '../dns/name.js';
import { RRType } from '../dns/types.js';
import { errorMessage, ZonesealError } from '../errors.js';
import type { KeyRing } from '../keys/key-ring.js';
import { dnskeyRrset, signingKeys, type ZoneKey } from '../keys/key-set.js';
import { checkKeySet } from '../keys/key-set-check.js';
import type { SigningKey } from '../signing/batch.js';
import { RecordingSigner, ReplayingSigner } from '../signing/recorded.js';
import { type SignerKey, type SigningResult, signZone } from '../signing/sign-zone.js';
import type { Signer } from '../signing/signer.js';
import type { Image } from '../transfer/image.js';
import { MessagePacker } from '../transfer/packer.js';
import { loadNodes } from '../zone/load.js';
import { passGate } from './gate.js';
import { digestOfImage } from './image-digest.js';
import type { Publication, PublicationStore, PublishedSoa } from './ports.js';

/** Version of the rules by which a publication's output is made; see PublicationTuple.formatVersion. */
export const FORMAT_VERSION = 1;

export interface ProduceDependencies {
  readonly store: Pick<
    PublicationStore,
    'readRows' | 'readPolicy' | 'readKeySet' | 'saveSignatures' | 'readSignatures'
  >;
  readonly keyRing: KeyRing;
  readonly signer: Signer;
}

/** What a finished image says of itself. */
export interface Produced {
  readonly soa: PublishedSoa;
  readonly resignAt: number;
  readonly records: number;
}

/**
 * Makes the image of a new publication from what its tuple names, at its own pace; signatures go into it only when they are
 * stored. Everything but the closing SOA is appended; then `commit` decides (the publication becomes ready in the
 * database), and only after that the closing SOA follows and the image is complete. The image is failed, and the error
 * thrown, when anything goes wrong.
 * @param gateway who builds it, as its lease says
 */
export function produceImage(
  publication: Publication,
  image: Image,
  dependencies: ProduceDependencies,
  gateway: string,
  commit: (produced: Produced) => Promise<void>,
): Promise<Produced> {
  const { store, signer, keyRing } = dependencies;
  const recording = new RecordingSigner(signer, (pages) =>
    store.saveSignatures(publication.id, gateway, pages),
  );
  return failing(image, () =>
    produce(publication, image, store, recording, (keys) => registerKeys(keys, keyRing, recording), commit),
  );
}

/**
 * Makes the image of a ready publication again, the same octets, from its tuple and its stored signatures. Needs no keys.
 * @throws ZonesealError SIGNATURES_LOST when they are not kept any more
 */
export function reproduceImage(
  publication: Publication,
  image: Image,
  dependencies: ProduceDependencies,
): Promise<Produced> {
  const { store } = dependencies;
  const replaying = new ReplayingSigner(store.readSignatures(publication.id));
  return failing(image, async () => {
    try {
      return await produce(
        publication,
        image,
        store,
        replaying,
        () => Promise.resolve(NO_KEYS),
        () => Promise.resolve(),
      );
    } finally {
      await replaying.close();
    }
  });
}

async function failing(image: Image, work: () => Promise<Produced>): Promise<Produced> {
  try {
    return await work();
  } catch (error) {
    const failure =
      error instanceof ZonesealError
        ? error
        : new ZonesealError(
            'PUBLICATION_FAILED',
            `${image.label}: ${errorMessage(error)}`,
            {},
            { cause: error },
          );
    image.fail(failure);
    throw failure;
  }
}

/** Private keys lent to a signer for the time of one production. */
interface LentKeys {
  use(key: ZoneKey): SignerKey;
  release(): void;
}

const NO_KEYS: LentKeys = {
  use: ({ algorithm, keyTag }) => ({ handle: 0, algorithm, keyTag }),
  release: () => undefined,
};

async function produce(
  publication: Publication,
  image: Image,
  store: ProduceDependencies['store'],
  signer: Signer,
  lend: (keys: readonly ZoneKey[]) => Promise<LentKeys>,
  commit: (produced: Produced) => Promise<void>,
): Promise<Produced> {
  const zone = Name.parse(publication.zone);
  const policy = await store.readPolicy(publication.policyName, publication.policyVersion);
  const keySet = await store.readKeySet(publication.zoneId, publication.keySetVersion);
  refuseKeySet(publication, keySet);
  const dnskeys = dnskeyRrset(keySet, zone, policy.dnskeyTtl);
  if (dnskeys === undefined) throw noKeys(publication);
  const roles = signingKeys(keySet, publication.view);
  const keys = await lend([...roles.keySigning, ...roles.zoneSigning]);
  try {
    const packer = new MessagePacker({ zone });
    const packed = new Map<number, number>();
    let packedRecords = 0;
    let nsec3At: number | undefined;
    const nodes = loadNodes(store.readRows(publication.zoneId, publication.zoneVersion), {
      zone,
      view: publication.view,
    });
    const signed = signZone(nodes, {
      zone,
      time: publication.time,
      serial: publication.serial,
      policy,
      dnskeys,
      keySigning: roles.keySigning.map((key) => keys.use(key)),
      zoneSigning: roles.zoneSigning.map((key) => keys.use(key)),
      signer,
      digest: async () => {
        for (const message of packer.finish()) await image.append(message);
        return digestOfImage(image, zone, nsec3At);
      },
    });
    let result: SigningResult;
    try {
      for (;;) {
        const next = await signed.next();
        if (next.done === true) {
          result = next.value;
          break;
        }
        for (const { rrset, signatures } of next.value) {
          if (rrset.type === RRType.NSEC3 && nsec3At === undefined) {
            // the digest reads the chain as a second stream, so it begins with a message of its own
            for (const message of packer.finish()) await image.append(message);
            nsec3At = image.messageCount;
          }
          packer.add(rrset);
          for (const rdata of signatures) packer.addRecord(rrset.owner, RRType.RRSIG, rrset.ttl, rdata);
          packed.set(rrset.type, (packed.get(rrset.type) ?? 0) + 1);
          packedRecords += rrset.rdata.length + signatures.length;
        }
        for (const message of packer.take()) await image.append(message);
      }
    } finally {
      // when the image fails, the rows that are still being read hold a connection until they are let go
      await signed.return(undefined as never);
    }
    passGate({ publication, result, packed, packedRecords, dnskeys });
    const { rrset, signatures } = result.soa;
    const produced: Produced = {
      soa: { ttl: rrset.ttl, rdata: rrset.rdata[0] as Uint8Array, signatures },
      resignAt: result.resignAt,
      records: result.records,
    };
    await commit(produced);
    packer.add(rrset);
    for (const message of packer.finish()) await image.append(message);
    await image.complete();
    return produced;
  } finally {
    keys.release();
  }
}

function refuseKeySet(publication: Publication, keySet: readonly ZoneKey[]): void {
  if (keySet.length === 0) throw noKeys(publication);
  const faults = checkKeySet(keySet, [publication.view]).filter((problem) => problem.severity === 'error');
  if (faults.length === 0) return;
  throw new ZonesealError(
    'KEY_SET_INVALID',
    `zone ${publication.zone} in view ${publication.view}: ${faults.map((fault) => fault.message).join('; ')}`,
    { zone: publication.zone, view: publication.view },
  );
}

function noKeys({ zone }: Publication): ZonesealError {
  return new ZonesealError(
    'KEY_SET_INVALID',
    `zone ${zone} has no keys; make some with "zoneseal keys generate ${zone}"`,
    { zone },
  );
}

/** Fetches private keys and lends them to the signer for the time of one production. */
async function registerKeys(keys: readonly ZoneKey[], keyRing: KeyRing, signer: Signer): Promise<LentKeys> {
  const distinct = [...new Map(keys.map((key) => [key.id, key])).values()];
  const privateKeys = await keyRing.privateKeys(distinct);
  const handles = new Map<string, number>();
  for (const key of distinct) {
    const signingKey: SigningKey = {
      key: privateKeys.get(key.id) as SigningKey['key'],
      algorithm: key.algorithm,
    };
    handles.set(key.id, signer.register(signingKey));
  }
  return {
    use: (key) => ({ handle: handles.get(key.id) as number, algorithm: key.algorithm, keyTag: key.keyTag }),
    release: () => {
      for (const handle of handles.values()) signer.unregister(handle);
      handles.clear();
    },
  };
}
