import { createInterface } from 'node:readline/promises';
import { EXIT_CODES, Exit, UsageError } from './exit.js';

/** Asks for the name of what is to be deleted. @throws UsageError where there is nobody to ask; Exit when the answer is another */
export async function confirmDeletion(what: string, name: string): Promise<void> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) throw new UsageError(`${what}: add --yes to delete it`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`Delete ${what}? Type ${name} to do so: `);
    if (answer.trim() !== name && `${answer.trim()}.` !== name) throw new Exit(EXIT_CODES.REFUSED.code);
  } finally {
    terminal.close();
  }
}
