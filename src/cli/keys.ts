import { type Command, Option } from 'commander';
import type { Name } from '../dns/name.js';
import { algorithmToText } from '../dnssec/algorithm.js';
import type { ManagedKey } from '../keys/rollover/model.js';
import {
  algorithmArgument,
  algorithmList,
  jsonOption,
  nameArgument,
  numberArgument,
  roleArgument,
  viewArgument,
} from './arguments.js';
import { withDatabase } from './database.js';
import type { GlobalOptions } from './global-options.js';
import { managedKeyJson } from './key-text.js';
import { type DeleteKeyOptions, deleteKey } from './keys-delete.js';
import { type DsOptions, printDs } from './keys-ds.js';
import { type GenerateOptions, generateKeys } from './keys-generate.js';
import { type ImportKeysOptions, importKeys } from './keys-import.js';
import { proveKeys } from './keys-proof.js';
import { addRollCommands } from './keys-roll.js';
import { hint } from './stored-zone.js';
import { printJson, printTable } from './terminal.js';

interface ListOptions extends GlobalOptions {
  readonly json?: true;
}

/** Adds `keys` and its subcommands. */
export function addKeysCommands(program: Command): void {
  const keys = program.command('keys').summary('keys that sign zones');
  addRoleOptions(
    keys
      .command('generate')
      .summary('make keys for a zone')
      .description(
        "Makes keys, stores them in Barbican, and adds them to the zone's key set, where they sign and are published at once: keys that caches are not ready for are refused. Without --role " +
          'a zone that has no keys gets those that its policy wants: a KSK and a ZSK, or a CSK.',
      )
      .argument('<zone>', 'the zone', nameArgument)
      .option('--bits <n>', 'of an RSA key (default: that of the policy)', numberArgument(1024, 4096)),
    { role: 'those that the policy wants, for a zone that has no keys', algorithm: 'that of the policy' },
  )
    .addOption(jsonOption())
    .action(async (zone: Name, _: unknown, self: Command) => {
      await generateKeys(zone, self.optsWithGlobals<GenerateOptions>());
    });
  addRoleOptions(
    keys
      .command('import')
      .summary('take over keys that there are')
      .description(
        "Adds keys to a zone's key set: private keys from files (PKCS#8, PKCS#1, SEC1, PEM or DER, encrypted too, PKCS#12, or BIND's .private), " +
          'all keys of the zone from folders of K*.private and K*.key files, or secrets that are in Barbican already, by their references. ' +
          'What comes from files is stored in Barbican; delete the files afterwards. A passphrase is read from keyPassphraseFile of the configuration, ' +
          'or from the environment variable ZONESEAL_KEY_PASSPHRASE.',
      )
      .argument('<zone>', 'the zone', nameArgument)
      .argument(
        '<sources...>',
        'files, folders, or Barbican references (URLs that end in /secrets/ and an id)',
      ),
    {
      role: 'of files none; of folders what the flags in K*.key files say; of references what their metadata says, or CSK',
      algorithm:
        "the key's own; for RSA, which fits two, the one that its file or metadata names or the policy has",
    },
  )
    .addOption(jsonOption())
    .action(async (zone: Name, sources: readonly string[], _: unknown, self: Command) => {
      await importKeys(zone, sources, self.optsWithGlobals<ImportKeysOptions>());
    });
  keys
    .command('list')
    .summary('list keys')
    .description(
      'Lists the keys of a zone, or of all zones, with where their private halves are; nothing secret.',
    )
    .argument('[zone]', 'the zone', nameArgument)
    .addOption(jsonOption())
    .action(async (zone: Name | undefined, _: unknown, self: Command) => {
      const options = self.optsWithGlobals<ListOptions>();
      const found = await withDatabase(options, (parts) => parts.keys.list(zone?.toString()));
      if (options.json === true) await printJson(found.map(managedKeyJson));
      else
        await printTable(
          ['ZONE', 'ROLE', 'TAG', 'ALGORITHM', 'VIEW', 'STATE', 'SECRET'],
          found.map(listLine),
        );
    });
  keys
    .command('ds')
    .summary('print the DS records of a zone')
    .description(
      'Prints the DS records (digest types 2 and 4) that are wanted at the parent zone now, the DNSKEY records of the keys they stand for, and a trust anchor for delv and named, ' +
        'which is of the keys that sign the DNSKEY RRset. During a roll the parent may be to have the DS of a key that is not published yet, or not that of one that is still. ' +
        'Only the DS records are not comments, so that the output can be pasted into the parent zone, or be a trust-anchor-file of unbound.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .addOption(
      new Option(
        '--format <format>',
        'print one form alone: ds and dnskey as records, cds the CDS and CDNSKEY records that are published to ask the parent for them, trust-anchors as delv -a and named read them, or json',
      )
        .choices(['all', 'ds', 'cds', 'dnskey', 'trust-anchors', 'json'])
        .default('all'),
    )
    .action(async (zone: Name, _: unknown, self: Command) => {
      await printDs(zone, self.optsWithGlobals<DsOptions>());
    });
  addRollCommands(keys);
  addStoredKeysCommands(keys);
}

