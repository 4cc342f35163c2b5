import type { Command } from 'commander';
import type { Name } from '../dns/name.js';
import { parseTsigAlgorithm } from '../dns/tsig-key.js';
import { ZonesealError } from '../errors.js';
import type { RetiredSecret } from '../gateway-store.js';
import { nameArgument } from './arguments.js';
import { type DatabaseParts, withDatabase } from './database.js';
import { UsageError } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { resolveCreations, thisCommand, warnOfDevelopment, withKeyMaker } from './stored-keys.js';
import { hint } from './stored-zone.js';
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

type RotateOptions = FileOptions & SecretOptions & { readonly finish: boolean };

/** Adds `tsig rotate`. */
export function addRotateCommand(tsig: Command): void {
  addSecretOptions(
    addFileOptions(
      tsig
        .command('rotate')
        .summary('change the secret of a TSIG key')
        .description(
          'Gives a TSIG key a new secret beside the one that it has. From then on requests are accepted with either and answered with the one they were made with; messages to peers are signed with the ' +
            'new one, and with the old one where a peer does not accept that. Once all nameservers have the new one, --finish takes the old one out of use and deletes it in Barbican.',
        )
        .argument('<name>', 'the name of the key', nameArgument),
    ),
  )
    .option('--finish', 'end the change: only the new secret counts, the old one is deleted', false)
    .action(async (name: Name, _: unknown, self: Command) => {
      const options = self.optsWithGlobals<RotateOptions>();
      if (options.finish) await finish(name, options);
      else await begin(name, options);
    });
}

async function begin(name: Name, options: RotateOptions): Promise<void> {
  const text = name.toLower().toString();
  const files = await openFiles(options);
  try {
    const secret = await withDatabase(options, async (parts) => {
      const { algorithm, nextSecretRef } = await findKey(parts.tsig, name);
      if (nextSecretRef !== undefined) {
        throw new ZonesealError(
          'ALREADY_HELD',
          `TSIG key ${text} has a second secret already; end that change with: zoneseal tsig rotate ${text} --finish`,
          { name: text },
        );
      }
      const known = algorithmOf(text, algorithm);
      const given = readGivenSecret(name, { ...options, algorithm: known });
      const wanted = given ?? newSecret(known);
      await storeNext(parts, name, wanted, options);
      return { ...wanted, isGiven: given !== undefined };
    });
    hint(options, `TSIG key ${text}: it has a new secret beside the old one`);
    await writeFiles(files, name, secret, options);
    if (files.length === 0 && !secret.isGiven) {
      hint(
        options,
        `write the file that the nameservers need with: zoneseal tsig export ${text} --key-file FILE`,
      );
    }
  } catch (error) {
    for (const { sink } of files) await sink.abort();
    throw error;
  }
  hint(options, `once all nameservers have it, end the change with: zoneseal tsig rotate ${text} --finish`);
}

function algorithmOf(name: string, text: string): Secret['algorithm'] {
  const algorithm = parseTsigAlgorithm(text);
  if (algorithm !== undefined) return algorithm;
  throw new ZonesealError('TSIG_KEY_INVALID', `TSIG key ${name}: unknown algorithm ${text}`);
}

async function storeNext(
  parts: DatabaseParts,
  name: Name,
  { algorithm, octets }: Secret,
  options: GlobalOptions,
): Promise<void> {
  await withKeyMaker(parts, async (maker, keyStore) => {
    warnOfDevelopment(keyStore, options);
    await resolveCreations(maker, options);
    const stored = await maker.storeTsigSecret(name, algorithm, octets);
    try {
      await parts.tsig.rotate(name.toLower().toString(), stored.secretRef);
    } catch (error) {
      await maker.discard(stored);
      throw error;
    }
  });
}

async function finish(name: Name, options: RotateOptions): Promise<void> {
  const { keyFile, kdigFile, secretFile, secretEnv, secretStdin } = options;
  if ([keyFile, kdigFile, secretFile, secretEnv, secretStdin].some((it) => it !== undefined)) {
    throw new UsageError('--finish ends a change that was begun; it neither takes nor writes a secret');
  }
  const text = name.toLower().toString();
  await withDatabase(options, async (parts) => {
    await removeSecrets(parts, name, [await parts.tsig.finishRotation(text, thisCommand())]);
  });
  hint(options, `TSIG key ${text}: only the new secret counts`);
}

/** Deletes secrets that no TSIG key has any more; when that fails, gateways and later commands do it. */
export async function removeSecrets(
  parts: DatabaseParts,
  name: Name,
  secrets: readonly RetiredSecret[],
): Promise<void> {
  await withKeyMaker(parts, async (maker) => {
    for (const secret of secrets) await maker.removeTsigSecret(name, secret);
  });
}
