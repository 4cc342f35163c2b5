import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Name } from '../../src/dns/name.js';
import { parseRdataText } from '../../src/dns/rdata/index.js';
import { RRType } from '../../src/dns/types.js';
import { freePort } from '../lib/ports.js';
import { RunningProgram, runWell, temporaryFolder } from '../lib/processes.js';
import { toolPath } from '../lib/tools.js';

/** A zone that dnssec-keygen and dnssec-signzone made. */
export interface SignedFile {
  readonly name: string;
  readonly file: string;
  /** DS rdata of its KSK. */
  readonly anchor: Uint8Array;
}

/** Signs a zone's records with keys of its own. */
export async function signFile(
  folder: string,
  name: string,
  records: readonly string[],
  options: readonly string[] = [],
): Promise<SignedFile> {
  const keygen = async (...more: string[]): Promise<string> =>
    (await runWell(toolPath('dnssec-keygen'), ['-K', folder, '-a', '13', ...more, name])).trim();
  const ksk = await keygen('-f', 'KSK');
  await keygen();
  const [plain, file] = [join(folder, `${name}plain`), join(folder, `${name}signed`)];
  const head = [
    `${name} 300 IN SOA ns.${name} hostmaster.${name} 1 3600 600 86400 60`,
    `${name} 300 IN NS ns.${name}`,
    `ns.${name} 300 IN A 127.0.0.1`,
  ];
  writeFileSync(plain, `${[...head, ...records].join('\n')}\n`);
  await runWell(toolPath('dnssec-signzone'), [
    '-S',
    '-K',
    folder,
    '-d',
    folder,
    '-o',
    name,
    '-f',
    file,
    ...options,
    plain,
  ]);
  const ds = await runWell('/usr/bin/dnssec-dsfromkey', ['-2', join(folder, ksk)]);
  const anchor = parseRdataText(RRType.DS, ds.trim().replace(/^.* DS /, ''), Name.root);
  return { name, file, anchor };
}

/** A BIND that is primary for master files. */
export async function servePrimary(
  zones: readonly Pick<SignedFile, 'name' | 'file'>[],
): Promise<{ readonly address: string; readonly port: number; readonly program: RunningProgram }> {
  const folder = temporaryFolder('parent-named');
  const port = await freePort();
  const file = join(folder, 'named.conf');
  const stanzas = zones.map((zone) => `zone "${zone.name}" { type primary; file "${zone.file}"; };`);
  writeFileSync(
    file,
    `options {
  directory "${folder}"; pid-file none; session-keyfile none; managed-keys-directory "${folder}";
  listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; notify no; dnssec-validation no; minimal-responses no;
};
controls { };
${stanzas.join('\n')}
`,
  );
  const program = RunningProgram.start({
    name: 'parent',
    path: toolPath('named'),
    args: ['-g', '-n', '1', '-c', file],
    cwd: folder,
  });
  await program.waitUntil('running', () => program.log.includes('all zones loaded'));
  return { address: '127.0.0.1', port, program };
}
