import { AddressRange } from './transfer/address-range.js';

/** Something wrong with a setting; the path begins at what was checked. */
export interface ConfigProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

interface DatabaseSettings {
  readonly url?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly caFile?: string | undefined;
  readonly replicaUrl?: string | undefined;
  readonly replicaPasswordFile?: string | undefined;
}

/** What contradicts itself in the section `database`. */
export function checkDatabase(database: DatabaseSettings): ConfigProblem[] {
  if (database.url === undefined) {
    const message = 'is for a PostgreSQL, and the embedded database is used; give database.url';
    return (['passwordFile', 'caFile', 'replicaUrl', 'replicaPasswordFile'] as const)
      .filter((key) => database[key] !== undefined)
      .map((key) => ({ path: [key], message }));
  }
  const problems: ConfigProblem[] = [];
  for (const [key, fileKey, variable] of [
    ['url', 'passwordFile', 'ZONESEAL_DATABASE_PASSWORD'],
    ['replicaUrl', 'replicaPasswordFile', 'ZONESEAL_DATABASE_REPLICA_PASSWORD'],
  ] as const) {
    const url = database[key];
    // what is no URL at all is told of by the schema
    if (url === undefined || !URL.canParse(url)) continue;
    const { password, searchParams } = new URL(url);
    if (password !== '' || searchParams.has('password')) {
      const next = `put it into a file that database.${fileKey} names, or into ${variable}`;
      problems.push({ path: [key], message: `holds a password; ${next}` });
    }
    if (database.caFile !== undefined && searchParams.get('sslmode') === 'disable') {
      const message = `asks for TLS, and sslmode=disable in database.${key} forbids it`;
      problems.push({ path: ['caFile'], message });
    }
  }
  if (database.replicaPasswordFile !== undefined && database.replicaUrl === undefined) {
    problems.push({ path: ['replicaPasswordFile'], message: 'is for a replica; give database.replicaUrl' });
  }
  return problems;
}

interface BarbicanSettings {
  readonly keystoneUrl: string;
  readonly barbicanUrl?: string | undefined;
  readonly username?: string | undefined;
  readonly project?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly applicationCredentialId?: string | undefined;
  readonly applicationCredentialIdFile?: string | undefined;
  readonly applicationCredentialSecretFile?: string | undefined;
  readonly privateSecrets: boolean;
  readonly secretReaders: readonly string[];
}

/** What contradicts itself in the section `barbican`. */
export function checkBarbican(barbican: BarbicanSettings): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const problem = (key: keyof BarbicanSettings, message: string): void => {
    problems.push({ path: [key], message });
  };
  for (const key of ['keystoneUrl', 'barbicanUrl'] as const) {
    const text = barbican[key];
    if (text === undefined || !URL.canParse(text)) continue;
    const url = new URL(text);
    if (url.username !== '' || url.password !== '') problem(key, 'holds a user or password; leave them out');
    if (url.search !== '' || url.hash !== '') problem(key, 'holds a query or fragment; leave it out');
  }
  if (barbican.secretReaders.length > 0 && !barbican.privateSecrets) {
    problem(
      'secretReaders',
      'is of no use without privateSecrets: the whole project reads what is not private',
    );
  }
  const { username, project, applicationCredentialId, applicationCredentialIdFile } = barbican;
  const credential = applicationCredentialId ?? applicationCredentialIdFile;
  if (applicationCredentialId !== undefined && applicationCredentialIdFile !== undefined) {
    const reason = 'is of no use beside applicationCredentialId; leave one of them out';
    problem('applicationCredentialIdFile', reason);
  }
  if (username === undefined && credential === undefined) {
    const message = 'does not say who the gateway is: give username and project, or applicationCredentialId';
    problems.push({ path: [], message });
  } else if (credential === undefined) {
    if (project === undefined) problem('project', 'is missing; a user needs it');
    if (barbican.applicationCredentialSecretFile !== undefined) {
      problem('applicationCredentialSecretFile', 'is of no use without applicationCredentialId');
    }
  } else {
    for (const key of ['username', 'project', 'passwordFile'] as const) {
      if (barbican[key] !== undefined) {
        const other = `applicationCredentialId${applicationCredentialId === undefined ? 'File' : ''}`;
        problem(key, `is of no use beside ${other}; leave one of them out`);
      }
    }
  }
  return problems;
}

