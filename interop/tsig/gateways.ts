import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RCODE } from '../../src/dns/message.js';
import { parseTsigKeyFile, type TsigKey } from '../../src/dns/tsig-key.js';
import { query, type Target } from '../lib/dns-client.js';
import { GatewayProcess } from '../lib/gateway.js';
import { waitUntil } from '../lib/processes.js';

const shiftClock = new URL('shift-clock.mjs', import.meta.url).href;

/** Variables for a process whose clock is that many seconds ahead of the host's. */
export function shiftedClock(skewSeconds: number): Record<string, string> {
  if (skewSeconds === 0) return {};
  return { NODE_OPTIONS: `--import=${shiftClock}`, CLOCK_SHIFT_SECONDS: String(skewSeconds) };
}

/** A small zone as a master file: SOA, NS, and so many hosts. */
export function masterFile(hosts: number): string {
  const lines = ['@ 300 IN SOA ns host 1 3600 600 86400 300', '@ 300 IN NS ns', 'ns 300 IN A 192.0.2.1'];
  for (let i = 0; i < hosts; i++) lines.push(`host-${i} 300 IN A 192.0.2.${i % 256}`);
  return `${lines.join('\n')}\n`;
}

/** Imports a small zone, gives it keys, and only then serves it in views. */
export async function addZone(
  gateway: GatewayProcess,
  zone: string,
  views: readonly string[],
  hosts = 3,
): Promise<void> {
  await gateway.command(['zone', 'import', '-', '--zone', zone], masterFile(hosts));
  await gateway.command(['keys', 'generate', zone]);
  await gateway.command(['view', 'assign', zone, ...views]);
}

/** Makes a TSIG key with `zoneseal tsig add` and reads what that wrote for the nameserver. */
export async function addTsigKey(
  gateway: GatewayProcess,
  name: string,
  options: readonly string[],
): Promise<TsigKey> {
  const file = join(gateway.folder, `${name}key`);
  await gateway.command(['tsig', 'add', name, '--key-file', file, ...options]);
  return parseTsigKeyFile(readFileSync(file, 'latin1'));
}

/** The RCODE of the answer about a zone's SOA; undefined when none comes. */
export async function rcodeOf(target: Target, zone: string, key?: TsigKey): Promise<number | undefined> {
  const signing = key === undefined ? {} : { signing: { key } };
  const answer = await query(target, { name: zone, type: 'SOA', timeoutMilliseconds: 2000, ...signing });
  return answer?.message.rcode;
}

/** Waits until a zone's SOA is answered with an RCODE. */
export async function waitForRcode(
  target: Target,
  zone: string,
  key: TsigKey | undefined,
  rcode: number = RCODE.NOERROR,
): Promise<void> {
  let last: number | undefined;
  await waitUntil(
    () => `${zone}: RCODE ${last ?? 'none'} and not ${rcode}`,
    async () => {
      last = await rcodeOf(target, zone, key);
      return last === rcode;
    },
  );
}
