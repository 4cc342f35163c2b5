import type { Command } from 'commander';
import { Name } from '../dns/name.js';
import { parseTsigAlgorithm } from '../dns/tsig-key.js';
import { ZonesealError } from '../errors.js';
import type { NewTsigGrant, StoredTsigKey } from '../gateway-store.js';
import { readTsigSecret } from '../keys/tsig-secret-ring.js';
import { findGrantOverlap } from '../transfer/grant-overlap.js';
import {
  jsonOption,
  nameArgument,
  namesArgument,
  rangesArgument,
  tsigAlgorithmArgument,
  viewsArgument,
} from './arguments.js';
import { type DatabaseParts, withDatabase } from './database.js';
import { UsageError } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import {
  resolveCreations,
  thisCommand,
  warnOfDevelopment,
  withKeyMaker,
  withKeyStore,
} from './stored-keys.js';
import { hint } from './stored-zone.js';
import { printJson, printTable } from './terminal.js';
import { addRotateCommand, removeSecrets } from './tsig-rotate.js';
import {
  addFileOptions,
  addSecretOptions,
  type FileOptions,
  findKey,
  newSecret,
  openFiles,
  readGivenSecret,
  type Secret,
  type SecretOptions,
  writeFiles,
} from './tsig-secret.js';

interface GrantOptions {
  readonly view: readonly string[];
  readonly zone?: readonly Name[];
  readonly address?: readonly string[];
}

interface AddOptions extends FileOptions, SecretOptions, GrantOptions {
  readonly json?: true;
}

interface DeleteOptions extends GlobalOptions {
  readonly keepSecret: boolean;
}

/** Adds `tsig` and its subcommands. */
export function addTsigCommands(program: Command): void {
  const tsig = program.command('tsig').summary('TSIG keys of nameservers');
  addSecretOptions(
    addFileOptions(
      addGrantOptions(
        tsig
          .command('add')
          .summary('add a TSIG key')
          .description(
            'Adds a TSIG key with what it is for: the view that it gets, one for each zone and address. Its secret is made here, or read from a file, the environment or standard input: a BIND key statement, ' +
              'algorithm:name:base64, or the base64 alone. It is stored in Barbican; the database gets the reference.',
          )
          .argument('<name>', 'the name of the key, as the nameserver has it', nameArgument),
      ).option(
        '--algorithm <algorithm>',
        'hmac-sha256, -sha384, -sha512, -sha224 or -sha1 (default: what the secret says, or hmac-sha256)',
        tsigAlgorithmArgument,
      ),
    ),
  )
    .addOption(jsonOption())
    .action(async (name: Name, _: unknown, self: Command) => {
      await add(name, self.optsWithGlobals<AddOptions>());
    });
  addGrantOptions(
    tsig
      .command('grant')
      .summary('let a TSIG key have more')
      .description(
        'Lets a TSIG key take more zones, or from more addresses, beside what it may take already. A key that would see one zone in two views at one address would get neither, and is refused: make one key for each view.',
      )
      .argument('<name>', 'the name of the key', nameArgument),
  ).action(async (name: Name, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<GlobalOptions & GrantOptions>();
    const grants = grantsOf(options);
    await withDatabase(options, async ({ tsig }) => {
      const key = await findKey(tsig, name);
      refuseOverlap(key.name, grants, key.grants);
      for (const grant of grants) await tsig.grant(name.toString(), grant);
    });
    hint(options, `TSIG key ${name}: ${grantsOf(options).map(grantText).join('; ')}`);
  });
  addFileOptions(
    tsig
      .command('export')
      .summary('write the key file of a TSIG key')
      .description(
        'Writes a TSIG key, its secret fetched from Barbican, to files that their owner alone can read. While the key is being changed it is the new secret.',
      )
      .argument('<name>', 'the name of the key', nameArgument),
  ).action(async (name: Name, _: unknown, self: Command) => {
    await exportKey(name, self.optsWithGlobals<FileOptions>());
  });
  addRotateCommand(tsig);
  tsig
    .command('list')
    .summary('list TSIG keys')
    .description(
      'Lists the TSIG keys, what each is for, and since when it has a second secret where it is being changed; no secrets.',
    )
    .addOption(jsonOption())
    .action(async (_: unknown, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions & { json?: true }>();
      const keys = await withDatabase(options, ({ tsig }) => tsig.list());
      if (options.json === true) await printJson(keys);
      else
        await printTable(
          ['KEY', 'ALGORITHM', 'VIEW', 'ZONES', 'ADDRESSES', 'NEW SECRET'],
          keys.flatMap(listLines),
        );
    });
  tsig
    .command('delete')
    .summary('delete a TSIG key')
    .description('Deletes a TSIG key with all it is for, and its secret in Barbican.')
    .argument('<name>', 'the name of the key', nameArgument)
    .option('--keep-secret', 'leave the secret in Barbican', false)
    .action(async (name: Name, _: unknown, self: Command) => {
      await remove(name, self.optsWithGlobals<DeleteOptions>());
    });
}

function addGrantOptions(command: Command): Command {
  return command
    .requiredOption('--view <view>', 'the view it gets', viewsArgument)
    .option(
      '--zone <zone>',
      'this zone alone; may be given several times (default: every zone of the view)',
      namesArgument,
    )
    .option(
      '--address <range>',
      'from this address or range alone; may be given several times (default: from any)',
      rangesArgument,
    );
}