interface Socket {
  readonly address: string;
  readonly port: number;
}

interface Sockets {
  readonly listen: readonly Socket[];
  readonly admin: { readonly address: string; readonly port?: number | undefined };
}

/** Sockets that would be in each other's way. */
export function checkSockets({ listen, admin }: Sockets): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const [index, { address, port }] of listen.entries()) {
    const earlier = listen.slice(0, index).find((other) => collide(other, { address, port }));
    if (earlier !== undefined) {
      problems.push({
        path: ['listen', index],
        message: `${address} port ${port} is taken by ${earlier.address} port ${earlier.port} above`,
      });
    }
  }
  const { address, port } = admin;
  if (port !== undefined && listen.some((other) => collide(other, { address, port }))) {
    problems.push({ path: ['admin', 'port'], message: `${port} is taken by listen` });
  }
  return problems;
}

function collide(a: Socket, b: Socket): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  const [one, two] = [canonical(a.address), canonical(b.address)];
  return one === two || (one.includes(':') === two.includes(':') && (isWildcard(one) || isWildcard(two)));
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** One text for one address: URLs write IPv6 in its shortest form. A zone index is kept as it is. */
function canonical(address: string): string {
  if (!address.includes(':')) return address;
  const [bare = '', ...zone] = address.split('%');
  return [new URL(`http://[${bare}]`).hostname.slice(1, -1), ...zone].join('%');
}

interface FleetSettings {
  readonly exchanges: number;
  readonly exchangesPerPeer: number;
  readonly sourceIpv4?: string | undefined;
  readonly sourceIpv6?: string | undefined;
}

/** What contradicts itself in the section `fleet`. */
export function checkFleet(fleet: FleetSettings): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const { exchanges, exchangesPerPeer, sourceIpv4, sourceIpv6 } = fleet;
  if (exchangesPerPeer > exchanges) {
    const message = `is ${exchangesPerPeer}, must be ${exchanges} (fleet.exchanges) or less`;
    problems.push({ path: ['exchangesPerPeer'], message });
  }
  if (sourceIpv4?.includes(':') === true)
    problems.push({ path: ['sourceIpv4'], message: 'is no IPv4 address' });
  if (sourceIpv6?.includes(':') === false)
    problems.push({ path: ['sourceIpv6'], message: 'is no IPv6 address' });
  return problems;
}

/** Address ranges that are none, or have two views. */
export function checkOpen(
  open: readonly { readonly range: string; readonly view: string }[],
): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const views = new Map<string, string>();
  for (const [index, { range, view }] of open.entries()) {
    try {
      const { key } = AddressRange.parse(range);
      const other = views.get(key);
      views.set(key, view);
      if (other !== undefined && other !== view) {
        const message = `is opened for the view ${other} above; a range has one view`;
        problems.push({ path: [index, 'range'], message });
      }
    } catch {
      const message = 'is no address range; write it as 192.0.2.0/24 or 2001:db8::/32';
      problems.push({ path: [index, 'range'], message });
    }
  }
  return problems;
}

/** Publications made at the same time where the setting is left out. */
export const DEFAULT_PRODUCTIONS = 4;

/** Connections that publications being made must leave: one for what queries ask, one for leases, serials and the like. */
const OTHER_CONNECTIONS = 2;

interface Work {
  readonly database: { readonly poolSize: number };
  readonly signing: { readonly productions: number };
}

/** More publications at the same time than the database has connections for; told of the setting that was given. */
export function checkWork({ database: { poolSize }, signing: { productions } }: Work): ConfigProblem[] {
  if (productions <= poolSize - OTHER_CONNECTIONS) return [];
  const reason = `each publication that is made holds a connection to the database, and ${OTHER_CONNECTIONS} have to be left for queries and leases`;
  if (productions === DEFAULT_PRODUCTIONS) {
    const message = `is ${poolSize}, must be ${productions + OTHER_CONNECTIONS} or more, or signing.productions (${productions}) less: ${reason}`;
    return [{ path: ['database', 'poolSize'], message }];
  }
  const message = `is ${productions}, must be ${poolSize - OTHER_CONNECTIONS} or less with database.poolSize ${poolSize}: ${reason}`;
  return [{ path: ['signing', 'productions'], message }];
}
