import { readMessage } from '../dns/message.js';
import type { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { mergeOwners } from '../dnssec/merge-owners.js';
import { type OwnerRecords, ZonemdDigest } from '../dnssec/zonemd.js';
import type { Image } from '../transfer/image.js';

/**
 * The ZONEMD digest over what an image holds so far: its messages read back, the stream of the zone's owners merged with
 * that of the NSEC3 chain, whose owners lie among them. Memory is that of a few messages.
 * @param nsec3At the first message of the NSEC3 chain, when there is one
 */
export async function digestOfImage(
  image: Image,
  zone: Name,
  nsec3At: number | undefined,
): Promise<Uint8Array> {
  const digest = new ZonemdDigest(zone);
  const end = image.messageCount;
  const names = owners(image, 0, nsec3At ?? end);
  const hashes = owners(image, nsec3At ?? end, end);
  for await (const batch of mergeOwners(names, hashes)) for (const owner of batch) digest.addOwner(owner);
  return digest.digest();
}

/** The owners of some messages with all their RRsets; an owner may go on in the next message. */
async function* owners(
  image: Image,
  from: number,
  to: number,
): AsyncGenerator<readonly OwnerRecords[], void, undefined> {
  if (from === to) return;
  let name: Name | undefined;
  let rrsets: RRset[] = [];
  const reader = image.open(from);
  let left = to - from;
  try {
    for await (const message of reader.messages()) {
      const complete: OwnerRecords[] = [];
      for (const { owner, type, ttl, rdata } of readMessage(message).answer) {
        if (name === undefined || !name.equals(owner)) {
          if (name !== undefined) complete.push({ name, rrsets });
          name = owner;
          rrsets = [];
        }
        rrsets.push({ owner, type, ttl, rdata: [rdata] });
      }
      if (complete.length > 0) yield complete;
      if (--left === 0) break;
    }
  } finally {
    reader.release();
  }
  if (name !== undefined) yield [{ name, rrsets }];
}
