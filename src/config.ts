import { readFileSync } from 'node:fs';
import { availableParallelism, networkInterfaces } from 'node:os';
import { dirname, resolve } from 'node:path';
import ipaddr from 'ipaddr.js';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { z } from 'zod';
import { ZonesealError } from './errors.js';
import { durationSchema } from './keys/policy.js';

const address = z
  .string()
  .refine((text) => ipaddr.isValid(text), 'is no IPv4 or IPv6 address')
  .describe('IPv4 or IPv6 address');
const port = z.int().min(0).max(65_535);
const count = z.int().min(1).max(1_000_000);
const octets = z.union([z.number(), z.string()]).transform((value, context) => {
  const match = /^([0-9]+)\s*(k|m|g)?(i?b)?$/i.exec(String(value));
  const unit = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[(match?.[2] ?? '').toLowerCase()] ?? 1;
  const size = match === null ? Number.NaN : Number(match[1]) * unit;
  if (!Number.isSafeInteger(size)) {
    context.addIssue({ code: 'custom', message: `"${value}" is no size; write octets, or such as 64M` });
    return z.NEVER;
  }
  return size;
});
const view = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'is no view name (a-z, 0-9, _ and -, at most 63)');
const url = (protocols: RegExp): z.ZodURL => z.url({ protocol: protocols });

/** A secret in the file itself is refused by design: it comes from a file of its own or from the environment. */
const secretFile = z.string().min(1);

function hasIpv6Loopback(): boolean {
  return Object.values(networkInterfaces()).some((list) => list?.some((it) => it.address === '::1'));
}

const listenSchema = z.strictObject({
  address: address.describe('address to listen on, UDP and TCP; 0.0.0.0 and :: for all'),
  port: port.default(5300).describe('port for UDP and TCP; 0 takes a free one'),
});

const databaseSchema = z
  .strictObject({
    url: url(/^postgres(ql)?$/)
      .optional()
      .describe('PostgreSQL to use, without the password; left out, the embedded one in the data folder'),
    passwordFile: secretFile.optional().describe('file that holds the password'),
    caFile: z.string().optional().describe('PEM file of the CA that signed the server certificate'),
    poolSize: z.int().min(2).max(200).default(10).describe('connections at the most'),
    statementTimeout: durationSchema.default(60).describe('longest a single statement may take'),
    connectTimeout: durationSchema.default(10).describe('longest a connection may take to be made'),
  })
  .describe('where zones are kept');

const barbicanSchema = z
  .strictObject({
    keystoneUrl: url(/^https?$/).describe('Keystone, with /v3'),
    barbicanUrl: url(/^https?$/)
      .optional()
      .describe('Barbican; left out, the catalog says where it is'),
    region: z.string().optional().describe('region in the catalog'),
    interface: z.enum(['public', 'internal', 'admin']).default('public').describe('interface in the catalog'),
    username: z.string().optional().describe('user for password authentication'),
    userDomain: z.string().default('Default').describe('domain name of the user'),
    project: z.string().optional().describe('project name for password authentication'),
    projectDomain: z.string().default('Default').describe('domain name of the project'),
    passwordFile: secretFile.optional().describe('file that holds the password'),
    applicationCredentialId: z.string().optional().describe('application credential, in place of a user'),
    applicationCredentialSecretFile: secretFile.optional().describe('file that holds its secret'),
    caFile: z.string().optional().describe('PEM file of a private CA'),
    microversion: z
      .string()
      .regex(/^[0-9]+\.[0-9]+$/)
      .optional()
      .describe('API microversion to ask for'),
    timeout: durationSchema.default(10).describe('longest a request may take'),
  })
  .describe('Barbican behind Keystone; left out, the development Barbican with throw-away keys is started');

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
      .describe('largest UDP payload that is taken and sent'),
    messageOctets: z.int().min(512).max(65_535).default(4096).describe('largest query that is read'),
    idleTimeout: durationSchema.default(30).describe('longest a connection may be idle'),
    stallTimeout: durationSchema.default(60).describe('longest a client may take to accept one message'),
    transfers: count.default(64).describe('transfers at once'),
    transfersWaiting: count.default(512).describe('transfers that wait for a place; more are refused'),
    transferWait: durationSchema.default(4).describe('longest a transfer waits for a place'),
    transferTimeout: durationSchema.default(7200).describe('longest a transfer may take'),
    lookupTimeout: durationSchema
      .default(4)
      .describe('longest the database or key store may take to let a query be answered'),
    firstMessageTimeout: durationSchema
      .default(60)
      .describe('longest an image may take to give its first message'),
    spoolOctets: octets.default(4 * 1024 ** 3).describe('disk that images may take'),
    memoryOctets: octets.default(128 * 1024 ** 2).describe('memory that images may take'),
    imageMemoryOctets: octets.default(1024 ** 2).describe('an image larger than this goes to the spool'),
    heldOctets: octets.default(2 * 1024 ** 3).describe('finished images held for the next transfer'),
    privateKeys: count.default(4096).describe('private keys held in memory'),
  })
  .describe('every limit; what goes beyond is refused and counted');

