import { readFileSync } from 'node:fs';

/** Words to be put into a template. */
export type TemplateValues = Readonly<Record<string, string | number>>;

/**
 * A file of interop/config/ with its `{{WORDS}}` replaced. The guides quote the same files.
 * @throws Error when a word has no value
 */
export function fillTemplate(file: string, values: TemplateValues): string {
  const template = readFileSync(new URL(`../config/${file}`, import.meta.url), 'utf8');
  return template.replaceAll(/\{\{([A-Z_]+)\}\}/g, (_, word: string) => {
    const value = values[word];
    if (value === undefined) throw new Error(`${file}: nothing is given for {{${word}}}`);
    return String(value);
  });
}
