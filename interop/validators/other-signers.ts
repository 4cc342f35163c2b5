/** Other signers on the same unsigned zones with the same keys: dnssec-signzone, ldns-signzone and kzonesign. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.js';
import { runWell } from '../lib/processes.js';
import { TOOLS } from '../lib/tools.js';
import type { SignedFile } from '../lib/validators.js';
import type { CorpusZone } from './corpus.js';
import { type ValidatorLab, writeUnsigned } from './lab.js';
import { hasZonemd, nsec3Of, type Variant } from './variants.js';

export const SIGNERS = ['dnssec-signzone', 'ldns-signzone', 'kzonesign'] as const;

export type SignerName = (typeof SIGNERS)[number];

interface Job {
  readonly folder: string;
  readonly zone: CorpusZone;
  readonly variant: Variant;
  /** The unsigned zone. */
  readonly file: string;
  readonly keys: { readonly folder: string; readonly bases: readonly string[] };
  readonly out: string;
}

const HOUR = 3600;
const DAY = 24 * HOUR;

const stamp = (seconds: number): string =>
  new Date(seconds * 1000).toISOString().replaceAll(/[-:T]|\.000Z/g, '');

function times(): { readonly inception: string; readonly expiration: string } {
  const now = systemClock.seconds();
  return { inception: stamp(now - HOUR), expiration: stamp(now + 14 * DAY) };
}

const pathOf = (tool: string): string => TOOLS[tool]?.path ?? tool;

const RUN: Readonly<Record<SignerName, (job: Job) => Promise<unknown>>> = {
  'dnssec-signzone': ({ folder, zone, variant, file, keys, out }) => {
    const nsec3 = nsec3Of(zone, variant);
    const { inception, expiration } = times();
    const denial =
      nsec3 === undefined
        ? []
        : ['-3', nsec3.salt || '-', '-H', `${nsec3.iterations}`, ...(nsec3.optOut ? ['-A'] : [])];
    const signed = variant.keys === 'csk' ? ['-z'] : ['-x'];
    const args = ['-P', '-S', '-K', keys.folder, ...signed, ...denial, '-s', inception, '-e', expiration];
    return runWell(pathOf('dnssec-signzone'), [...args, '-o', zone.apex, '-f', out, file], { cwd: folder });
  },

  'ldns-signzone': ({ folder, zone, variant, file, keys, out }) => {
    const nsec3 = nsec3Of(zone, variant);
    const { inception, expiration } = times();
    const denial =
      nsec3 === undefined
        ? []
        : [
            '-n',
            '-t',
            `${nsec3.iterations}`,
            ...(nsec3.salt === '' ? [] : ['-s', nsec3.salt]),
            ...(nsec3.optOut ? ['-p'] : []),
          ];
    const zonemd = hasZonemd(zone, variant) ? ['-z', 'simple:sha384'] : [];
    const args = [...denial, ...zonemd, '-i', inception, '-e', expiration, '-o', zone.apex, '-f', out];
    return runWell(pathOf('ldns-signzone'), [...args, file, ...keys.bases], { cwd: folder });
  },

  kzonesign: async ({ folder, zone, variant, file, keys, out }) => {
    const nsec3 = nsec3Of(zone, variant);
    const configuration = join(folder, 'knot.conf');
    const zonemd = hasZonemd(zone, variant) ? '    zonemd-generate: zonemd-sha384\n' : '';
    await writeFile(
      configuration,
      `server:
    rundir: "${folder}"
database:
    storage: "${folder}"
policy:
  - id: suite
    manual: on
    single-type-signing: ${onOff(variant.keys === 'csk')}
    nsec3: ${onOff(nsec3 !== undefined)}
    nsec3-opt-out: ${onOff(nsec3?.optOut === true)}
    nsec3-iterations: ${nsec3?.iterations ?? 0}
    nsec3-salt-length: 0
    cds-cdnskey-publish: none
    dnskey-ttl: 1h
    rrsig-lifetime: 14d
zone:
  - domain: "${zone.apex}"
    file: "${file}"
    dnssec-signing: on
    dnssec-policy: suite
${zonemd}`,
    );
    const keymgr = (...args: readonly string[]): Promise<string> =>
      runWell(pathOf('keymgr'), ['-c', configuration, zone.apex, ...args]);
    for (const base of keys.bases) await keymgr('import-bind', base);
    if (variant.keys === 'csk') {
      const tag = Number(/\+(\d+)$/.exec(keys.bases[0] ?? '')?.[1]);
      await keymgr('set', `${tag}`, 'ksk=yes', 'zsk=yes');
    }
    if (nsec3?.salt) await keymgr('nsec3-salt', nsec3.salt);
    await runWell(pathOf('kzonesign'), ['-c', configuration, '-o', join(out, '..'), zone.apex]);
  },
};

const onOff = (value: boolean): string => (value ? 'on' : 'off');

/** Where signed zones may be put, and where the keys come from. */
export type SigningPlace = Pick<ValidatorLab, 'folder' | 'writeKeyFiles'>;

/** The zone of a view as another signer makes it, in a folder of its own. */
export async function signByOther(
  signer: SignerName,
  lab: SigningPlace,
  zone: CorpusZone,
  view: string,
  variant: Variant,
): Promise<SignedFile> {
  const folder = mkdtempSync(join(lab.folder, `${signer}-`));
  const file = join(folder, 'a.zone');
  await writeUnsigned(file, zone, view);
  // kzonesign calls it as the unsigned one is called
  const out = join(folder, 'out', 'a.zone');
  mkdirSync(join(folder, 'out'));
  const keys = {
    folder: join(folder, 'keys'),
    bases: lab.writeKeyFiles(join(folder, 'keys'), zone.apex, variant),
  };
  await RUN[signer]({ folder, zone, variant, file, keys, out });
  return { apex: zone.apex, file: out, isCsk: variant.keys === 'csk', hasZonemd: hasZonemd(zone, variant) };
}
