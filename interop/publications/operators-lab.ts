import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readDocument, splitBlocks } from '../../test/docs/documents.js';
import { commandsIn } from '../../test/docs/shell.js';
import type { Target } from '../lib/dns-client.js';
import { GatewayProcess } from '../lib/gateway.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';
import { RunningProgram, removeFolder, runWell, temporaryFolder } from '../lib/processes.js';
import { Secondary, type SecondaryKey } from '../lib/secondary.js';
import { toolPath } from '../lib/tools.js';

export const ZONE = 'example.';

/** What the old primary has: further on than the clock, and what the guide takes over. */
export const OLD_SERIAL = 2_500_000_000;

const MASTER = `$TTL 300
@ SOA ns host ${OLD_SERIAL} 2 2 86400 300
@ NS ns
ns A 192.0.2.1
mail MX 10 ns
*.wild TXT "any"
sub NS ns.sub
ns.sub A 192.0.2.2
`;

/**
 * A BIND that serves a zone which dnssec-signzone signed; a named that has the zone from it; and a gateway that is to take its
 * place, at the same address, on a PostgreSQL and with the rights of its roles alone.
 */
export class OperatorsLab {
  readonly postgres: TestPostgres;
  readonly gateway: GatewayProcess;
  readonly folder = temporaryFolder('replaced');
  #old: RunningProgram | undefined;
  #secondary: Secondary | undefined;

  private constructor(postgres: TestPostgres, gateway: GatewayProcess) {
    this.postgres = postgres;
    this.gateway = gateway;
  }

  static async start(): Promise<OperatorsLab> {
    const postgres = await startPostgres();
    const migration = await GatewayProcess.prepare({ config: { database: { url: postgres.url } } });
    await migration.command(['migrate', '--roles']);
    await migration.remove();
    postgres.psql(`
      create role suite_gateway login in role zoneseal_gateway;
      create role suite_operator login in role zoneseal_admin;`);
    const url = (user: string): string => {
      const of = new URL(postgres.url);
      of.username = user;
      return of.href;
    };
    const gateway = await GatewayProcess.prepare({
      config: { database: { url: url('suite_gateway') } },
      commandEnvironment: { ZONESEAL_DATABASE_URL: url('suite_operator') },
    });
    const lab = new OperatorsLab(postgres, gateway);
    try {
      await gateway.command(['view', 'add', 'external']);
      const key = await lab.#addKey();
      await lab.#startOld(key);
      lab.#secondary = await Secondary.start('named', {
        zones: [ZONE],
        primary: gateway.target,
        key,
        label: 'named of the old primary',
      });
    } catch (error) {
      await lab.stop();
      throw error;
    }
    return lab;
  }

  get secondary(): Secondary {
    if (this.#secondary === undefined) throw new Error('it does not run');
    return this.#secondary;
  }

  /** The old primary's DS records, as its signer wrote them. */
  get oldDs(): string {
    return readFileSync(join(this.folder, `dsset-${ZONE}`), 'utf8');
  }

  async #addKey(): Promise<SecondaryKey> {
    const file = join(this.gateway.folder, 'ns1.key');
    await this.gateway.command(['tsig', 'add', 'ns1-key.', '--view', 'external', '--key-file', file]);
    const text = readFileSync(file, 'utf8');
    const word = (pattern: RegExp): string => pattern.exec(text)?.[1] ?? '';
    return {
      name: word(/key\s+"?([^"\s]+)"?/),
      algorithm: word(/algorithm\s+([^;\s]+);/),
      secret: word(/secret\s+"([^"]+)"/),
    };
  }

  /** Signs the zone with keys in a folder beside the gateway, and serves it where the gateway will be. */
  async #startOld({ name, algorithm, secret }: SecondaryKey): Promise<void> {
    const keys = join(this.gateway.folder, 'keys');
    mkdirSync(keys);
    const { folder } = this;
    writeFileSync(join(folder, 'zone'), MASTER);
    for (const flags of [['-f', 'KSK'], []]) {
      await runWell(toolPath('dnssec-keygen'), ['-K', keys, '-a', 'ECDSAP256SHA256', ...flags, ZONE], {
        cwd: folder,
      });
    }
    await runWell(
      toolPath('dnssec-signzone'),
      ['-S', '-K', keys, '-o', ZONE, '-d', folder, '-f', 'signed', 'zone'],
      { cwd: folder },
    );
    const { host, port } = this.gateway.target;
    writeFileSync(
      join(folder, 'named.conf'),
      `key "${name}" { algorithm ${algorithm}; secret "${secret}"; };
options {
  directory "${folder}"; pid-file "${folder}/pid"; session-keyfile "${folder}/session.key";
  listen-on port ${port} { ${host}; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; allow-transfer { ${host}; };
};
controls { };
zone "${ZONE}" { type primary; file "${folder}/signed"; };
`,
    );
    const program = RunningProgram.start({
      name: 'the old primary',
      path: toolPath('named'),
      args: ['-g', '-n', '1', '-c', join(folder, 'named.conf')],
      cwd: folder,
    });
    this.#old = program;
    await program.waitUntil('running', () => program.log.includes('all zones loaded'));
  }

  async stopOld(): Promise<void> {
    await this.#old?.stop();
  }

  /** What a server has of the zone, one record a line, written to a file for those who judge it. */
  async dump({ host, port }: Target, file: string): Promise<string[]> {
    const text = await runWell(toolPath('dig'), [
      `@${host}`,
      '-p',
      String(port),
      ZONE,
      'AXFR',
      '+onesoa',
      '+noall',
      '+answer',
    ]);
    writeFileSync(file, text);
    return text.trimEnd().split('\n');
  }

  async stop(): Promise<void> {
    await this.#secondary?.stop();
    await this.stopOld();
    await this.gateway.remove();
    removeFolder(this.folder);
    this.postgres.remove();
  }
}

/** The command lines of the guide that are typed in, block by block. */
export function typedCommands(): string[][][] {
  const document = readDocument('docs/operations.md');
  const { blocks } = splitBlocks(document);
  const lines = document.text.split('\n');
  return blocks
    .filter(({ line }) => lines[line - 3]?.trim() === '<!-- interop/publications/operators.test.ts -->')
    .map((block) => commandsIn(block).map(({ words }) => [...words]));
}
