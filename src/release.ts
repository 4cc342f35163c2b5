import { readFileSync } from 'node:fs';

/** The release of this program, as package.json beside src/ or dist/ has it. */
export function readRelease(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return String((manifest as { readonly version?: unknown }).version);
}
