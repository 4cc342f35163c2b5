/** Nameservers as judges of ZONEMD: what they do not load they reject. */
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.js';
import { RunningProgram, removeFolder, temporaryFolder } from './processes.js';
import { TOOLS } from './tools.js';
import type { SignedFile, Verdict } from './validators.js';

/** Servers that check a zone's digest when they load it. */
export const ZONEMD_SERVERS = ['knotd', 'unbound'] as const;

export type ZonemdServer = (typeof ZONEMD_SERVERS)[number];

interface ServerKind {
  readonly configuration: (folder: string, port: number, zones: readonly SignedFile[]) => string;
  readonly args: (configuration: string) => readonly string[];
  /** Log lines about a zone's digest. */
  readonly accepts: (apex: string) => RegExp;
  readonly rejects: (apex: string) => RegExp;
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

const authZone = ({ apex, file }: SignedFile): string => `auth-zone:
    name: "${apex}"
    zonefile: "${file}"
    zonemd-check: yes
    zonemd-reject-absence: yes
`;

const KINDS: Readonly<Record<ZonemdServer, ServerKind>> = {
  knotd: {
    configuration: (folder, port, zones) => `server:
    listen: 127.0.0.1@${port}
    rundir: "${folder}"
database:
    storage: "${folder}"
log:
  - target: stderr
    any: info
template:
  - id: default
    zonemd-verify: on
    zonefile-sync: -1
    journal-content: none
zone:
${zones.map(({ apex, file }) => `  - domain: "${apex}"\n    file: "${file}"\n`).join('')}`,
    args: (configuration) => ['-c', configuration],
    accepts: (apex) => new RegExp(`\\[${escaped(apex)}\\] ZONEMD, verification successful`),
    rejects: (apex) =>
      new RegExp(`\\[${escaped(apex)}\\] (ZONEMD, verification failed.*|zone event 'load' failed.*)`),
  },
  unbound: {
    configuration: (folder, port, zones) => `server:
    interface: 127.0.0.1@${port}
    username: "${userInfo().username}"
    directory: "${folder}"
    pidfile: "${folder}/unbound.pid"
    chroot: ""
    use-syslog: no
    verbosity: 4
    module-config: "iterator"
remote-control:
    control-enable: no
${zones.map(authZone).join('')}`,
    args: (configuration) => ['-d', '-c', configuration],
    accepts: (apex) => new RegExp(`auth zone ${escaped(apex)} ZONEMD verification successful`),
    rejects: (apex) =>
      new RegExp(`auth zone ${escaped(apex)}: ZONEMD verification failed.*|error: .*${escaped(apex)}.*`),
  },
};

/** What a server says of the digests of zones with different apexes, in their order. */
export async function judgeZonemd(server: ZonemdServer, zones: readonly SignedFile[]): Promise<Verdict[]> {
  const kind = KINDS[server];
  const folder = temporaryFolder(server);
  const configuration = join(folder, `${server}.conf`);
  writeFileSync(configuration, kind.configuration(folder, await freePort(), zones));
  const program = RunningProgram.start({
    name: server,
    path: TOOLS[server]?.path ?? server,
    args: kind.args(configuration),
    cwd: folder,
  });
  const verdictOn = ({ apex }: SignedFile): Verdict => {
    const [rejection] = kind.rejects(apex).exec(program.log) ?? [];
    if (rejection !== undefined) return { outcome: 'rejected', said: rejection };
    const [acceptance] = kind.accepts(apex).exec(program.log) ?? [];
    if (acceptance !== undefined) return { outcome: 'accepted', said: acceptance };
    return { outcome: 'undecided', said: `nothing is said of ${apex}` };
  };
  try {
    await program.waitUntil('judging every zone', () =>
      zones.every((zone) => verdictOn(zone).outcome !== 'undecided'),
    );
    return zones.map(verdictOn);
  } finally {
    await program.stop();
    removeFolder(folder);
  }
}
