import { existsSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Document, ROOT, readDocument, readDocuments, splitBlocks } from './documents.js';

/** The anchors of a page as GitHub makes them from its headings. */
function anchorsOf(document: Document): Set<string> {
  const seen = new Map<string, number>();
  const anchors = new Set<string>();
  for (const [, heading = ''] of splitBlocks(document).prose.matchAll(/^#{1,6} (.+)$/gm)) {
    const slug = heading
      .trim()
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-');
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    anchors.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return anchors;
}

function linksOf(document: Document): string[] {
  const prose = splitBlocks(document).prose.replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

function brokenLinks(document: Document): string[] {
  return linksOf(document).filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [file = '', anchor] = link.split('#', 2);
    const path = file === '' ? document.path : normalize(join(dirname(document.path), file));
    if (path.startsWith('..') || !existsSync(join(ROOT, path))) return true;
    if (anchor === undefined || statSync(join(ROOT, path)).isDirectory()) return false;
    return !anchorsOf(path === document.path ? document : readDocument(path)).has(anchor);
  });
}

describe('links between pages', () => {
  it.each(readDocuments().map((document) => [document.path, document] as const))('%s', (_, document) => {
    expect(brokenLinks(document)).toEqual([]);
  });

  it('are told from those that lead nowhere', () => {
    const text =
      '# A b: `c`\n\n[1](#a-b-c) [2](#a) [3](LICENSE) [4](docs) [5](gone.md) [6](https://x.example/)\n';
    expect(brokenLinks({ path: 'README.md', text: `${text}\`[7](gone)\`` }).sort()).toEqual([
      '#a',
      'gone.md',
    ]);
  });

  it('every page of docs/ is linked from the README or from another page', () => {
    const documents = readDocuments();
    const linked = new Set(
      documents.flatMap((document) =>
        linksOf(document).map((link) =>
          normalize(join(dirname(document.path), link.split('#')[0] as string)),
        ),
      ),
    );
    const pages = documents.filter(({ path }) => path.startsWith('docs/')).map(({ path }) => path);
    expect(pages.filter((path) => !linked.has(path))).toEqual([]);
  });
});
