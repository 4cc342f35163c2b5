import type { Block } from './documents.js';

/** One run of zoneseal in a block: what follows the name of the command, and the line it begins on. */
export interface Run {
  readonly words: readonly string[];
  readonly line: number;
}

/** Ends a simple command of the shell, or begins where its output goes. */
const OPERATOR = /^(\|\|?|&&?|;;?|[0-9]?[<>].*|\)|\()$/;
/** What may stand before the name of a command. */
const BEFORE = /^(\$|-|sudo|npx|exec|time|if|then|do|else|!|[A-Z][A-Z0-9_]*=.*)$/;

/** The words of a line as a shell divides it: quotes, escapes, comments; operators are words of their own. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  const end = (): void => {
    if (word !== undefined) words.push(word);
    word = undefined;
  };
  for (let at = 0; at < line.length; at++) {
    const char = line[at] as string;
    if (quote !== undefined) {
      if (char === quote) quote = undefined;
      else if (char === '\\' && quote === '"' && /["\\$`]/.test(line[at + 1] ?? ''))
        word += line[++at] as string;
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (char === '\\') word = (word ?? '') + (line[++at] ?? '');
    else if (/\s/.test(char)) end();
    else if (char === '#' && word === undefined) break;
    else if (/[|&;()<>]/.test(char)) {
      const before = char === '<' || char === '>' ? (/^[0-9]$/.exec(word ?? '')?.[0] ?? '') : '';
      if (before !== '') word = undefined;
      end();
      let operator = before + char;
      while (/[|&;<>]/.test(line[at + 1] ?? '')) operator += line[++at] as string;
      words.push(operator);
    } else word = (word ?? '') + char;
  }
  end();
  return words;
}

/** The runs of zoneseal in a block that a shell, a CI or a service manager would read; none in others. */
export function commandsIn({ language, lines, line: first }: Block): Run[] {
  if (!['sh', 'bash', 'console', 'yaml', 'ini', 'systemd'].includes(language)) return [];
  const runs: Run[] = [];
  for (let index = 0; index < lines.length; index++) {
    const line = first + index;
    let text = lines[index] as string;
    while (text.endsWith('\\') && index + 1 < lines.length)
      text = text.slice(0, -1) + (lines[++index] as string);
    if (language === 'console' && !text.startsWith('$ ')) continue;
    runs.push(
      ...runsOf(splitWords(text.replace(/^\s*Exec[A-Za-z]+=/, ''))).map((words) => ({ words, line })),
    );
  }
  return runs;
}

function runsOf(words: readonly string[]): string[][] {
  const runs: string[][] = [];
  let simple: string[] = [];
  let redirected = false;
  for (const word of [...words, ';']) {
    if (!OPERATOR.test(word)) {
      if (!redirected) simple.push(word);
      continue;
    }
    redirected = /[<>]/.test(word);
    if (redirected) continue;
    const run = argumentsOf(simple);
    if (run !== undefined) runs.push(run);
    simple = [];
  }
  return runs;
}

/** What follows the command's name; undefined when it is another command. */
function argumentsOf(words: readonly string[]): string[] | undefined {
  let at = 0;
  for (;;) {
    const word = words[at] ?? '';
    if (word === '-u' || word === '--user') at += 2;
    else if (BEFORE.test(word)) at++;
    else break;
  }
  const name = words[at] ?? '';
  if (name === 'zoneseal' || name.endsWith('/zoneseal')) return words.slice(at + 1);
  return name === 'node' && words[at + 1]?.endsWith('dist/cli/main.js') === true
    ? words.slice(at + 2)
    : undefined;
}