function grantsOf({ view, zone, address }: GrantOptions): NewTsigGrant[] {
  const zones = zone?.map((name) => name.toLower().toString()) ?? null;
  return view.map((name) => ({ view: name, zones, addresses: address ?? null }));
}

/** @throws ZonesealError ACCESS_INVALID when a key would see a zone in two views at one address */
function refuseOverlap(
  key: string,
  added: readonly NewTsigGrant[],
  present: readonly NewTsigGrant[] = [],
): void {
  const overlap = findGrantOverlap(added, present);
  if (overlap === undefined) return;
  const { views, zone, address } = overlap;
  const what = zone === null ? 'every zone' : `zone ${zone}`;
  const from = address === null ? 'any address' : address;
  throw new ZonesealError(
    'ACCESS_INVALID',
    `TSIG key ${key}: it would have ${what} in the views ${views.join(' and ')} from ${from}, and so be refused in both: ` +
      'the key decides which view is seen; make one key for each view, or keep the views apart by --zone or --address',
    { key, views, zone, address },
  );
}

async function add(name: Name, options: AddOptions): Promise<void> {
  const given = readGivenSecret(name, options);
  const algorithm = given?.algorithm ?? options.algorithm ?? 'hmac-sha256';
  const secret = given ?? newSecret(algorithm);
  const keyName = name.toLower().toString();
  const grants = grantsOf(options);
  refuseOverlap(keyName, grants);
  // a key whose file cannot be made is not stored either
  const files = await openFiles(options);
  try {
    const secretRef = await withDatabase(options, (parts) =>
      storeKey(parts, keyName, secret, grants, options),
    );
    if (options.json === true) await printJson({ name: keyName, algorithm, secretRef, grants });
    else hint(options, `TSIG key ${keyName} (${algorithm}) added: ${grants.map(grantText).join('; ')}`);
    await writeFiles(files, name, secret, options);
  } catch (error) {
    for (const { sink } of files) await sink.abort();
    throw error;
  }
  if (options.json !== true && files.length === 0 && given === undefined) {
    hint(
      options,
      `write the file that the nameserver needs with: zoneseal tsig export ${keyName} --key-file FILE`,
    );
  }
}

/** Stores the secret, then the row; a secret whose row is refused does not stay behind. */
async function storeKey(
  parts: DatabaseParts,
  name: string,
  { algorithm, octets }: Secret,
  grants: readonly NewTsigGrant[],
  options: GlobalOptions,
): Promise<string> {
  const { tsig } = parts;
  if ((await tsig.list()).some((key) => key.name === name)) {
    throw new ZonesealError(
      'ALREADY_HELD',
      `there is a TSIG key "${name}" already; see: zoneseal tsig list`,
      { name },
    );
  }
  return withKeyMaker(parts, async (maker, keyStore) => {
    warnOfDevelopment(keyStore, options);
    await resolveCreations(maker, options);
    const stored = await maker.storeTsigSecret(Name.parse(name), algorithm, octets);
    const { secretRef } = stored;
    try {
      await tsig.add({ name, algorithm, secretRef, grants });
    } catch (error) {
      await maker.discard(stored);
      throw error;
    }
    return secretRef;
  });
}

async function exportKey(name: Name, options: FileOptions): Promise<void> {
  if (options.keyFile === undefined && options.kdigFile === undefined) {
    throw new UsageError('name a file to write: --key-file or --kdig-file');
  }
  const secret = await withDatabase(options, async ({ config, tsig }): Promise<Secret> => {
    const { algorithm, secretRef, nextSecretRef } = await findKey(tsig, name);
    const known = parseTsigAlgorithm(algorithm);
    if (known === undefined)
      throw new ZonesealError('TSIG_KEY_INVALID', `TSIG key ${name}: unknown algorithm ${algorithm}`);
    const payload = await withKeyStore(config, ({ client }) =>
      client.fetchPayload(nextSecretRef ?? secretRef),
    );
    const key = readTsigSecret({ name: name.toString(), algorithm: known }, payload);
    return { algorithm: known, octets: key.secret };
  });
  await writeFiles(await openFiles(options), name, secret, options);
}

async function remove(name: Name, options: DeleteOptions): Promise<void> {
  await withDatabase(options, async (parts) => {
    const { name: text } = await findKey(parts.tsig, name);
    if (options.keepSecret) await parts.tsig.delete(text);
    else await removeSecrets(parts, name, await parts.tsig.delete(text, { by: thisCommand() }));
  });
  hint(options, `TSIG key ${name} deleted`);
}

function listLines({ name, algorithm, grants, nextSince }: StoredTsigKey): string[][] {
  const change = nextSince === undefined ? '-' : `since ${nextSince}`;
  if (grants.length === 0) return [[name, algorithm, '-', '-', '-', change]];
  return grants.map(({ view, zones, addresses }) => [
    name,
    algorithm,
    view,
    zones?.join(',') ?? 'all',
    addresses?.join(',') ?? 'any',
    change,
  ]);
}

function grantText({ view, zones, addresses }: NewTsigGrant): string {
  return `${zones?.join(', ') ?? 'every zone'} in view ${view}, from ${addresses?.join(', ') ?? 'any address'}`;
}
