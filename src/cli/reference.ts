import type { Argument, Command, Option } from 'commander';
import { EXIT_CODES } from './exit.js';

const PREFACE = `# The command line

This page is made from the definitions of the commands by \`npm run docs\`; do not edit it by hand.

Options stand before or after arguments. Names of zones and owners may be given with or without the dot at their end.
Durations and TTLs are seconds, or such as \`1h30m\`, \`14d\`. Times are ISO 8601 with their zone
(\`2026-11-23T12:00:00Z\`), \`YYYYMMDDHHmmSS\` in UTC, or seconds since 1970.

What a command was asked for goes to standard output; errors, warnings, hints and progress bars go to standard error, bars
only while that is a terminal. With \`--json\` standard output is one JSON document, and an error is one JSON object on
standard error: \`{"error":{"code","exit","message","fields"}}\`. Secrets never stand on a command line, and are not printed.

Commands that need the database use the one that the configuration names. On the embedded database they go through the
running gateway where there is one, and else open the data folder themselves.
`;

/** The reference of a program's commands as Markdown, from their definitions alone. */
export function formatReference(program: Command): string {
  const sections = [PREFACE, exitCodes(), `## Options of every command\n\n${optionTable(program.options)}`];
  for (const command of program.commands) sections.push(...sectionsOf(command, [program.name()]));
  return `${sections.join('\n').trimEnd()}\n`;
}

function exitCodes(): string {
  const rows = Object.values(EXIT_CODES).map(({ code, meaning }) => `| ${code} | ${meaning} |`);
  return `## Exit codes\n\n| code | meaning |\n| --- | --- |\n${rows.join('\n')}\n`;
}

/** One section for a command that does something, or one for each of a group. */
function sectionsOf(command: Command, parents: readonly string[]): string[] {
  const path = [...parents, command.name()];
  if (command.commands.length > 0) return command.commands.flatMap((child) => sectionsOf(child, path));
  const parts = [`## ${path.join(' ')}\n`];
  parts.push(`\`\`\`\n${path.join(' ')} ${usageOf(command)}\n\`\`\`\n`);
  parts.push(`${command.description()}\n`);
  if (command.registeredArguments.length > 0) parts.push(argumentTable(command.registeredArguments));
  const options = command.options.filter((option) => !option.hidden);
  if (options.length > 0) parts.push(optionTable(options));
  return [parts.join('\n')];
}

function usageOf(command: Command): string {
  const words = command.registeredArguments.map((argument) => {
    const name = argument.name() + (argument.variadic ? '...' : '');
    return argument.required ? `<${name}>` : `[${name}]`;
  });
  const required = command.options.filter((option) => option.mandatory).map((option) => option.long);
  const options = required.map((long) => `${long} …`);
  return [...words, ...options, '[options]'].join(' ');
}

function argumentTable(args: readonly Argument[]): string {
  const rows = args.map((argument) => `| \`${argument.name()}\` | ${cell(argument.description)} |`);
  return `| argument | |\n| --- | --- |\n${rows.join('\n')}\n`;
}

function optionTable(options: readonly Option[]): string {
  const rows = options.map(
    (option) => `| \`${option.flags.replaceAll('|', '\\|')}\` | ${cell(describe(option))} |`,
  );
  return `| option | |\n| --- | --- |\n${rows.join('\n')}\n`;
}

function describe(option: Option): string {
  const parts = [option.description];
  if (option.mandatory) parts.push('(needed)');
  if (option.argChoices !== undefined) parts.push(`(one of ${option.argChoices.join(', ')})`);
  if (option.defaultValue !== undefined && option.defaultValueDescription !== 'off') {
    parts.push(`(default: ${option.defaultValueDescription ?? JSON.stringify(option.defaultValue)})`);
  }
  if (option.envVar !== undefined) parts.push(`(environment: \`${option.envVar}\`)`);
  return parts.join(' ');
}

/** Text that cannot break out of its cell, nor be taken for markup. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ');
}
