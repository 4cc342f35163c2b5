import { availableParallelism, networkInterfaces } from 'node:os';
import { z } from 'zod';
import {
  type ConfigProblem,
  checkBarbican,
  checkDatabase,
  checkFleet,
  checkOpen,
  checkSockets,
  checkWork,
  DEFAULT_PRODUCTIONS,
} from './config-check.js';
import {
  address,
  count,
  DAY,
  duration,
  file,
  GIB,
  HOUR,
  KIB,
  MIB,
  MINUTE,
  port,
  settingFacts,
  size,
  text,
  url,
  view,
} from './config-fields.js';

/** A check over several settings, its problems told as the schema's own. */
function checkedBy<T>(check: (value: T) => readonly ConfigProblem[]) {
  return (value: T, context: z.RefinementCtx): void => {
    for (const { path, message } of check(value))
      context.addIssue({ code: 'custom', path: [...path], message });
  };
}

function hasIpv6Loopback(): boolean {
  try {
    return Object.values(networkInterfaces()).some((list) => list?.some((it) => it.address === '::1'));
  } catch {
    // a sandbox without netlink sockets
    return false;
  }
}

const listenSchema = z.strictObject({
  address: address.describe(
    'address to listen on for UDP and TCP; `0.0.0.0` and `::` stand for all of their family, but answer over UDP from whatever address the system picks: list each address on a host that has several',
  ),
  port: port.default(5300).describe('port for UDP and TCP; `0` takes a free one'),
});

const databaseSchema = z
  .strictObject({
    url: url(/^postgres(ql)?$/, 'postgresql://user@host:5432/database')
      .optional()
      .register(settingFacts, { defaultText: 'the embedded database' })
      .describe(
        'PostgreSQL to use, without the password; left out, the embedded one in the data folder, which is for trying out',
      ),
    passwordFile: file.optional().describe('file that holds the password'),
    caFile: file
      .optional()
      .describe(
        'PEM file of the CA that signed the server certificate; TLS is then required, and the name in the certificate checked',
      ),
    replicaUrl: url(/^postgres(ql)?$/, 'postgresql://user@replica:5432/database')
      .optional()
      .register(settingFacts, { defaultText: 'none' })
      .describe(
        'streaming replica (hot standby) that whole zones are read from once it has what is needed, else the primary is; without the password. `caFile` counts for it too',
      ),
    replicaPasswordFile: file
      .optional()
      .register(settingFacts, { type: 'file', defaultText: 'the password of the primary' })
      .describe('file that holds the password for the replica'),
    poolSize: z
      .int()
      .min(3)
      .max(200)
      .default(10)
      .describe('connections at the most, the one that listens for changes aside'),
    statementTimeout: duration(1, DAY).default(60).describe('longest a single statement may take'),
    connectTimeout: duration(1, 5 * MINUTE)
      .default(10)
      .describe('longest a connection may take to be made, or one of the pool to become free'),
  })
  .superRefine(checkedBy(checkDatabase))
  .describe('Where zones are kept.');

const barbicanSchema = z
  .strictObject({
    keystoneUrl: url(/^https?$/, 'https://keystone.example:5000/v3').describe(
      'Keystone; `/v3` is added where it is missing',
    ),
    barbicanUrl: url(/^https?$/, 'https://barbican.example:9311')
      .optional()
      .register(settingFacts, { defaultText: 'what the catalog says' })
      .describe('Barbican; `/v1` is added where it is missing'),
    region: text.optional().describe('region in the catalog; needed where it has several'),
    interface: z.enum(['public', 'internal', 'admin']).default('public').describe('interface in the catalog'),
    username: text.optional().describe('user, for authentication by password'),
    userDomain: text.default('Default').describe('domain of the user, by name'),
    project: text.optional().describe('name of the project, for authentication by password'),
    projectDomain: text.default('Default').describe('domain of the project, by name'),
    passwordFile: file
      .optional()
      .describe('file that holds the password; read again when Keystone refuses it'),
    applicationCredentialId: text.optional().describe('application credential, in place of a user'),
    applicationCredentialIdFile: file
      .optional()
      .describe('file that holds its id, in place of the id itself; read again when Keystone refuses it'),
    applicationCredentialSecretFile: file
      .optional()
      .describe('file that holds its secret; read again when Keystone refuses it'),
    caFile: file.optional().describe('PEM file of a private CA, trusted beside those that Node.js knows'),
    microversion: z
      .string()
      .regex(/^([0-9]{1,3}\.[0-9]{1,3}|latest)$/, 'is no microversion; write it as "1.1"')
      .optional()
      .register(settingFacts, { defaultText: "the server's" })
      .describe('API microversion to ask for, in quotes'),
    timeout: duration(1, 5 * MINUTE)
      .default(10)
      .describe('longest a request may take'),
    privateSecrets: z
      .boolean()
      .default(false)
      .describe(
        'whether secrets that are stored from here are closed to the rest of the project by their ACL; whoever stored one reads it',
      ),
    secretReaders: z
      .array(text)
      .default([])
      .register(settingFacts, { defaultText: 'none' })
      .describe('ids of users that may read such secrets all the same: those of the gateways'),
  })
  .superRefine(checkedBy(checkBarbican))
  .describe(
    'Barbican behind Keystone. Left out as a whole, the development Barbican with throw-away keys is started. Give either a user, or an application credential.',
  );

