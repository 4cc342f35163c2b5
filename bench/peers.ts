import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Measured, measure } from './measure.js';

/** Another signer on the same zone, keys made beforehand; it reads a file and writes a file, and stores nothing. */
export interface Peer {
  readonly name: string;
  prepare(folder: string, zone: string, file: string, denial: 'nsec' | 'nsec3'): () => Promise<Measured>;
}

/** ldns-signzone: one thread. */
export const ldns: Peer = {
  name: 'ldns-signzone',
  prepare(folder, zone, file, denial) {
    mkdirSync(folder, { recursive: true });
    const keygen = (...more: string[]): string =>
      execFileSync('ldns-keygen', ['-a', 'ECDSAP256SHA256', ...more, zone], {
        cwd: folder,
        encoding: 'utf8',
      }).trim();
    const keys = [keygen(), keygen('-k')];
    const options = denial === 'nsec3' ? ['-n', '-t', '0'] : [];
    return () =>
      measure('ldns-signzone', [...options, '-o', zone, '-f', join(folder, 'signed'), file, ...keys], folder);
  },
};

/** kzonesign of Knot DNS with two signing threads. */
export const knot: Peer = {
  name: 'kzonesign',
  prepare(folder, zone, file, denial) {
    mkdirSync(join(folder, 'kasp'), { recursive: true });
    mkdirSync(join(folder, 'out'), { recursive: true });
    const config = join(folder, 'knot.conf');
    writeFileSync(
      config,
      `server:
  rundir: "${folder}"
database:
  storage: "${folder}/kasp"
policy:
  - id: p
    manual: on
    signing-threads: 2
    cds-cdnskey-publish: none
    nsec3: ${denial === 'nsec3' ? 'on' : 'off'}
    nsec3-iterations: 0
    nsec3-salt-length: 0
zone:
  - domain: "${zone}"
    file: "${file}"
    dnssec-signing: on
    dnssec-policy: p
`,
    );
    for (const [ksk, zsk] of [
      ['yes', 'no'],
      ['no', 'yes'],
    ]) {
      execFileSync(
        '/usr/sbin/keymgr',
        ['-c', config, zone, 'generate', 'algorithm=13', `ksk=${ksk}`, `zsk=${zsk}`],
        {
          stdio: 'ignore',
        },
      );
    }
    return () => measure('kzonesign', ['-c', config, '-o', join(folder, 'out'), zone], folder);
  },
};