/** The configuration of one gateway, as its YAML file has it. */
export const configSchema = z.strictObject({
  data: z
    .string()
    .default('./zoneseal-data')
    .describe('folder of the embedded database, spool and development keys'),
  listen: z
    .array(listenSchema)
    .min(1)
    .default([
      { address: '127.0.0.1', port: 5300 },
      ...(hasIpv6Loopback() ? [{ address: '::1', port: 5300 }] : []),
    ])
    .describe('where DNS is served; by default the loopback addresses that the host has, port 5300'),
  database: databaseSchema.prefault({}),
  barbican: barbicanSchema.optional(),
  keyPassphraseFile: secretFile.optional().describe('file with the passphrase of encrypted keys in Barbican'),
  open: z
    .array(
      z.strictObject({
        range: z
          .string()
          .refine((text) => ipaddr.isValidCIDR(text), 'is no CIDR range')
          .describe('addresses that need no TSIG key'),
        view: view.describe('the view they get'),
      }),
    )
    .default([])
    .describe('address ranges opened without TSIG; nothing by default'),
  signing: z
    .strictObject({
      workers: z
        .int()
        .min(1)
        .max(256)
        .default(Math.max(1, availableParallelism()))
        .describe('signing threads'),
      productions: count.default(4).describe('publications made at the same time'),
    })
    .prefault({}),
  publication: z
    .strictObject({
      poll: durationSchema.default(5).describe('how often the database is asked for what is due'),
      lease: durationSchema
        .default(60)
        .describe('time after which another gateway takes over from one that was lost'),
      retain: count.default(10).describe('publications of a zone and view whose rows are kept'),
      clockSkew: durationSchema
        .default(5)
        .describe('difference between database and local clock that is warned of'),
    })
    .prefault({}),
  limits: limitsSchema.prefault({}),
  admin: z
    .strictObject({
      address: address.default('127.0.0.1'),
      port: port.optional().describe('port; left out, there is none; 0 takes a free one'),
    })
    .prefault({})
    .describe('HTTP for health and metrics'),
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error'])
        .default('info')
        .describe('least level that is written'),
      format: z.enum(['json', 'text']).default('json').describe('json lines, or text for a person'),
    })
    .prefault({}),
});

/** A configuration with defaults filled in; durations in seconds, sizes in octets. */
export type Config = z.infer<typeof configSchema>;

/** One setting, for the reference and for environment variables. */
export interface Setting {
  readonly path: readonly string[];
  readonly variable: string;
  readonly description: string;
  readonly schema: z.ZodType;
  readonly defaultValue: unknown;
}

interface Wrapped {
  readonly def: { readonly type: string; readonly innerType?: z.ZodType; readonly defaultValue?: unknown };
}

/** Every single setting of a schema, lists as one. */
export function settingsOf(schema: z.ZodType = configSchema, path: readonly string[] = []): Setting[] {
  let inner: z.ZodType = schema;
  let defaultValue: unknown;
  let description = schema.description;
  for (;;) {
    const { def } = inner as unknown as Wrapped;
    if (def.innerType === undefined) break;
    defaultValue ??= def.defaultValue;
    inner = def.innerType;
    description ??= inner.description;
  }
  if (inner instanceof z.ZodObject) {
    return Object.entries(inner.shape as Record<string, z.ZodType>).flatMap(([key, value]) =>
      settingsOf(value, [...path, key]),
    );
  }
  return [{ path, variable: variableOf(path), description: description ?? '', schema, defaultValue }];
}

/** `limits.spoolOctets` → `ZONESEAL_LIMITS_SPOOL_OCTETS`. */
function variableOf(path: readonly string[]): string {
  return ['zoneseal', ...path].map((part) => part.replace(/([A-Z])/g, '_$1').toUpperCase()).join('_');
}

/** Secrets that the environment may hold in place of a file; never a part of the parsed configuration. */
export const SECRET_VARIABLES = {
  databasePassword: 'ZONESEAL_DATABASE_PASSWORD',
  barbicanPassword: 'ZONESEAL_BARBICAN_PASSWORD',
  barbicanApplicationCredentialSecret: 'ZONESEAL_BARBICAN_APPLICATION_CREDENTIAL_SECRET',
  keyPassphrase: 'ZONESEAL_KEY_PASSPHRASE',
} as const;

/**
 * Reads and checks a configuration file; without one, the defaults. Environment variables override single settings
 * (lists as YAML). Relative paths are taken from the file's folder.
 * @throws ZonesealError CONFIG_INVALID naming every error with its line
 */
