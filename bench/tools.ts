import { installPackages, missingPackages } from '../interop/lib/packages.js';
import { say } from './progress.js';

/** What stands beside Zoneseal, and the programs it needs. */
const PEERS = {
  'ldns-signzone': ['ldns-signzone'],
  kzonesign: ['kzonesign', 'keymgr'],
  knotd: ['knotd'],
  PowerDNS: ['pdns_server', 'pdns-pgsql', 'pdnsutil'],
} as const;

export type PeerName = keyof typeof PEERS;

const asked = new Map<PeerName, boolean>();

/** Installs PostgreSQL, openssl and the peers where they are missing and this may be done. @throws Error when there is no PostgreSQL or openssl */
export function provideTools(): void {
  const needed = ['postgres', 'openssl'];
  const lacking = missingPackages([...needed, ...Object.values(PEERS).flat()]);
  if (lacking.length > 0) installPackages(lacking);
  const still = missingPackages(needed);
  if (still.length > 0) throw new Error(`not installed: apt-get install ${still.join(' ')}`);
}

/** Whether a peer can run; says once how to install it when it cannot. */
export function hasPeer(name: PeerName): boolean {
  const known = asked.get(name);
  if (known !== undefined) return known;
  const packages = missingPackages(PEERS[name]);
  asked.set(name, packages.length === 0);
  if (packages.length > 0)
    say(`${name} is left out, it is not installed: apt-get install ${packages.join(' ')}`);
  return packages.length === 0;
}
