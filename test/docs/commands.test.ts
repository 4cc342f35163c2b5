import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { buildProgram } from '../../src/cli/program.js';
import { readDocuments, splitBlocks } from './documents.js';
import { commandsIn, splitWords } from './shell.js';

/** What is wrong with a command line of zoneseal; undefined when it would run. */
async function faultOf(words: readonly string[]): Promise<string | undefined> {
  const program = await buildProgram();
  quieten(program);
  try {
    await program.parseAsync(words, { from: 'user' });
    return undefined;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return code === 'commander.helpDisplayed' || code === 'commander.version' ? undefined : message;
  }
}

/** Commands check their arguments and options, and then do nothing. */
function quieten(command: Command): void {
  command.configureOutput({
    writeOut: () => undefined,
    writeErr: () => undefined,
    outputError: () => undefined,
  });
  command.exitOverride();
  if (command.commands.length === 0) command.action(() => undefined);
  for (const child of command.commands) quieten(child);
}

/** Names of every command that does something, and of the options it takes. */
function optionsByCommand(command: Command, path: readonly string[] = []): Map<string, Set<string>> {
  const known = new Map<string, Set<string>>();
  const add = (current: Command, names: readonly string[], inherited: readonly string[]): void => {
    const flags = current.options.flatMap(({ long, short }) => [long, short].filter((flag) => flag != null));
    const all = [...inherited, ...flags, '--help', '-h', '--version', '-V'];
    known.set(names.join(' '), new Set(all));
    for (const child of current.commands) add(child, [...names, child.name()], all);
  };
  add(command, path, []);
  return known;
}

describe('command lines in pages', () => {
  const lines = readDocuments().flatMap((document) =>
    splitBlocks(document).blocks.flatMap((block) =>
      commandsIn(block).map(
        ({ words, line }) => [`${document.path}:${line}: ${words.join(' ')}`, words] as const,
      ),
    ),
  );

  it.each(lines)('%s', async (_, words) => {
    expect(await faultOf(words)).toBeUndefined();
  });

  it('hand over what dig gets as a zone alone: with the TSIG record ldns-verify-zone refuses it', () => {
    const kept = readDocuments().flatMap(({ text }) =>
      text.split('\n').filter((line) => /^[^|]*dig @.*AXFR.*[>|]/.test(line)),
    );
    expect(kept.length).toBeGreaterThan(2);
    expect(kept.filter((line) => !line.includes('+onesoa +noall +answer'))).toEqual([]);
  });

  it('name commands and options that there are, within the text too', async () => {
    const known = optionsByCommand(await buildProgram());
    const wrong: string[] = [];
    for (const document of readDocuments()) {
      for (const [code] of splitBlocks(document).prose.matchAll(/`zoneseal [a-z][^`]*`/g)) {
        const words = splitWords(code.slice(1, -1)).slice(1);
        let depth = 0;
        while (depth < words.length && known.has(words.slice(0, depth + 1).join(' '))) depth++;
        const options = known.get(words.slice(0, depth).join(' ')) ?? new Set();
        const unknown = words.filter(
          (word) => /^--?[a-zA-Z]/.test(word) && !options.has(word.split('=')[0] as string),
        );
        if (depth === 0 || unknown.length > 0) wrong.push(`${document.path}: ${code}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('would be found wrong', async () => {
    expect(await faultOf(['serve', '--quick'])).toMatch(/unknown option/);
    expect(await faultOf(['sevre'])).toMatch(/unknown command/);
    expect(await faultOf(['check', 'a.zone'])).toMatch(/--zone/);
    expect(await faultOf(['check', 'a.zone', '--zone', 'a..b'])).toMatch(/no domain name/);
    expect(await faultOf(['serve', '--config', 'zoneseal.yaml'])).toBeUndefined();
  });
});

describe('the lines of a block', () => {
  it('give the words of each run of zoneseal', () => {
    const lines = [
      '# zoneseal nothing',
      "zoneseal zone list | grep 'a b' && npx zoneseal zone show \\",
      '  example.  # comment',
      'sudo -u zoneseal ZONESEAL_DATA=/x zoneseal --quiet migrate > /dev/null 2>&1',
      'node dist/cli/main.js rrset set "a b" c',
      'psql -c "select zoneseal.zone_id(1)"; createuser zoneseal',
      'if zoneseal check x; then true; fi',
    ];
    expect(commandsIn({ language: 'sh', lines, line: 1 }).map(({ words, line }) => [line, ...words])).toEqual(
      [
        [2, 'zone', 'list'],
        [2, 'zone', 'show', 'example.'],
        [4, '--quiet', 'migrate'],
        [5, 'rrset', 'set', 'a b', 'c'],
        [7, 'check', 'x'],
      ],
    );
    const console = ['$ zoneseal zone list', 'zoneseal zone nothing', 'ZONE VIEW'];
    expect(commandsIn({ language: 'console', lines: console, line: 9 })).toEqual([
      { line: 9, words: ['zone', 'list'] },
    ]);
    const unit = ['ExecStart=/usr/bin/zoneseal serve --config /etc/z.yaml'];
    expect(commandsIn({ language: 'ini', lines: unit, line: 1 })[0]?.words[0]).toBe('serve');
    expect(commandsIn({ language: 'yaml', lines: ['    - zoneseal migrate'], line: 1 })[0]?.words).toEqual([
      'migrate',
    ]);
    expect(commandsIn({ language: '', lines: ['zoneseal serve <x>'], line: 1 })).toEqual([]);
  });
});
