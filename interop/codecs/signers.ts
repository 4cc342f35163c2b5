/** Three other signers, driven alike: dnssec-signzone, ldns-signzone and kzonesign. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../../src/clock.js';

const run = promisify(execFile);

export type Denial = 'nsec' | 'nsec3' | 'opt-out';
export type SignerName = 'dnssec-signzone' | 'ldns-signzone' | 'kzonesign';

/** How a zone is to be signed. */
export interface SigningJob {
  readonly apex: string;
  /** The master file. */
  readonly file: string;
  readonly algorithms: readonly number[];
  /** One key that is both KSK and ZSK for each algorithm. */
  readonly csk?: boolean;
  readonly denial: Denial;
  /** Seconds since 1970. */
  readonly inception: number;
  readonly expiration: number;
  /** Adds a ZONEMD record; of ldns-signzone and kzonesign. */
  readonly zonemd?: 'sha384' | 'sha512';
}

/** A signer takes a folder to work in and gives the signed master file as text, and the command that made it. */
export type Signer = (folder: string, job: SigningJob) => Promise<{ text: string; command: string }>;

const stamp = (seconds: number) => new Date(seconds * 1000).toISOString().replace(/[-:T]|\.000Z/g, '');
const RSA = new Set([8, 10]);

async function makeKeys(folder: string, job: SigningJob): Promise<{ ksk: string[]; zsk: string[] }> {
  const make = async (algorithm: number, more: readonly string[]) => {
    const size = RSA.has(algorithm) ? ['-b', '2048'] : [];
    const { stdout } = await run('dnssec-keygen', ['-q', '-a', `${algorithm}`, ...size, ...more, job.apex], {
      cwd: folder,
    });
    return stdout.trim();
  };
  const ksk: string[] = [];
  const zsk: string[] = [];
  for (const algorithm of job.algorithms) {
    ksk.push(await make(algorithm, ['-f', 'KSK']));
    if (job.csk !== true) zsk.push(await make(algorithm, []));
  }
  return { ksk, zsk };
}

const DENIAL_OF_BIND = { nsec: [], nsec3: ['-3', '-'], 'opt-out': ['-3', '-', '-A'] };
const DENIAL_OF_LDNS = { nsec: [], nsec3: ['-n', '-t', '0'], 'opt-out': ['-n', '-t', '0', '-p'] };

const dnssecSignzone: Signer = async (folder, job) => {
  await makeKeys(folder, job);
  const options = ['-P', '-S', ...(job.csk === true ? ['-z'] : []), ...DENIAL_OF_BIND[job.denial]];
  const times = ['-s', stamp(job.inception), '-e', stamp(job.expiration)];
  await run('dnssec-signzone', [...options, ...times, '-o', job.apex, '-f', 'signed', job.file], {
    cwd: folder,
  });
  return {
    text: await readFile(path.join(folder, 'signed'), 'utf8'),
    command: `dnssec-signzone ${options.join(' ')}`,
  };
};

const ldnsSignzone: Signer = async (folder, job) => {
  const { ksk, zsk } = await makeKeys(folder, job);
  const options = [
    ...(job.algorithms.length > 1 ? ['-U'] : []),
    ...DENIAL_OF_LDNS[job.denial],
    ...(job.zonemd === undefined ? [] : ['-z', `simple:${job.zonemd}`]),
  ];
  const times = ['-i', stamp(job.inception), '-e', stamp(job.expiration)];
  const name = job.apex === '.' ? '.' : `${job.apex}.`;
  await run('ldns-signzone', [...options, ...times, '-o', name, '-f', 'signed', job.file, ...zsk, ...ksk], {
    cwd: folder,
  });
  return {
    text: await readFile(path.join(folder, 'signed'), 'utf8'),
    command: `ldns-signzone ${options.join(' ')}`,
  };
};

const kzonesign: Signer = async (folder, job) => {
  const out = path.join(folder, 'out');
  await mkdir(path.join(folder, 'kasp'), { recursive: true });
  await mkdir(out, { recursive: true });
  const settings = [
    `nsec3: ${job.denial === 'nsec' ? 'off' : 'on'}`,
    `nsec3-opt-out: ${job.denial === 'opt-out' ? 'on' : 'off'}`,
    `single-type-signing: ${job.csk === true ? 'on' : 'off'}`,
  ];
  const configuration = `
server:
  rundir: "${folder}"
database:
  storage: "${folder}/kasp"
policy:
  - id: p
    manual: on
    nsec3-iterations: 0
    nsec3-salt-length: 0
    cds-cdnskey-publish: none
    rrsig-lifetime: ${job.expiration - job.inception}
    rrsig-refresh: 1d
${settings.map((line) => `    ${line}\n`).join('')}zone:
  - domain: "${job.apex}"
    file: "${path.resolve(folder, job.file)}"
    dnssec-signing: on
    dnssec-policy: p
${job.zonemd === undefined ? '' : `    zonemd-generate: zonemd-${job.zonemd}\n`}`;
  const file = path.join(folder, 'knot.conf');
  await writeFile(file, configuration);
  for (const algorithm of job.algorithms) {
    const size = RSA.has(algorithm) ? ['size=2048'] : [];
    const generate = (...roles: string[]) =>
      run('/usr/sbin/keymgr', [
        '-c',
        file,
        job.apex,
        'generate',
        `algorithm=${algorithm}`,
        ...size,
        ...roles,
      ]);
    if (job.csk === true) await generate('ksk=yes', 'zsk=yes');
    else {
      await generate('ksk=yes', 'zsk=no');
      await generate('ksk=no', 'zsk=yes');
    }
  }
  // it takes a signature back by 90 minutes, and knows no key before it was made
  const time = job.inception + 5400;
  const at = time > systemClock.seconds() ? ['-t', `${time}`] : [];
  await run('kzonesign', ['-c', file, ...at, '-o', out, job.apex]);
  const text = await readFile(path.join(out, path.basename(job.file)), 'utf8');
  return { text, command: `kzonesign with ${settings.join(', ')}` };
};

export const SIGNERS: Readonly<Record<SignerName, Signer>> = {
  'dnssec-signzone': dnssecSignzone,
  'ldns-signzone': ldnsSignzone,
  kzonesign,
};

/** Signs in a folder of its own below one that is given. */
export async function signWith(signer: SignerName, below: string, job: SigningJob): ReturnType<Signer> {
  return SIGNERS[signer](await mkdtemp(path.join(below, `${signer}-`)), job);
}
