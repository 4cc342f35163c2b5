import { machine } from 'node:os';

/** Debian's names of machines that `uname -m` calls otherwise. */
const MACHINES: Readonly<Record<string, string>> = {
  armv7l: 'arm-linux-gnueabihf',
  i686: 'i386-linux-gnu',
  ppc64le: 'powerpc64le-linux-gnu',
};

/** The folder in /usr/lib that Debian has for libraries of a machine, which is as `uname -m` tells it. */
export function multiarch(name: string): string {
  return MACHINES[name] ?? `${name}-linux-gnu`;
}

/** Where PostgreSQL's programs are: `initdb`, `postgres`, `pg_ctl`, `psql`, `pg_dump` and so on, of another version where that is asked for. */
export const POSTGRES_BIN = process.env['ZONESEAL_POSTGRES_BIN'] ?? '/usr/lib/postgresql/15/bin';

/** Programs that the suites use: where Debian puts them, and in which package. */
export const TOOLS: Readonly<Record<string, { readonly path: string; readonly debian: string }>> = {
  named: { path: '/usr/sbin/named', debian: 'bind9' },
  'named-compilezone': { path: '/usr/bin/named-compilezone', debian: 'bind9-utils' },
  'dnssec-keygen': { path: '/usr/bin/dnssec-keygen', debian: 'bind9-utils' },
  'dnssec-signzone': { path: '/usr/bin/dnssec-signzone', debian: 'bind9-utils' },
  'dnssec-verify': { path: '/usr/bin/dnssec-verify', debian: 'bind9-utils' },
  dig: { path: '/usr/bin/dig', debian: 'bind9-dnsutils' },
  delv: { path: '/usr/bin/delv', debian: 'bind9-dnsutils' },
  rndc: { path: '/usr/sbin/rndc', debian: 'bind9-utils' },
  nsd: { path: '/usr/sbin/nsd', debian: 'nsd' },
  knotd: { path: '/usr/sbin/knotd', debian: 'knot' },
  kdig: { path: '/usr/bin/kdig', debian: 'knot-dnsutils' },
  kzonecheck: { path: '/usr/bin/kzonecheck', debian: 'knot-dnssecutils' },
  kzonesign: { path: '/usr/bin/kzonesign', debian: 'knot-dnssecutils' },
  keymgr: { path: '/usr/sbin/keymgr', debian: 'knot' },
  pdns_server: { path: '/usr/sbin/pdns_server', debian: 'pdns-server' },
  'pdns-sqlite': {
    path: `/usr/lib/${multiarch(machine())}/pdns/libgsqlite3backend.so`,
    debian: 'pdns-backend-sqlite3',
  },
  'pdns-pgsql': {
    path: `/usr/lib/${multiarch(machine())}/pdns/libgpgsqlbackend.so`,
    debian: 'pdns-backend-pgsql',
  },
  pdnsutil: { path: '/usr/bin/pdnsutil', debian: 'pdns-server' },
  'ldns-verify-zone': { path: '/usr/bin/ldns-verify-zone', debian: 'ldnsutils' },
  'ldns-signzone': { path: '/usr/bin/ldns-signzone', debian: 'ldnsutils' },
  validns: { path: '/usr/bin/validns', debian: 'validns' },
  unbound: { path: '/usr/sbin/unbound', debian: 'unbound' },
  sqlite3: { path: '/usr/bin/sqlite3', debian: 'sqlite3' },
  openssl: { path: '/usr/bin/openssl', debian: 'openssl' },
  postgres: { path: `${POSTGRES_BIN}/postgres`, debian: 'postgresql-15' },
  faketime: { path: '/usr/bin/faketime', debian: 'faketime' },
  dnspython: { path: '/usr/lib/python3/dist-packages/dns/__init__.py', debian: 'python3-dnspython' },
  keystone: { path: '/usr/lib/python3/dist-packages/keystone/__init__.py', debian: 'python3-keystone' },
  barbican: { path: '/usr/lib/python3/dist-packages/barbican/__init__.py', debian: 'python3-barbican' },
  waitress: { path: '/usr/lib/python3/dist-packages/waitress/__init__.py', debian: 'python3-waitress' },
};

const codecs = ['named-compilezone', 'ldns-verify-zone', 'dnspython', 'nsd'];
const signers = [
  'dnssec-keygen',
  'dnssec-signzone',
  'dnssec-verify',
  'ldns-signzone',
  'ldns-verify-zone',
  'kzonesign',
  'kzonecheck',
  'validns',
  'keymgr',
];

const secondaries = ['named', 'rndc', 'nsd', 'knotd', 'pdns_server', 'pdns-sqlite', 'pdnsutil', 'sqlite3'];

const nameservers = [...secondaries, 'delv', 'unbound', 'dig'];

/** What a cluster of gateways is judged with. */
const clusters = [
  'postgres',
  'dnssec-keygen',
  'dnssec-signzone',
  'dnssec-verify',
  'ldns-signzone',
  'ldns-verify-zone',
  'kzonesign',
  'keymgr',
];

/** The groups, and what each needs. */
export const GROUPS: Readonly<Record<string, readonly string[]>> = {
  codecs: [...codecs, ...signers],
  keyformats: [...clusters, 'openssl', 'pdnsutil', 'pdns-sqlite', 'sqlite3'],
  store: ['postgres'],
  validators: [...signers, 'named-compilezone', 'unbound', 'knotd', 'postgres'],
  secondaries: [...nameservers, 'postgres'],
  barbican: [...nameservers, 'keystone', 'barbican', 'waitress', 'postgres', 'ldns-verify-zone', 'openssl'],
  keystore: ['keystone', 'barbican', 'waitress', 'postgres', 'dig', 'kdig', 'named'],
  tsig: ['dig', 'kdig', 'dnspython', 'named', 'knotd', 'nsd'],
  publications: [...clusters, ...nameservers, 'faketime'],
  ixfr: [...clusters, ...secondaries, 'dig', 'kdig'],
  gateways: [...clusters, ...secondaries],
  replica: clusters,
  latency: [...clusters, 'knotd'],
  rollover: [...clusters, ...nameservers, 'keystone', 'barbican', 'waitress'],
};

/** Where one of the programs is. */
export function toolPath(name: string): string {
  return TOOLS[name]?.path ?? name;
}
