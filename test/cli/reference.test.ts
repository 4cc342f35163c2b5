import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { buildProgram } from '../../src/cli/program.js';
import { formatReference } from '../../src/cli/reference.js';

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

describe('the reference of the command line', () => {
  it('is that of the commands (make it anew with: npm run docs)', async () => {
    const stored = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
    expect(stored).toBe(formatReference(await buildProgram()));
  });

  it('says something about every command, argument and option', async () => {
    for (const command of leaves(await buildProgram())) {
      expect(command.description(), command.name()).toMatch(/\.$/);
      for (const argument of command.registeredArguments)
        expect(argument.description, command.name()).not.toBe('');
      for (const option of command.options)
        expect(option.description, `${command.name()} ${option.flags}`).not.toBe('');
    }
  });
});
