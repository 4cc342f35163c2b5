import { join, relative } from 'node:path';
import { Name } from '../dns/name.js';
import type { Gateway } from '../gateway.js';
import { DEVELOPMENT_KEYS_FOLDER } from '../gateway-parts.js';
import { QUICKSTART_ZONE, readDevelopmentManifest } from '../quickstart.js';
import { standardOutput } from './terminal.js';

/**
 * Says what a gateway on the embedded database serves, to whom, and what to paste to see the two signed variants of the
 * quickstart zone; nothing when that zone is not there (any more).
 */
export async function printQuickstart(gateway: Gateway): Promise<void> {
  const listening = gateway.addresses.map(({ address, port }) => `${address} port ${port}`).join(', ');
  const lines = ['', `Zoneseal answers on ${listening} (UDP and TCP).`];
  const { manager } = gateway.state;
  const zone = Name.parse(QUICKSTART_ZONE);
  const { address, port } = gateway.addresses[0] ?? { address: '127.0.0.1', port: 5300 };
  let found = false;
  for (const { name, file, kdigFile } of readDevelopmentManifest().tsigKeys) {
    const view = name.includes('internal') ? 'internal' : 'external';
    if ((await manager.find(zone, view)) === undefined) continue;
    found = true;
    const signed = `/tmp/quickstart-${view}.zone`;
    lines.push(
      '',
      `${QUICKSTART_ZONE} in the view ${view}, to whoever has the TSIG key ${name} (${shown(file)}):`,
      `  dig @${address} -p ${port} -k ${shown(file)} ${QUICKSTART_ZONE} AXFR +onesoa +noall +answer > ${signed}`,
      `  ldns-verify-zone ${signed}`,
      `  kdig @${address} -p ${port} -k ${shown(kdigFile)} ${QUICKSTART_ZONE} SOA +dnssec`,
    );
  }
  if (found) {
    lines.push(
      '',
      'The difference between the two variants:',
      `  diff <(awk '$4 != "RRSIG"' /tmp/quickstart-internal.zone) <(awk '$4 != "RRSIG"' /tmp/quickstart-external.zone)`,
      '',
      'The keys are throw-away keys from keys-dev/. Stop with Ctrl-C; a second start finds everything again.',
    );
  }
  await standardOutput.write(`${lines.join('\n')}\n\n`);
}

function shown(file: string): string {
  const path = join(DEVELOPMENT_KEYS_FOLDER, file);
  const near = relative(process.cwd(), path);
  return near.startsWith('..') ? path : near;
}