/** What concerns the private halves alone. */
function addStoredKeysCommands(keys: Command): void {
  keys
    .command('test')
    .summary('prove that keys can sign')
    .description(
      'Fetches the private key of each key of a zone, or of all zones, compares its public half with the DNSKEY, signs with it and verifies that. Prints OK, or ' +
        'what is wrong; exits with 1 if any fails. It is done as the user that the command is to Barbican, which may be another than the gateways are.',
    )
    .argument('[zone]', 'the zone', nameArgument)
    .addOption(jsonOption())
    .action(async (zone: Name | undefined, _: unknown, self: Command) => {
      await proveKeys(zone, self.optsWithGlobals<ListOptions>());
    });
  keys
    .command('lock')
    .summary('have all gateways drop keys from memory')
    .description(
      'Has every running gateway drop all private keys and TSIG secrets from its memory, at once where notifications of the database arrive, else within publication.poll. ' +
        'What is being signed at that moment is ended with the keys that it has. Afterwards they are fetched from Barbican at need: take away what gives the gateways access to it ' +
        'first where they are not to come back.',
    )
    .action(async (_: unknown, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions>();
      const running = await withDatabase(options, async ({ store }) => {
        await store.creations.lock();
        return store.gateways.list();
      });
      hint(options, `${running.length} running ${running.length === 1 ? 'gateway is' : 'gateways are'} told`);
    });
  keys
    .command('delete')
    .summary('delete a key that is out of use')
    .description(
      'Deletes a key that neither signs nor is published: its private key in Barbican, unless another zone uses the same secret or an operator has put it there himself, and then the key itself. There is no way back.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .argument('<tag>', 'its key tag', numberArgument(0, 65_535))
    .option('--yes', 'do not ask; needed where there is no terminal', false)
    .option('--any-secret', 'delete its secret also where it was not put into Barbican from here', false)
    .action(async (zone: Name, tag: number, _: unknown, self: Command) => {
      await deleteKey(zone, tag, self.optsWithGlobals<DeleteKeyOptions>());
    });
}

function addRoleOptions(
  command: Command,
  defaults: { readonly role: string; readonly algorithm: string },
): Command {
  return command
    .option('--role <role>', `KSK, ZSK or CSK (default: ${defaults.role})`, roleArgument)
    .option(
      '--algorithm <algorithm>',
      `one of ${algorithmList()} (default: ${defaults.algorithm})`,
      algorithmArgument,
    )
    .option('--view <view>', 'ZSKs that sign in this view alone, in place of the general ones', viewArgument);
}

function listLine(key: ManagedKey): string[] {
  const state = stateText(key);
  const { zone, role, keyTag, algorithm, view, secretRef } = key;
  return [zone, role, String(keyTag), algorithmToText(algorithm), view ?? 'all', state, secretRef];
}

function stateText({ published, signs, keySetsOnly, parent, goal, removedAt }: ManagedKey): string {
  if (removedAt !== null) return 'taken out';
  const does = [
    ...(published ? ['published'] : []),
    ...(signs ? [keySetsOnly ? 'signs the key sets' : 'signs'] : []),
    ...(parent ? ['wanted at the parent'] : []),
  ];
  return `${does.join(', ') || 'unused'}${goal === 'out' ? '; to go' : ''}`;
}
