import { writeFileSync } from 'node:fs';
import type { BarbicanClient } from '../../src/barbican/client.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import { RRType } from '../../src/dns/types.js';
import { keyTag } from '../../src/dnssec/dnskey.js';
import { writeZone } from '../codecs/zone-checkers.js';
import { Cluster } from '../lib/cluster.js';
import type { Outcome } from '../lib/processes.js';
import { judge, type SignedFile } from '../lib/validators.js';
import { PASSPHRASE } from './other-programs.js';

/** A key as `zoneseal keys list --json` has it. */
export interface ListedKey {
  readonly zone: string;
  readonly role: 'KSK' | 'ZSK' | 'CSK';
  readonly algorithm: number;
  readonly keyTag: number;
  readonly flags: number;
  readonly publicKey: string;
  readonly secretRef: string;
  readonly signs: boolean;
  readonly published: boolean;
}

const VIEW = 'internal';
/** In which zones are when nothing is said of their keys. */
const PATIENCE = 90_000;

/** One gateway with zones to try keys in. */
export class KeyLab {
  readonly cluster: Cluster;
  readonly folder: string;
  readonly barbican: BarbicanClient;

  private constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.folder = cluster.folder;
    this.barbican = cluster.connectBarbican();
  }

  /** @param passphraseFile where the gateway's configuration says that a passphrase is */
  static async start(passphraseFile: string): Promise<KeyLab> {
    writeFileSync(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 });
    return new KeyLab(await Cluster.start({ gateways: 1, config: { keyPassphraseFile: passphraseFile } }));
  }

  /** A zone without keys, and served nowhere, whose policy wants keys of an algorithm. */
  addZone(apex: string, algorithm: number, keys: 'ksk+zsk' | 'csk'): void {
    const policy = `${keys === 'csk' ? 'one' : 'two'}-${algorithm}`;
    const document = JSON.stringify({ algorithm, keys });
    this.cluster.psql(`
      insert into zoneseal.policies (name, document) values ('${policy}', '${document}') on conflict do nothing;
      insert into zoneseal.zones (name, policy) values ('${apex}', '${policy}');
      insert into zoneseal.rrsets (zone_id, owner, type, ttl, data)
        select zoneseal.zone_id('${apex}'), owner, type, 300, array[data] from (values
          ('${apex}', 'SOA', 'ns.${apex} host.${apex} 1 3600 600 86400 300'),
          ('${apex}', 'NS', 'ns.${apex}'),
          ('ns.${apex}', 'A', '192.0.2.1'),
          ('www.${apex}', 'A', '192.0.2.2')
        ) t (owner, type, data)`);
  }

  command(...args: string[]): Promise<string> {
    return this.cluster.gateway(0).command(args);
  }

  /** Runs a command that may fail. */
  run(...args: string[]): Promise<Outcome> {
    return this.cluster.gateway(0).run(args);
  }

  /** The keys of all zones, by zone. */
  async listKeys(): Promise<ReadonlyMap<string, readonly ListedKey[]>> {
    const keys = JSON.parse(await this.command('keys', 'list', '--json')) as ListedKey[];
    const zones = new Map<string, ListedKey[]>();
    for (const key of keys) zones.set(key.zone, [...(zones.get(key.zone) ?? []), key]);
    return zones;
  }

  serve(apex: string): void {
    this.cluster.serve(apex, [VIEW]);
  }

  /** Takes a zone as soon as it is there. */
  async take(apex: string): Promise<readonly ResourceRecord[]> {
    await this.cluster.serialAfter(0, apex, VIEW, undefined, PATIENCE);
    return this.cluster.take(0, apex, VIEW);
  }

  /** What ldns-verify-zone and dnssec-verify have against records; nothing when they accept them. */
  async judge(apex: string, records: readonly ResourceRecord[], isCsk: boolean): Promise<string[]> {
    const file = await writeZone(this.folder, apex, records);
    return judgeFile({ apex, file, isCsk, hasZonemd: false });
  }

  /** How many secrets Barbican has. */
  async countSecrets(): Promise<number> {
    let count = 0;
    for await (const _ of this.barbican.listSecrets()) count++;
    return count;
  }

  async stop(): Promise<void> {
    this.barbican.close();
    await this.cluster.stop();
  }
}

/** What ldns-verify-zone and dnssec-verify have against a zone; nothing when they accept it. */
export async function judgeFile(zone: SignedFile): Promise<string[]> {
  const verdicts = await Promise.all(
    (['ldns-verify-zone', 'dnssec-verify'] as const).map(async (program) => {
      const { outcome, said } = await judge(program, zone);
      return outcome === 'accepted' ? [] : [`${program}: ${outcome}: ${said}`];
    }),
  );
  return verdicts.flat();
}

/** The DNSKEY RRset, `flags 3 algorithm base64`, sorted. */
export function dnskeysIn(records: readonly ResourceRecord[]): string[] {
  return records
    .filter(({ type }) => type === RRType.DNSKEY)
    .map(({ rdata }) => {
      const octets = Buffer.from(rdata);
      return `${octets.readUInt16BE(0)} ${octets[2]} ${octets[3]} ${octets.subarray(4).toString('base64')}`;
    })
    .sort();
}

/** The tags of the keys whose signatures there are, sorted. */
export function signersIn(records: readonly ResourceRecord[]): number[] {
  const tags = records
    .filter(({ type }) => type === RRType.RRSIG)
    .map(({ rdata }) => Buffer.from(rdata).readUInt16BE(16));
  return [...new Set(tags)].sort((a, b) => a - b);
}

/** The key tags of a DNSKEY RRset, sorted. */
export function tagsIn(records: readonly ResourceRecord[]): number[] {
  return records
    .filter(({ type }) => type === RRType.DNSKEY)
    .map(({ rdata }) => keyTag(rdata))
    .sort((a, b) => a - b);
}
