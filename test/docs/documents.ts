import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the repository. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A page for people. */
export interface Document {
  /** Its path in the repository. */
  readonly path: string;
  readonly text: string;
}

/** One fenced block. */
export interface Block {
  readonly language: string;
  readonly lines: readonly string[];
  /** The line that the first of them is on. */
  readonly line: number;
}

/** Every page: those of docs/, and the ones beside it. */
export function readDocuments(): Document[] {
  const inDocs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name));
  const others = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'keys-dev/README.md', 'bench/README.md'];
  return [...others.filter((path) => existsSync(join(ROOT, path))), ...inDocs.sort()].map(readDocument);
}

/** One page by its path in the repository. */
export function readDocument(path: string): Document {
  return { path, text: readFileSync(join(ROOT, path), 'utf8') };
}

/** The fenced blocks of a page, and what is left without them. */
export function splitBlocks({ text }: Document): { blocks: Block[]; prose: string } {
  const blocks: Block[] = [];
  const prose: string[] = [];
  let open: { fence: string; language: string; lines: string[]; line: number } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^\s*(`{3,})\s*([A-Za-z]*)/.exec(line);
    if (open === undefined && fence !== null) {
      open = { fence: fence[1] as string, language: fence[2] as string, lines: [], line: index + 2 };
    } else if (open !== undefined && line.trim() === open.fence) {
      blocks.push(open);
      open = undefined;
    } else if (open !== undefined) open.lines.push(line);
    else prose.push(line);
  }
  if (open !== undefined) throw new Error(`a block that begins before line ${open.line} is not closed`);
  return { blocks, prose: prose.join('\n') };
}
