import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './ports.js';
import { RunningProgram, runWell, temporaryFolder } from './processes.js';
import type { SecondaryOptions, StartedSecondary } from './secondary.js';
import { fillTemplate, type TemplateValues } from './templates.js';
import { TOOLS } from './tools.js';

const NAMED = TOOLS['named']?.path ?? 'named';
const RNDC = TOOLS['rndc']?.path ?? 'rndc';

/** Starts BIND with named.conf, and waits until it runs. */
export async function startNamed(
  { zones, label }: SecondaryOptions,
  values: TemplateValues,
): Promise<StartedSecondary> {
  const folder = temporaryFolder('named');
  const port = await freePort();
  const controlPort = await freePort();
  const controlSecret = randomBytes(32).toString('base64');
  const all = {
    ...values,
    FOLDER: folder,
    PORT: port,
    CONTROL_PORT: controlPort,
    CONTROL_SECRET: controlSecret,
  };
  const file = join(folder, 'named.conf');
  const stanzas = zones.map((zone) => fillTemplate('named-zone.conf', { ...all, ZONE: zone }));
  writeFileSync(file, [fillTemplate('named.conf', all), ...stanzas].join('\n'));
  const control = join(folder, 'rndc.key');
  writeFileSync(control, `key "rndc-key" { algorithm hmac-sha256; secret "${controlSecret}"; };\n`, {
    mode: 0o600,
  });
  const program = RunningProgram.start({
    name: label,
    path: NAMED,
    args: ['-g', '-n', '1', '-c', file],
    cwd: folder,
  });
  await program.waitUntil('running', () => program.log.includes('all zones loaded'));
  return {
    target: { host: '127.0.0.1', port },
    program,
    folder,
    retrieve: async (zone) => {
      await runWell(RNDC, ['-s', '127.0.0.1', '-p', String(controlPort), '-k', control, 'refresh', zone]);
    },
    writeFiles: async () => {
      await runWell(RNDC, ['-s', '127.0.0.1', '-p', String(controlPort), '-k', control, 'sync']);
    },
  };
}
