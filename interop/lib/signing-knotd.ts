/** Knot DNS as a primary that signs and keeps a journal: the other implementation on which our judges are tried. */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Target } from './dns-client.js';
import { freePort } from './ports.js';
import { RunningProgram, removeFolder, runWell, temporaryFolder } from './processes.js';
import type { SecondaryKey } from './secondary.js';
import { TOOLS } from './tools.js';

const KNOTD = TOOLS['knotd']?.path ?? 'knotd';
const KNOTC = join(dirname(KNOTD), 'knotc');

/** A running one, with one zone. */
export interface SigningKnotd {
  readonly target: Target;
  /** Adds an address to the zone, as one transaction. */
  add(owner: string, address: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it with an unsigned zone as a master file, handed out with a key. */
export async function startSigningKnotd(
  zone: string,
  text: string,
  key: SecondaryKey,
): Promise<SigningKnotd> {
  const folder = temporaryFolder('knotd-primary');
  const target = { host: '127.0.0.1', port: await freePort() };
  const file = join(folder, 'knot.conf');
  writeFileSync(join(folder, 'unsigned.zone'), text);
  writeFileSync(
    file,
    `server:
    listen: ${target.host}@${target.port}
    rundir: "${folder}"
database:
    storage: "${folder}"
log:
  - target: stderr
    any: info
key:
  - id: ${key.name}
    algorithm: ${key.algorithm}
    secret: ${key.secret}
acl:
  - id: copies
    address: 127.0.0.1
    key: ${key.name}
    action: transfer
template:
  - id: default
    storage: "${folder}"
    acl: copies
    dnssec-signing: on
    zonefile-sync: -1
    zonefile-load: difference
    journal-content: changes
zone:
  - domain: ${zone}
    file: unsigned.zone
`,
  );
  const program = RunningProgram.start({
    name: 'knotd that signs',
    path: KNOTD,
    args: ['-c', file],
    cwd: folder,
  });
  await program.waitUntil('signing', () => /zone loaded|DNSSEC, next signing/.test(program.log));
  const control = (...words: readonly string[]): Promise<string> =>
    runWell(KNOTC, ['-c', file, '-b', ...words]);
  return {
    target,
    add: async (owner, address) => {
      await control('zone-begin', zone);
      await control('zone-set', zone, owner, '300', 'A', address);
      await control('zone-commit', zone);
    },
    stop: async () => {
      await program.stop();
      removeFolder(folder);
    },
  };
}
