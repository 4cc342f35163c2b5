import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Name } from '../../src/dns/name.js';
import { TSIG_ALGORITHMS, type TsigAlgorithm, type TsigKey } from '../../src/dns/tsig.js';
import { query, type Target } from '../lib/dns-client.js';
import { TOOLS } from '../lib/tools.js';

/** A nameserver program that serves one zone to whoever has one of the keys. */
export interface Primary extends Target {
  readonly program: string;
  stop(): Promise<void>;
}

/** The programs that serve as primaries. */
export const PROGRAMS = ['named', 'knotd', 'nsd'] as const;

export type Program = (typeof PROGRAMS)[number];

/** The zone that they serve, and how many A records it has beside SOA and NS: enough for more than 100 messages. */
export const ZONE = 'tsig.example';
export const HOST_COUNT = 75_000;

const SECRET = Uint8Array.from({ length: 48 }, (_, i) => 255 - i);

/** One key for each algorithm, as every primary has it. */
export function keyFor(algorithm: TsigAlgorithm): TsigKey {
  return { name: Name.parse(`Key-${algorithm}.example.`), algorithm, secret: SECRET };
}

/** A zone of HOST_COUNT hosts as a master file. */
function zoneText(): string {
  const lines = [
    `${ZONE}. 300 IN SOA ns.${ZONE}. host.${ZONE}. 1 3600 600 86400 300`,
    `${ZONE}. 300 IN NS ns.${ZONE}.`,
  ];
  for (let i = 0; i < HOST_COUNT; i++) lines.push(`host-${i}.${ZONE}. 300 IN A 192.0.2.${i % 256}`);
  lines.push(`ns.${ZONE}. 300 IN A 192.0.2.1`);
  return `${lines.join('\n')}\n`;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

const secret = Buffer.from(SECRET).toString('base64');

const configurations: Record<Program, (folder: string, port: number) => string> = {
  named: (folder, port) => `
${TSIG_ALGORITHMS.map((it) => `key "${keyFor(it).name}" { algorithm ${it}; secret "${secret}"; };`).join('\n')}
options {
  directory "${folder}"; pid-file "${folder}/pid"; session-keyfile "${folder}/session.key";
  listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; allow-transfer { none; };
};
controls { };
zone "${ZONE}" {
  type primary; file "${folder}/zone"; max-records 0;
  allow-transfer { ${TSIG_ALGORITHMS.map((it) => `key "${keyFor(it).name}";`).join(' ')} };
};
`,
  knotd: (folder, port) => `
server:
    listen: 127.0.0.1@${port}
    rundir: "${folder}"
database:
    storage: "${folder}"
key:
${TSIG_ALGORITHMS.map((it) => `  - id: ${keyFor(it).name}\n    algorithm: ${it}\n    secret: ${secret}`).join('\n')}
acl:
  - id: transfer
    action: transfer
    key: [${TSIG_ALGORITHMS.map((it) => keyFor(it).name).join(', ')}]
zone:
  - domain: ${ZONE}
    file: "${folder}/zone"
    acl: transfer
    zonefile-sync: -1
    journal-content: none
`,
  nsd: (folder, port) => `
server:
  ip-address: 127.0.0.1
  port: ${port}
  username: ""
  chroot: ""
  database: ""
  zonesdir: "${folder}"
  pidfile: "${folder}/pid"
  xfrdfile: "${folder}/xfrd.state"
  xfrdir: "${folder}"
  zonelistfile: "${folder}/zone.list"
  server-count: 1
remote-control:
  control-enable: no
${TSIG_ALGORITHMS.map((it) => `key:\n  name: ${keyFor(it).name}\n  algorithm: ${it}\n  secret: "${secret}"`).join('\n')}
zone:
  name: ${ZONE}
  zonefile: "${folder}/zone"
${TSIG_ALGORITHMS.map((it) => `  provide-xfr: 127.0.0.1 ${keyFor(it).name}`).join('\n')}
`,
};

const commands: Record<Program, (file: string) => string[]> = {
  named: (file) => ['-g', '-c', file],
  knotd: (file) => ['-c', file],
  nsd: (file) => ['-d', '-c', file],
};

/** Starts one program in a temporary folder, on a free port of 127.0.0.1, and waits until it answers. */
export async function startPrimary(program: Program): Promise<Primary> {
  const folder = mkdtempSync(join(tmpdir(), `zoneseal-tsig-${program}-`));
  const port = await freePort();
  const file = join(folder, 'server.conf');
  writeFileSync(join(folder, 'zone'), zoneText());
  writeFileSync(file, configurations[program](folder, port));
  const path = TOOLS[program]?.path ?? program;
  const child = spawn(path, commands[program](file), { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (log = (log + chunk.toString('utf8')).slice(-4000)));
  }
  const target = { host: '127.0.0.1', port };
  const stop = async (): Promise<void> => {
    await end(child);
    rmSync(folder, { recursive: true, force: true });
  };
  for (let attempt = 0; attempt < 120; attempt++) {
    const answer = await query(target, { name: ZONE, type: 'SOA', timeoutMilliseconds: 250 }).catch(
      () => undefined,
    );
    if (answer?.message.answer.length === 1) return { ...target, program, stop };
    if (child.exitCode !== null) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await stop();
  throw new Error(`${program} does not serve ${ZONE}:\n${log}`);
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
