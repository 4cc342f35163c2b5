import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { EXIT_CODES } from './exit.js';
import { failureJson } from './failure.js';
import { addGlobalOptions } from './global-options.js';

/** Each command with what adds it, in the order of the help. */
const COMMANDS: readonly (readonly [name: string, load: () => Promise<(program: Command) => void>])[] = [
  ['serve', async () => (await import('./serve.js')).addServeCommand],
  ['zone', async () => (await import('./zone.js')).addZoneCommands],
  ['rrset', async () => (await import('./rrset.js')).addRrsetCommands],
  ['view', async () => (await import('./view.js')).addViewCommands],
  ['policy', async () => (await import('./policy.js')).addPolicyCommands],
  ['keys', async () => (await import('./keys.js')).addKeysCommands],
  ['tsig', async () => (await import('./tsig.js')).addTsigCommands],
  ['peer', async () => (await import('./peer.js')).addPeerCommands],
  ['parent', async () => (await import('./parent.js')).addParentCommands],
  ['publish', async () => (await import('./publish.js')).addPublishCommand],
  ['status', async () => (await import('./status.js')).addStatusCommand],
  ['migrate', async () => (await import('./migrate.js')).addMigrateCommand],
  ['check', async () => (await import('./check.js')).addCheckCommand],
  ['sign', async () => (await import('./sign.js')).addSignCommand],
  ['verify', async () => (await import('./verify.js')).addVerifyCommand],
];

/**
 * The whole command; parsing it runs its subcommands.
 * @param json tell of wrong command lines as a program reads them
 * @param words those of a command line: only the subcommand that it names is there, for loading all takes longer than most of
 *   them do; where it names none, all are
 */
export async function buildProgram(json = false, words: readonly string[] = []): Promise<Command> {
  const program = new Command('zoneseal');
  program
    .description(
      'A DNSSEC-signing transfer gateway: unsigned zones in PostgreSQL, keys in Barbican, signed zones out by AXFR.',
    )
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print what is possible')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      outputError: (text, write) => write(json ? asJson(text) : text.replace(/^error: /, 'zoneseal: ')),
    })
    .showHelpAfterError(json ? false : '(add --help for what is possible)')
    .exitOverride();
  addGlobalOptions(program);
  const first = firstCommand(program, words);
  const named = COMMANDS.filter(([name]) => name === first);
  const adding = (named.length > 0 ? named : COMMANDS).map(([, load]) => load());
  for (const add of await Promise.all(adding)) add(program);
  const codes = Object.values(EXIT_CODES).map(
    ({ code, meaning }) => `  ${String(code).padEnd(4)} ${meaning}`,
  );
  program.addHelpText('after', `\nExit codes:\n${codes.join('\n')}`);
  return program;
}

/** What comes behind the global options. */
function firstCommand({ options }: Command, words: readonly string[]): string | undefined {
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (!word.startsWith('-')) return word;
    const option = options.find((it) => it.short === word || it.long === word);
    if (option === undefined && !word.includes('=')) return undefined;
    if (option?.required === true) i++;
  }
  return undefined;
}

function asJson(text: string): string {
  return `${failureJson({ code: 'USAGE', exit: EXIT_CODES.USAGE.code, message: text.replace(/^error: /, '').trim() })}\n`;
}

function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return (manifest as { version: string }).version;
}