const fleetSchema = z
  .strictObject({
    arrival: duration(1, DAY)
      .default(60)
      .describe(
        'time that a publication may take to arrive at a peer; later the peer is `behind`, and told again',
      ),
    answerTimeout: duration(1, 60)
      .default(2)
      .describe('longest that an answer to NOTIFY or to a question for the SOA is waited for'),
    retryCap: duration(1, DAY)
      .default(5 * MINUTE)
      .describe(
        'longest time between two attempts; the first comes after a second, each later one after twice as long',
      ),
    recheck: duration(10, 7 * DAY)
      .default(HOUR)
      .describe('about how often a peer that has everything is asked whether it still does'),
    parentPoll: duration(1, DAY)
      .default(60)
      .describe(
        'how soon the nameservers of a parent are asked again for the DS of a zone while a key roll waits for it; less often when it waits for long',
      ),
    parentRecheck: duration(10, 7 * DAY)
      .default(HOUR)
      .describe('how often the nameservers of a parent are asked for the DS of a zone otherwise'),
    exchanges: count
      .max(10_000)
      .default(256)
      .describe(
        'NOTIFYs and questions for the SOA under way at the same time, each on a UDP socket of its own',
      ),
    exchangesPerPeer: count
      .max(10_000)
      .default(32)
      .describe('of them to one peer; a peer that gives no answers gets one at a time'),
    sourceIpv4: address
      .optional()
      .register(settingFacts, { defaultText: 'what the system takes' })
      .describe('own IPv4 address that they are sent from, for peers that go by it'),
    sourceIpv6: address
      .optional()
      .register(settingFacts, { defaultText: 'what the system takes' })
      .describe('own IPv6 address that they are sent from'),
  })
  .superRefine(checkedBy(checkFleet))
  .describe('How nameservers are told of changes (NOTIFY), and asked whether they serve them.');

const limitsSchema = z
  .strictObject({
    connections: count.default(1000).describe('TCP connections in all'),
    connectionsPerAddress: count.default(100).describe('TCP connections of one address (IPv6: of one /64)'),
    queriesPerConnection: count.default(16).describe('queries of one connection answered at the same time'),
    udpQueries: count.default(1000).describe('UDP queries answered at the same time; more are dropped'),
    udpOctets: z
      .int()
      .min(512)
      .max(65_535)
      .default(1232)
      .describe('octets of the largest UDP payload that is taken and sent'),
    messageOctets: z
      .int()
      .min(512)
      .max(65_535)
      .default(4096)
      .describe('octets of the largest query that is read'),
    idleTimeout: duration(1, HOUR).default(30).describe('longest a connection may be idle'),
    stallTimeout: duration(1, HOUR).default(60).describe('longest a client may take to accept one message'),
    transfers: count.default(64).describe('transfers at once'),
    transfersWaiting: count.default(512).describe('transfers that wait for a place; more are refused'),
    transferWait: duration(1, 10 * MINUTE)
      .default(4)
      .describe('longest a transfer waits for a place'),
    transferTimeout: duration(1, 7 * DAY)
      .default(2 * HOUR)
      .describe('longest a transfer may take'),
    lookupTimeout: duration(1, 10 * MINUTE)
      .default(4)
      .describe('longest the database or key store may take to let a query be answered'),
    lookupsWaiting: count
      .default(10_000)
      .describe('questions of queries to the database that wait to be asked together; more get SERVFAIL'),
    firstMessageTimeout: duration(1, HOUR)
      .default(60)
      .describe('longest an image may take to give its first message'),
    stopTimeout: duration(0, HOUR)
      .default(10)
      .describe('longest that transfers under way may go on when the gateway is stopped'),
    spoolOctets: size(MIB)
      .default(4 * GIB)
      .describe('disk that images may take, in the folder `spool` of the data folder'),
    memoryOctets: size(64 * KIB)
      .default(128 * MIB)
      .describe('memory that images may take; when it is full, images go to the spool while they are small'),
    imageMemoryOctets: size(0).default(MIB).describe('an image larger than this goes to the spool'),
    heldOctets: size(0)
      .default(2 * GIB)
      .describe('finished images held for the next transfer; those used least recently leave first'),
    privateKeys: count.default(4096).describe('private keys held in memory'),
  })
  .describe('Every limit. What goes beyond is refused and counted; each has a metric beside it.');

