import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addCheckCommand } from './check.js';
import { EXIT_CODES } from './exit.js';
import { failureJson } from './failure.js';
import { addGlobalOptions } from './global-options.js';
import { addKeysCommands } from './keys.js';
import { addMigrateCommand } from './migrate.js';
import { addParentCommands } from './parent.js';
import { addPeerCommands } from './peer.js';
import { addPolicyCommands } from './policy.js';
import { addPublishCommand } from './publish.js';
import { addRrsetCommands } from './rrset.js';
import { addServeCommand } from './serve.js';
import { addSignCommand } from './sign.js';
import { addStatusCommand } from './status.js';
import { addTsigCommands } from './tsig.js';
import { addVerifyCommand } from './verify.js';
import { addViewCommands } from './view.js';
import { addZoneCommands } from './zone.js';

/**
 * The whole command, with every subcommand; parsing it runs them.
 * @param json tell of wrong command lines as a program reads them
 */
export function buildProgram(json = false): Command {
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
  addServeCommand(program);
  addZoneCommands(program);
  addRrsetCommands(program);
  addViewCommands(program);
  addPolicyCommands(program);
  addKeysCommands(program);
  addTsigCommands(program);
  addPeerCommands(program);
  addParentCommands(program);
  addPublishCommand(program);
  addStatusCommand(program);
  addMigrateCommand(program);
  addCheckCommand(program);
  addSignCommand(program);
  addVerifyCommand(program);
  const codes = Object.values(EXIT_CODES).map(
    ({ code, meaning }) => `  ${String(code).padEnd(4)} ${meaning}`,
  );
  program.addHelpText('after', `\nExit codes:\n${codes.join('\n')}`);
  return program;
}

function asJson(text: string): string {
  return `${failureJson({ code: 'USAGE', exit: EXIT_CODES.USAGE.code, message: text.replace(/^error: /, '').trim() })}\n`;
}

function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return (manifest as { version: string }).version;
}
