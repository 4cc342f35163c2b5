import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Target } from './dns-client.js';
import { freePort } from './ports.js';
import { withAllPrimaries } from './primaries.js';
import { RunningProgram, runWell, temporaryFolder } from './processes.js';
import type { SecondaryOptions, StartedSecondary } from './secondary.js';
import { fillTemplate, type TemplateValues } from './templates.js';
import { TOOLS } from './tools.js';

const KNOTD = TOOLS['knotd']?.path ?? 'knotd';
const KNOTC = join(dirname(KNOTD), 'knotc');

/** Starts Knot DNS with knot.conf, and waits until it runs. */
export async function startKnotd(
  options: SecondaryOptions,
  values: TemplateValues,
): Promise<StartedSecondary> {
  const { zones, label, port: wanted } = options;
  const folder = temporaryFolder('knotd');
  const port = wanted ?? (await freePort());
  const all = { ...values, FOLDER: folder, PORT: port };
  const file = join(folder, 'knot.conf');
  const stanzas = zones.map((zone) => fillTemplate('knot-zone.conf', { ...all, ZONE: zone }));
  const text = [fillTemplate('knot.conf', all), ...stanzas, options.settings ?? ''].join('');
  writeFileSync(file, withAllPrimaries('knotd', text, options));
  const program = RunningProgram.start({ name: label, path: KNOTD, args: ['-c', file], cwd: folder });
  await program.waitUntil('running', () => program.log.includes('server started'));
  return {
    target: { host: '127.0.0.1', port },
    program,
    folder,
    retrieve: async (zone) => {
      await runWell(KNOTC, ['-c', file, 'zone-refresh', zone]);
    },
    writeFiles: async () => {
      await runWell(KNOTC, ['-c', file, '-b', 'zone-flush']);
    },
  };
}

/** Starts Knot DNS as a primary of zones that it serves as they are; the text of each is a master file. */
export async function startPlainKnotd(
  zones: ReadonlyMap<string, string>,
): Promise<{ readonly target: Target; readonly program: RunningProgram }> {
  const folder = temporaryFolder('knotd');
  const port = await freePort();
  const lines = [
    `server:\n    listen: 127.0.0.1@${port}\n    rundir: "${folder}"`,
    `database:\n    storage: "${folder}"`,
    'log:\n  - target: stderr\n    any: info',
    `template:\n  - id: default\n    storage: "${folder}"\n    file: "%s.zone"`,
    'zone:',
  ];
  for (const [zone, text] of zones) {
    lines.push(`  - domain: ${zone}`);
    writeFileSync(join(folder, `${zone.replace(/\.$/, '')}.zone`), text);
  }
  const file = join(folder, 'knot.conf');
  writeFileSync(file, `${lines.join('\n')}\n`);
  const program = RunningProgram.start({
    name: 'knotd of the unsigned zones',
    path: KNOTD,
    args: ['-c', file],
    cwd: folder,
  });
  await program.waitUntil('running', () => program.log.includes('server started'));
  return { target: { host: '127.0.0.1', port }, program };
}