const openSchema = z.strictObject({
  range: z
    .string()
    .min(1)
    .register(settingFacts, { type: 'CIDR range, or one address' })
    .describe('addresses that need no TSIG key'),
  view: view.describe('the view they get'),
});

/** The configuration of one gateway, as its YAML file has it. */
export const configSchema = z
  .strictObject({
    data: text
      .default('./zoneseal-data')
      .register(settingFacts, { type: 'folder' })
      .describe(
        'folder of the spool, of the embedded database and of the secrets of the development Barbican',
      ),
    listen: z
      .array(listenSchema)
      .min(1, 'names no address')
      .default([
        { address: '127.0.0.1', port: 5300 },
        ...(hasIpv6Loopback() ? [{ address: '::1', port: 5300 }] : []),
      ])
      .register(settingFacts, {
        defaultText: 'port 5300 of `127.0.0.1`, and of `::1` where the host has it',
      })
      .describe('where DNS is served'),
    open: z
      .array(openSchema)
      .superRefine(checkedBy(checkOpen))
      .default([])
      .register(settingFacts, { defaultText: 'none' })
      .describe(
        'address ranges that are served a view without TSIG; the longest range that an address lies in counts',
      ),
    keyPassphraseFile: file
      .optional()
      .describe('file that holds the passphrase of keys that are encrypted in Barbican'),
    keys: z
      .strictObject({
        idle: duration(1, 7 * DAY)
          .default(HOUR)
          .describe('time after which a private key that is to sign nothing any more leaves the memory'),
      })
      .prefault({})
      .describe('Private keys in memory.'),
    database: databaseSchema.prefault({}),
    barbican: barbicanSchema.optional(),
    signing: z
      .strictObject({
        workers: z
          .int()
          .min(1)
          .max(256)
          .default(Math.max(1, availableParallelism()))
          .register(settingFacts, { defaultText: 'one a core' })
          .describe('signing threads'),
        productions: z
          .int()
          .min(1)
          .max(100)
          .default(DEFAULT_PRODUCTIONS)
          .describe(
            'whole zones signed at the same time, beside them twice as many updates and as many images; at least two fewer than `database.poolSize`',
          ),
      })
      .prefault({})
      .describe('How much is signed at once.'),
    publication: z
      .strictObject({
        poll: duration(1, HOUR)
          .default(5)
          .describe('how often the database is asked for what is due; LISTEN tells of changes sooner'),
        lease: duration(3, HOUR)
          .default(60)
          .describe('time after which another gateway takes over from one that was lost'),
        retain: count
          .default(100)
          .describe('publications of a zone and view that are kept, and from which IXFR is answered'),
        // the database's to measure: no timer runs for so long
        retainAge: duration(HOUR, 3650 * DAY)
          .default(30 * DAY)
          .describe('time for which one of them is kept after another has replaced it'),
        journalOctets: size(0)
          .default(100 * MIB)
          .describe(
            'octets of differences kept of a zone in a view, the newest of them; never more than the zone has itself',
          ),
        clockSkew: duration(1, HOUR)
          .default(5)
          .describe('difference between the clocks of database and gateway that is warned of'),
      })
      .prefault({})
      .describe('How publications come about.'),
    fleet: fleetSchema.prefault({}),
    limits: limitsSchema.prefault({}),
    admin: z
      .strictObject({
        address: address.default('127.0.0.1').describe('address for HTTP; there is no authentication'),
        port: port
          .optional()
          .register(settingFacts, { defaultText: 'none: no HTTP' })
          .describe('port for HTTP; `0` takes a free one'),
      })
      .prefault({})
      .describe('HTTP for monitors: `/health`, `/ready`, `/metrics`.'),
    log: z
      .strictObject({
        level: z
          .enum(['debug', 'info', 'warn', 'error'])
          .default('info')
          .describe('least level that is written'),
        format: z
          .enum(['json', 'text'])
          .default('json')
          .register(settingFacts, { defaultText: '`json`; without a configuration file `text`' })
          .describe('JSON lines on standard output, or text for a person on standard error'),
      })
      .prefault({})
      .describe('What the gateway tells of itself.'),
  })
  .superRefine(checkedBy(checkSockets))
  .superRefine(checkedBy(checkWork));

/** A configuration with defaults filled in; durations in seconds, sizes in octets. */
export type Config = z.infer<typeof configSchema>;
