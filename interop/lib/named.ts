import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from './dns-client.js';
import { freePort } from './ports.js';
import { withAllPrimaries } from './primaries.js';
import { RunningProgram, runWell, temporaryFolder } from './processes.js';
import type { SecondaryKey, SecondaryOptions, StartedSecondary } from './secondary.js';
import { fillTemplate, type TemplateValues } from './templates.js';
import { TOOLS } from './tools.js';

const NAMED = TOOLS['named']?.path ?? 'named';
const RNDC = TOOLS['rndc']?.path ?? 'rndc';

/** Starts BIND with named.conf, and waits until it runs. */
export async function startNamed(
  options: SecondaryOptions,
  values: TemplateValues,
): Promise<StartedSecondary> {
  const { zones, label, port: wanted } = options;
  const folder = temporaryFolder('named');
  const port = wanted ?? (await freePort());
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
  const text = [fillTemplate('named.conf', all), options.settings ?? '', ...stanzas].join('\n');
  writeFileSync(file, withAllPrimaries('named', text, options));
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

/** A BIND that serves one zone in two views, by the address of who asks. */
export interface TwoViews {
  readonly target: Target;
  readonly program: RunningProgram;
}

/** Starts BIND with named-views.conf; the internal view is for those who ask from one address. */
export async function startNamedWithViews(options: {
  readonly zone: string;
  readonly primary: Target;
  readonly keys: { readonly internal: SecondaryKey; readonly external: SecondaryKey };
  readonly inside: string;
}): Promise<TwoViews> {
  const { zone, primary, keys } = options;
  const folder = temporaryFolder('named-views');
  const target = { host: '127.0.0.1', port: await freePort() };
  const file = join(folder, 'named.conf');
  const text = fillTemplate('named-views.conf', {
    FOLDER: folder,
    ADDRESS: target.host,
    PORT: target.port,
    REFRESH: 2,
    GATEWAY: primary.host,
    GATEWAY_PORT: primary.port,
    ZONE: zone,
    INSIDE: options.inside,
    INTERNAL_KEY_NAME: keys.internal.name,
    INTERNAL_KEY_ALGORITHM: keys.internal.algorithm,
    INTERNAL_KEY_SECRET: keys.internal.secret,
    EXTERNAL_KEY_NAME: keys.external.name,
    EXTERNAL_KEY_ALGORITHM: keys.external.algorithm,
    EXTERNAL_KEY_SECRET: keys.external.secret,
  });
  writeFileSync(file, text);
  const program = RunningProgram.start({
    name: 'named with views',
    path: NAMED,
    args: ['-g', '-n', '1', '-c', file],
    cwd: folder,
  });
  await program.waitUntil('running', () => program.log.includes('all zones loaded'));
  return { target, program };
}
