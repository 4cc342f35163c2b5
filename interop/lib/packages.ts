import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { TOOLS } from './tools.js';

/** The Debian packages of those tools that are not here. */
export function missingPackages(tools: readonly string[]): string[] {
  const lacking = tools.flatMap((tool) => {
    const known = TOOLS[tool];
    if (known === undefined) throw new Error(`no such tool: ${tool}`);
    return existsSync(known.path) ? [] : [known.debian];
  });
  return [...new Set(lacking)];
}

/** Installs Debian's packages when it may: as root, where there is apt-get. */
export function installPackages(packages: readonly string[]): void {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return;
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  console.error(`installing ${packages.join(' ')}`);
  const run = (args: string[]): boolean =>
    spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env: environment, timeout: 900_000 })
      .status === 0;
  if (run(['update', '-qq'])) run(['install', '-y', '-qq', '--no-install-recommends', ...packages]);
}
