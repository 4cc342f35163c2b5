import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../src/config.js';
import { ConfigFolder } from './lib/config-folder.js';

const files = new ConfigFolder();
afterAll(() => files.remove());

const KEYSTONE = 'barbican:\n  keystoneUrl: https://keystone.example/v3\n';

describe('an error names its line, its setting and what is wrong', () => {
  it.each<[what: string, text: string, error: string]>([
    ['no mapping', '- a\n', 'zoneseal.yaml: the configuration: is a list, must be a group of settings'],
    ['a word', 'hello\n', 'zoneseal.yaml: the configuration: is text, must be a group of settings'],
    ['an unknown key', 'databse: {}\n', 'zoneseal.yaml:1: databse: is no setting; did you mean database?'],
    [
      'an unknown key in a section',
      '\nlimits:\n  transfer: 1\n',
      'zoneseal.yaml:3: limits.transfer: is no setting; did you mean limits.transfers?',
    ],
    [
      'a key in the wrong section',
      'poolSize: 3\n',
      'zoneseal.yaml:1: poolSize: is no setting; did you mean database.poolSize?',
    ],
    [
      'an unknown key in a list',
      'listen:\n  - address: 127.0.0.1\n    ports: 53\n',
      'zoneseal.yaml:3: listen[0].ports: is no setting; did you mean listen.port?',
    ],
    [
      'an unknown key like none',
      'database:\n  colour: red\n',
      'zoneseal.yaml:2: database.colour: is no setting; docs/configuration.md has all there are',
    ],
    [
      '__proto__',
      '__proto__:\n  a: 1\n',
      'zoneseal.yaml:1: __proto__: is no setting; docs/configuration.md has all there are',
    ],
    [
      'text for a number',
      'database:\n  poolSize: many\n',
      'zoneseal.yaml:2: database.poolSize: is text, must be a whole number',
    ],
    [
      'a fraction',
      'signing:\n  workers: 1.5\n',
      'zoneseal.yaml:2: signing.workers: is a number with a fraction, must be a whole number',
    ],
    ['too little', 'signing: { workers: 0 }\n', 'zoneseal.yaml:1: signing.workers: is 0, must be 1 or more'],
    [
      'too much',
      'signing: { workers: 257 }\n',
      'zoneseal.yaml:1: signing.workers: is 257, must be 256 or less',
    ],
    [
      'a number for text',
      `${KEYSTONE}  applicationCredentialId: 12\n`,
      'zoneseal.yaml:3: barbican.applicationCredentialId: is a number, must be text',
    ],
    [
      'a number for a microversion',
      `${KEYSTONE}  applicationCredentialId: a\n  microversion: 1.1\n`,
      'zoneseal.yaml:4: barbican.microversion: is a number with a fraction, must be text',
    ],
    [
      'a wrong choice',
      'log:\n  level: loud\n',
      'zoneseal.yaml:2: log.level: must be one of debug, info, warn, error',
    ],
    ['an empty section', 'log:\n', 'zoneseal.yaml:1: log: is empty; give it a value, or leave the line out'],
    [
      'an empty barbican, which must not fall back to throw-away keys',
      'barbican:\n  # keystoneUrl: x\n',
      'zoneseal.yaml:1: barbican: is empty; give it a value, or leave the line out',
    ],
    ['empty text', 'data: ""\n', 'zoneseal.yaml:1: data: is empty'],
    [
      'a list for a section',
      'limits: []\n',
      'zoneseal.yaml:1: limits: is a list, must be a group of settings',
    ],
    ['no address at all', 'listen: []\n', 'zoneseal.yaml:1: listen: names no address'],
    ['no list', 'listen: 127.0.0.1\n', 'zoneseal.yaml:1: listen: is text, must be a list'],
    ['an address left out', 'listen:\n  - port: 53\n', 'zoneseal.yaml:2: listen[0].address: is missing'],
    [
      'an address that others would take for 1.2.0.3',
      'listen:\n  - address: 1.2.3\n',
      'zoneseal.yaml:2: listen[0].address: is no IPv4 or IPv6 address',
    ],
    [
      'a port beyond 65535',
      'listen:\n  - address: ::1\n    port: 65536\n',
      'zoneseal.yaml:3: listen[0].port: is 65536, must be 65535 or less',
    ],
    [
      'a database of another kind',
      'database:\n  url: mysql://u@h/d\n',
      'zoneseal.yaml:2: database.url: is no such URL; write it as postgresql://user@host:5432/database',
    ],
    [
      'no URL',
      `barbican:\n  keystoneUrl: keystone\n  applicationCredentialId: a\n`,
      'zoneseal.yaml:2: barbican.keystoneUrl: is no such URL; write it as https://keystone.example:5000/v3',
    ],
    [
      'a duration of no unit that is known',
      'publication:\n  poll: 5 min\n',
      'zoneseal.yaml:2: publication.poll: is no duration; write whole seconds, or such as 30s or 1h30m',
    ],
    [
      'a list for a duration',
      'publication:\n  poll: [5]\n',
      'zoneseal.yaml:2: publication.poll: is no duration; write seconds, or such as 30s or 1h30m',
    ],
    [
      'a fraction of a second',
      'publication:\n  poll: 0.5\n',
      'zoneseal.yaml:2: publication.poll: is no duration; write whole seconds, or such as 30s or 1h30m',
    ],
    [
      'a duration that is too long for a timer',
      'limits:\n  transferTimeout: 25d\n',
      'zoneseal.yaml:2: limits.transferTimeout: is 25d, must be 1s to 7d',
    ],
    [
      'no time-out at all',
      'database:\n  statementTimeout: 0\n',
      'zoneseal.yaml:2: database.statementTimeout: is 0, must be 1s to 1d',
    ],
    [
      'a size whose unit may be 1000 or 1024',
      'limits:\n  spoolOctets: 4GB\n',
      'zoneseal.yaml:2: limits.spoolOctets: is no size; write octets, or such as 64M',
    ],
    [
      'a size that is too small',
      'limits:\n  spoolOctets: 64K\n',
      'zoneseal.yaml:2: limits.spoolOctets: is 64K, must be 1M or more',
    ],
    [
      'a view name in capitals',
      'open:\n  - range: 192.0.2.0/24\n    view: Internal\n',
      'zoneseal.yaml:3: open[0].view: is no view name (a-z, 0-9, _ and -, at most 63)',
    ],
    [
      'a range that is none',
      'open:\n  - { range: 10.1/8, view: internal }\n',
      'zoneseal.yaml:2: open[0].range: is no address range; write it as 192.0.2.0/24 or 2001:db8::/32',
    ],
  ])('%s', (_, text, error) => {
    expect(files.errorsOf(text)).toEqual([error]);
  });

  it.each<[what: string, text: string, error: string]>([
    ['a tab', 'log:\n\tlevel: info\n', 'zoneseal.yaml:2: tabs are not allowed as indentation'],
    ['a key twice', 'data: a\ndata: b\n', 'zoneseal.yaml:2: data: was given already in line 1'],
    [
      'a key twice in a section',
      '# limits\nlimits:\n  transfers: 1\n  udpQueries: 5\n  transfers: 2\n',
      'zoneseal.yaml:5: limits.transfers: was given already in line 3',
    ],
    [
      'a key twice in a list',
      'listen:\n  - { address: ::1 }\n  - { address: 127.0.0.1, port: 53, port: 54 }\n',
      'zoneseal.yaml:3: listen[1].port: was given already in line 3',
    ],
    [
      'two documents',
      'data: a\n---\ndata: b\n',
      'zoneseal.yaml:2: a second document begins (---); a configuration is one',
    ],
    ['a tag', 'data: !env DATA\n', 'zoneseal.yaml:1: tags (!) have no meaning here'],
    ['a template', '\ndata: {{ folder }}\n', 'zoneseal.yaml:2: the name of a setting is a single word'],
    [
      'an alias of nothing',
      '\ndata: *folder\n',
      'zoneseal.yaml:2: data: an alias (*name) has no anchor before it',
    ],
    [
      'an alias of nothing in a list',
      'listen:\n  - address: ::1\n  - address: *address\n',
      'zoneseal.yaml:3: listen[1].address: an alias (*name) has no anchor before it',
    ],
    [
      'more aliases than make sense',
      `a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [${Array(20).fill('*a').join(', ')}]\nc: [${Array(20).fill('*b').join(', ')}]\n`,
      'zoneseal.yaml:2: there are too many aliases (*name)',
    ],
    [
      'a colon too many',
      'data: a: b\n',
      'zoneseal.yaml:1: a second ": " on the line; put the value in quotes',
    ],
    [
      'a bracket too few',
      'listen: [{address: ::1}\ndata: a\n',
      'zoneseal.yaml:2: flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
  ])('of YAML: %s', (_, text, error) => {
    expect(files.errorsOf(text)).toContain(error);
  });

  it('every one of them, in the order of the lines', () => {
    const errors = files.errorsOf(
      'limits:\n  transfers: 0\n  spoolOctets: x\nlog: { level: loud }\ndatabase:\n  caFile: a\n  pool: 1\nopen: [{ view: a }]\n',
    );
    expect(errors.map((it) => it.split(': ', 2).join(': '))).toEqual([
      'zoneseal.yaml:2: limits.transfers',
      'zoneseal.yaml:3: limits.spoolOctets',
      'zoneseal.yaml:4: log.level',
      'zoneseal.yaml:6: database.caFile',
      'zoneseal.yaml:7: database.pool',
      'zoneseal.yaml:8: open[0].range',
    ]);
  });

  it('a setting given twice among them, whose last value is checked', () => {
    expect(
      files.errorsOf('log:\n  level: info\nlimits: { transfers: 0 }\nlog:\n  level: loud\nnothing: 1\n'),
    ).toEqual([
      'zoneseal.yaml:3: limits.transfers: is 0, must be 1 or more',
      'zoneseal.yaml:4: log: was given already in line 1',
      'zoneseal.yaml:5: log.level: must be one of debug, info, warn, error',
      'zoneseal.yaml:6: nothing: is no setting; docs/configuration.md has all there are',
    ]);
    expect(files.errorsOf('data: a\ndata: b\nlog: {level: *none}\n')).toEqual([
      'zoneseal.yaml:2: data: was given already in line 1',
      'zoneseal.yaml:3: log.level: an alias (*name) has no anchor before it',
    ]);
  });

  it('a file that is not there', () => {
    expect(() => loadConfig(join(files.path, 'none.yaml'), {})).toThrow(
      `${files.path}/none.yaml: cannot be read (ENOENT)`,
    );
  });
});

describe('settings that contradict each other are errors', () => {
  const url = 'database:\n  url: postgresql://zoneseal@db.example/zoneseal';
  const user = `${KEYSTONE}  username: zoneseal\n  project: dns\n`;
  const credential = `${KEYSTONE}  applicationCredentialId: a\n`;
  const CONNECTIONS =
    'each publication that is made holds a connection to the database, and 2 have to be left for queries and leases';
  it.each<[what: string, text: string, error: string]>([
    [
      'a password in the URL',
      'database:\n  url: postgresql://u:hunter2@h/d\n',
      'zoneseal.yaml:2: database.url: holds a password; put it into a file that database.passwordFile names, or into ZONESEAL_DATABASE_PASSWORD',
    ],
    [
      'a password in its query',
      `${url}?password=hunter2\n`,
      'zoneseal.yaml:2: database.url: holds a password; put it into a file that database.passwordFile names, or into ZONESEAL_DATABASE_PASSWORD',
    ],
    [
      'a password for the embedded database',
      'database:\n  passwordFile: p\n',
      'zoneseal.yaml:2: database.passwordFile: is for a PostgreSQL, and the embedded database is used; give database.url',
    ],
    [
      'TLS and none',
      `${url}?sslmode=disable\n  caFile: ca.pem\n`,
      'zoneseal.yaml:3: database.caFile: asks for TLS, and sslmode=disable in database.url forbids it',
    ],
    [
      'nobody',
      KEYSTONE,
      'zoneseal.yaml:1: barbican: does not say who the gateway is: give username and project, or applicationCredentialId',
    ],
    [
      'a user without a project',
      `${KEYSTONE}  username: u\n`,
      'zoneseal.yaml:1: barbican.project: is missing; a user needs it',
    ],
    [
      'a user and an application credential',
      `${credential}  username: u\n`,
      'zoneseal.yaml:4: barbican.username: is of no use beside applicationCredentialId; leave one of them out',
    ],
    [
      'a project for an application credential',
      `${credential}  project: p\n`,
      'zoneseal.yaml:4: barbican.project: is of no use beside applicationCredentialId; leave one of them out',
    ],
    [
      'an application credential twice',
      `${credential}  applicationCredentialIdFile: id\n`,
      'zoneseal.yaml:4: barbican.applicationCredentialIdFile: is of no use beside applicationCredentialId; leave one of them out',
    ],
    [
      'a user and the file of an application credential',
      `${KEYSTONE}  applicationCredentialIdFile: id\n  username: u\n`,
      'zoneseal.yaml:4: barbican.username: is of no use beside applicationCredentialIdFile; leave one of them out',
    ],
    [
      'the secret of none',
      `${user}  applicationCredentialSecretFile: s\n`,
      'zoneseal.yaml:5: barbican.applicationCredentialSecretFile: is of no use without applicationCredentialId',
    ],
    [
      'a password in Keystone’s URL',
      `barbican:\n  keystoneUrl: https://u:hunter2@k.example/v3\n  applicationCredentialId: a\n`,
      'zoneseal.yaml:2: barbican.keystoneUrl: holds a user or password; leave them out',
    ],
    [
      'a query in Barbican’s',
      `${credential}  barbicanUrl: https://b.example/?a=b\n`,
      'zoneseal.yaml:4: barbican.barbicanUrl: holds a query or fragment; leave it out',
    ],
    [
      'an address twice',
      'listen:\n  - address: 2001:db8::1\n  - address: 2001:0db8:0::1\n',
      'zoneseal.yaml:3: listen[1]: 2001:0db8:0::1 port 5300 is taken by 2001:db8::1 port 5300 above',
    ],
    [
      'an address beside all',
      'listen:\n  - address: 0.0.0.0\n  - address: 192.0.2.1\n',
      'zoneseal.yaml:3: listen[1]: 192.0.2.1 port 5300 is taken by 0.0.0.0 port 5300 above',
    ],
    [
      'HTTP where DNS is',
      'listen:\n  - address: 0.0.0.0\nadmin:\n  port: 5300\n',
      'zoneseal.yaml:4: admin.port: 5300 is taken by listen',
    ],
    [
      'a range with two views',
      'open:\n  - { range: 192.0.2.0/24, view: a }\n  - { range: 192.0.2.77/24, view: b }\n',
      'zoneseal.yaml:3: open[1].range: is opened for the view a above; a range has one view',
    ],
    [
      'more publications at once than there are connections for',
      'database:\n  poolSize: 12\nsigning:\n  productions: 11\n',
      `zoneseal.yaml:4: signing.productions: is 11, must be 10 or less with database.poolSize 12: ${CONNECTIONS}`,
    ],
    [
      'fewer connections than publications at once, those being as many as by default',
      'database:\n  poolSize: 5\n',
      `zoneseal.yaml:2: database.poolSize: is 5, must be 6 or more, or signing.productions (4) less: ${CONNECTIONS}`,
    ],
    [
      'more publications at once than makes sense',
      'database:\n  poolSize: 200\nsigning:\n  productions: 101\n',
      'zoneseal.yaml:4: signing.productions: is 101, must be 100 or less',
    ],
  ])('%s', (_, text, error) => {
    expect(files.errorsOf(text)).toEqual([error]);
  });

  it('those that do not are none', () => {
    expect(files.errorsOf(user)).toEqual([]);
    expect(files.errorsOf(credential)).toEqual([]);
    expect(files.errorsOf(`${url}?sslmode=verify-full\n  passwordFile: p\n  caFile: c\n`)).toEqual([]);
    expect(
      files.errorsOf(
        'listen:\n  - { address: 0.0.0.0 }\n  - { address: "::" }\n  - { address: 127.0.0.1, port: 53 }\nadmin: { port: 0 }\n',
      ),
    ).toEqual([]);
    expect(
      files.errorsOf('listen:\n  - { address: "fe80::1%eth0" }\n  - { address: "fe80::1%eth1" }\n'),
    ).toEqual([]);
    expect(
      files.errorsOf('open:\n  - { range: 192.0.2.0/24, view: a }\n  - { range: 192.0.2.0/25, view: b }\n'),
    ).toEqual([]);
    expect(files.errorsOf('database: { poolSize: 12 }\nsigning: { productions: 10 }\n')).toEqual([]);
    expect(files.errorsOf('database: { poolSize: 3 }\nsigning: { productions: 1 }\n')).toEqual([]);
    expect(files.errorsOf('database:\n  url: postgresql:///zoneseal?host=/run/postgresql\n')).toEqual([]);
  });
});
