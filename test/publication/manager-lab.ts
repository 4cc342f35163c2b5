import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readMessage } from '../../src/dns/message.js';
import { Name } from '../../src/dns/name.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import { KeyRing } from '../../src/keys/key-ring.js';
import type { ZoneKey } from '../../src/keys/key-set.js';
import { PublicationManager } from '../../src/publication/manager.js';
import { InlineSigner } from '../../src/signing/signer.js';
import { ImageStore } from '../../src/transfer/image-store.js';
import type { ImageReader } from '../../src/transfer/ports.js';
import type { ZoneRow } from '../../src/zone/row.js';
import { MemoryPublicationStore } from '../lib/memory-publication-store.js';

export const ZONE = 'quickstart.example.';
export const zone = Name.parse(ZONE);

const keysDev = new URL('../../keys-dev/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('manifest.json', keysDev), 'utf8')) as {
  secrets: { id: string; file: string }[];
  keys: (Pick<ZoneKey, 'role' | 'algorithm' | 'keyTag' | 'flags'> & { publicKey: string; secret: string })[];
};

export function row(owner: string, type: string, ...data: string[]): ZoneRow {
  return { owner, sortKey: Name.parse(owner).sortKey(), type, ttl: 300, data, views: null };
}

/** A zone with so many hosts, in canonical order; the first `moved` of them have another address. */
export function hosts(count: number, moved = 0): ZoneRow[] {
  const host = (i: number): ZoneRow =>
    row(`h${i + 1000}.${ZONE}`, 'A', i < moved ? '192.0.2.8' : '192.0.2.7');
  return [
    row(ZONE, 'NS', `ns.${ZONE}`),
    row(ZONE, 'SOA', `ns.${ZONE} hostmaster.${ZONE} 1 3600 600 86400 300`),
    ...Array.from({ length: count }, (_, i) => host(i)),
    row(`ns.${ZONE}`, 'A', '192.0.2.1'),
  ];
}

/** A manager over one zone in memory, with the development keys. */
export class ManagerLab {
  readonly store: MemoryPublicationStore;
  readonly manager: PublicationManager;
  readonly logged: { readonly level: string; readonly message: string }[];

  private constructor(
    store: MemoryPublicationStore,
    manager: PublicationManager,
    logged: { readonly level: string; readonly message: string }[],
  ) {
    this.store = store;
    this.manager = manager;
    this.logged = logged;
  }

  static async open(): Promise<ManagerLab> {
    const store = new MemoryPublicationStore(ZONE, 'internal');
    store.keySet = manifest.keys.map((key, i) => ({
      ...key,
      id: String(i),
      zone: ZONE,
      publicKey: new Uint8Array(Buffer.from(key.publicKey, 'base64')),
      secretRef: key.secret,
      view: null,
      signs: true,
      published: true,
    }));
    const logged: { level: string; message: string }[] = [];
    const note =
      (level: string) =>
      (_: object, message: string): void =>
        void logged.push({ level, message });
    const keyRing = new KeyRing({
      fetchPayload: (id) => {
        const { file } = manifest.secrets.find((it) => it.id === id) as { file: string };
        const payload = new Uint8Array(readFileSync(new URL(file, keysDev)));
        return Promise.resolve({ contentType: 'text/plain', payload });
      },
    });
    const manager = new PublicationManager({
      store,
      dependencies: { keyRing, signer: new InlineSigner() },
      images: await ImageStore.open({ folder: mkdtempSync(join(tmpdir(), 'zoneseal-test-')) }),
      log: { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
      limits: { productions: 2, heldOctets: 1 << 20, freshSeconds: 0, remembered: 10 },
      gateway: 'test',
      leaseSeconds: 60,
    });
    return new ManagerLab(store, manager, logged);
  }

  /** Makes these rows the next version, and its publication; its serial. */
  async publish(rows: readonly ZoneRow[]): Promise<number> {
    if (this.store.publications.length > 0) this.store.version++;
    this.store.rows = rows;
    await this.manager.makeDue();
    await this.manager.settled();
    const newest = this.store.publications.at(-1);
    if (newest?.state !== 'ready') throw new Error(`not published: ${newest?.error}`);
    return newest.serial;
  }

  async openDifference(serial: number): Promise<ImageReader | undefined> {
    return (await this.manager.find(zone, 'internal'))?.openDifference(serial);
  }

  /** All records of what is served now. */
  async fetch(): Promise<ResourceRecord[]> {
    const served = await this.manager.find(zone, 'internal');
    if (served === undefined) throw new Error('not served');
    return readAll(await served.openImage());
  }
}

/** The records of all messages; lets the image go. */
export async function readAll(reader: ImageReader): Promise<ResourceRecord[]> {
  try {
    const records: ResourceRecord[] = [];
    for await (const message of reader.messages()) records.push(...readMessage(message).answer);
    return records;
  } finally {
    reader.release();
  }
}
