import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { freePort } from './ports.js';
import { withAllPrimaries } from './primaries.js';
import { RunningProgram, runWell, temporaryFolder } from './processes.js';
import type { SecondaryOptions, StartedSecondary } from './secondary.js';
import { fillTemplate, type TemplateValues } from './templates.js';
import { TOOLS } from './tools.js';

const SERVER = TOOLS['pdns_server']?.path ?? 'pdns_server';
const UTIL = TOOLS['pdnsutil']?.path ?? 'pdnsutil';
const CONTROL = join(dirname(UTIL), 'pdns_control');

/** Starts PowerDNS with pdns.conf on an SQLite database, and waits until it runs. */
export async function startPdns(
  options: SecondaryOptions,
  values: TemplateValues,
): Promise<StartedSecondary> {
  const { zones, label, port: wanted } = options;
  const folder = temporaryFolder('pdns');
  const port = wanted ?? (await freePort());
  const all = { ...values, FOLDER: folder, PORT: port };
  writeFileSync(join(folder, 'pdns.conf'), `${fillTemplate('pdns.conf', all)}${options.settings ?? ''}`);
  const script = [
    'set -e',
    fillTemplate('pdns-database.sh', all),
    ...zones.map((zone) => fillTemplate('pdns-zone.sh', { ...all, ZONE: zone })),
  ];
  const text = withAllPrimaries('pdns_server', script.join('\n'), options);
  await runWell('/bin/sh', ['-c', text], { cwd: folder });
  const program = RunningProgram.start({
    name: label,
    path: SERVER,
    args: [`--config-dir=${folder}`, '--daemon=no', '--guardian=no', '--disable-syslog', '--loglevel=6'],
    cwd: folder,
  });
  await program.waitUntil('running', () => program.log.includes('ready to distribute questions'));
  return {
    target: { host: '127.0.0.1', port },
    program,
    folder,
    retrieve: async (zone) => {
      await runWell(CONTROL, [`--config-dir=${folder}`, 'retrieve', zone]);
    },
    // SQLite has everything
    writeFiles: () => Promise.resolve(),
  };
}
