import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toolPath } from '../interop/lib/tools.js';
import { type Measured, measure } from './measure.js';
import type { PeerName } from './tools.js';

/** How a zone is signed: by Zoneseal's policy, and by peers alike. */
export interface Variant {
  readonly name: string;
  readonly denial: 'nsec' | 'nsec3';
  /** DNSSEC algorithm number. */
  readonly algorithm: 8 | 13 | 15;
}

/** Bits of RSA keys. */
export const RSA_BITS = 2048;

/** Settings of Zoneseal's policy for it. */
export function policyOf({ denial, algorithm }: Variant): string[] {
  const bits = algorithm === 8 ? [`rsaBits=${RSA_BITS}`] : [];
  return [`denial=${denial}`, `algorithm=${algorithm}`, ...bits];
}

/** A zone to be signed. */
export interface PeerWork {
  /** For keys, configuration and what is written. */
  readonly folder: string;
  readonly zone: string;
  readonly file: string;
  readonly variant: Variant;
}

/** Another signer on the same zone, keys made beforehand; it reads a file and writes a file, and stores nothing. */
export interface Peer {
  readonly name: PeerName;
  /** Makes keys; what is returned signs once. */
  prepare(work: PeerWork): () => Promise<Measured>;
}

const LDNS_ALGORITHMS = { 8: 'RSASHA256', 13: 'ECDSAP256SHA256', 15: 'ED25519' } as const;

/** ldns-signzone: one thread. */
export const ldns: Peer = {
  name: 'ldns-signzone',
  prepare({ folder, zone, file, variant: { denial, algorithm } }) {
    mkdirSync(folder, { recursive: true });
    const bits = algorithm === 8 ? ['-b', String(RSA_BITS)] : [];
    const keygen = (...more: string[]): string =>
      execFileSync('ldns-keygen', ['-a', LDNS_ALGORITHMS[algorithm], ...bits, ...more, zone], {
        cwd: folder,
        encoding: 'utf8',
      }).trim();
    const keys = [keygen(), keygen('-k')];
    const options = denial === 'nsec3' ? ['-n', '-t', '0'] : [];
    const args = [...options, '-o', zone, '-f', join(folder, 'signed'), file, ...keys];
    return () => measure(toolPath('ldns-signzone'), args, folder);
  },
};

/** kzonesign of Knot DNS with two signing threads. */
export const knot: Peer = {
  name: 'kzonesign',
  prepare({ folder, zone, file, variant: { denial, algorithm } }) {
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
    for (const roles of [
      ['ksk=yes', 'zsk=no'],
      ['ksk=no', 'zsk=yes'],
    ]) {
      const size = algorithm === 8 ? [`size=${RSA_BITS}`] : [];
      const args = ['-c', config, zone, 'generate', `algorithm=${algorithm}`, ...size, ...roles];
      execFileSync(toolPath('keymgr'), args, { stdio: 'ignore' });
    }
    return () => measure(toolPath('kzonesign'), ['-c', config, '-o', join(folder, 'out'), zone], folder);
  },
};
