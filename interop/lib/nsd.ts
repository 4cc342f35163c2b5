import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { freePort } from './ports.js';
import { withAllPrimaries } from './primaries.js';
import { RunningProgram, runProgram, runWell, temporaryFolder } from './processes.js';
import type { SecondaryOptions, StartedSecondary } from './secondary.js';
import { fillTemplate, type TemplateValues } from './templates.js';
import { TOOLS } from './tools.js';

const NSD = TOOLS['nsd']?.path ?? 'nsd';
const CONTROL = join(dirname(NSD), 'nsd-control');

/** Starts NSD with nsd.conf, and waits until it runs. */
export async function startNsd(options: SecondaryOptions, values: TemplateValues): Promise<StartedSecondary> {
  const { zones, label, port: wanted } = options;
  const folder = temporaryFolder('nsd');
  const port = wanted ?? (await freePort());
  const all = { ...values, FOLDER: folder, PORT: port };
  const file = join(folder, 'nsd.conf');
  const stanzas = zones.map((zone) => fillTemplate('nsd-zone.conf', { ...all, ZONE: zone }));
  // what is set is set for the pattern, which comes last
  const text = [fillTemplate('nsd.conf', all), options.settings ?? '', ...stanzas].join('\n');
  writeFileSync(file, withAllPrimaries('nsd', text, options));
  const program = RunningProgram.start({ name: label, path: NSD, args: ['-d', '-c', file], cwd: folder });
  await program.waitUntil(
    'running',
    async () => (await runProgram(CONTROL, ['-c', file, 'status'])).status === 0,
  );
  return {
    target: { host: '127.0.0.1', port },
    program,
    folder,
    retrieve: async (zone) => {
      await runWell(CONTROL, ['-c', file, 'transfer', zone]);
    },
    writeFiles: async () => {
      await runWell(CONTROL, ['-c', file, 'write']);
    },
  };
}