export function loadConfig(file: string | undefined, environment: NodeJS.ProcessEnv = process.env): Config {
  const name = file ?? 'defaults';
  let text = '';
  if (file !== undefined) {
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      throw invalid([`${file}: cannot be read: ${(error as Error).message}`]);
    }
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  if (document.errors.length > 0) {
    throw invalid(
      document.errors.map((e) => `${name}:${lines.linePos(e.pos[0]).line}: ${e.message.split('\n')[0]}`),
    );
  }
  const raw: unknown = document.toJS() ?? {};
  const overridden = applyEnvironment(raw, environment);
  const result = configSchema.safeParse(overridden.value);
  const errors = overridden.errors;
  if (!result.success) {
    for (const issue of result.error.issues) {
      const path = issue.path.map(String);
      const keys = issue.code === 'unrecognized_keys' ? issue.keys : [undefined];
      for (const key of keys) {
        const full = key === undefined ? path : [...path, key];
        const what = key === undefined ? issue.message : 'no such setting';
        const line = lineOf(document.contents, full, lines);
        const variable = variableOf(full);
        const where =
          environment[variable] === undefined ? `${name}${line === undefined ? '' : `:${line}`}` : variable;
        errors.push(`${where}: ${full.join('.') || 'the configuration'}: ${what}`);
      }
    }
  }
  if (result.success) errors.push(...contradictions(result.data, name));
  if (errors.length > 0 || !result.success) throw invalid(errors);
  return withAbsolutePaths(result.data, file === undefined ? process.cwd() : dirname(resolve(file)));
}

function invalid(errors: readonly string[]): ZonesealError {
  return new ZonesealError('CONFIG_INVALID', errors.join('\n'), { errors });
}

function contradictions(config: Config, name: string): string[] {
  const errors: string[] = [];
  const { barbican, database } = config;
  if (database.url !== undefined && new URL(database.url).password !== '') {
    errors.push(
      `${name}: database.url: holds a password; put it into a file and name it in database.passwordFile`,
    );
  }
  if (barbican !== undefined) {
    const byPassword = barbican.username !== undefined;
    const byCredential = barbican.applicationCredentialId !== undefined;
    if (byPassword === byCredential) {
      errors.push(`${name}: barbican: give either username and project, or applicationCredentialId`);
    }
    if (byPassword && barbican.project === undefined) errors.push(`${name}: barbican.project: is missing`);
  }
  return errors;
}

function applyEnvironment(
  raw: unknown,
  environment: NodeJS.ProcessEnv,
): { value: unknown; errors: string[] } {
  const errors: string[] = [];
  const value: unknown = typeof raw === 'object' && raw !== null ? structuredClone(raw) : raw;
  if (typeof value !== 'object' || value === null) return { value, errors };
  for (const { path, variable } of settingsOf()) {
    const text = environment[variable];
    if (text === undefined) continue;
    const parsed = parseDocument(text);
    if (parsed.errors.length > 0) {
      errors.push(`${variable}: is no YAML value`);
      continue;
    }
    let target = value as Record<string, unknown>;
    for (const key of path.slice(0, -1)) {
      if (typeof target[key] !== 'object' || target[key] === null) target[key] = {};
      target = target[key] as Record<string, unknown>;
    }
    target[path.at(-1) as string] = parsed.toJS();
  }
  return { value, errors };
}

/** The line of the innermost part of a path that the document has. */
function lineOf(node: Node | null, path: readonly string[], lines: LineCounter): number | undefined {
  let current: unknown = node;
  let offset: number | undefined;
  for (const key of path) {
    let next: unknown;
    if (isMap(current)) {
      const pair = current.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
      const at = isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
      if (at !== undefined) offset = at;
      next = pair?.value;
    } else if (isSeq(current)) {
      next = current.items[Number(key)];
      const at = (next as Node | undefined)?.range?.[0];
      if (at !== undefined) offset = at;
    }
    if (next === undefined) break;
    current = next;
  }
  return offset === undefined ? undefined : lines.linePos(offset).line;
}

function withAbsolutePaths(config: Config, folder: string): Config {
  const absolute = <T extends string | undefined>(path: T): T =>
    (path === undefined ? path : resolve(folder, path)) as T;
  const { database, barbican } = config;
  return {
    ...config,
    data: absolute(config.data),
    keyPassphraseFile: absolute(config.keyPassphraseFile),
    database: {
      ...database,
      passwordFile: absolute(database.passwordFile),
      caFile: absolute(database.caFile),
    },
    barbican: barbican && {
      ...barbican,
      passwordFile: absolute(barbican.passwordFile),
      applicationCredentialSecretFile: absolute(barbican.applicationCredentialSecretFile),
      caFile: absolute(barbican.caFile),
    },
  };
}

/**
 * A secret from the environment or from its file, the line end of the file left out.
 * @throws ZonesealError CONFIG_INVALID when the file cannot be read
 */
export function readSecret(
  variable: string,
  file: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): string | undefined {
  const text = environment[variable];
  if (text !== undefined) return text;
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw invalid([`${file}: cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'error'}`]);
  }
}
