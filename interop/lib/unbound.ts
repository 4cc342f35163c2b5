import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { FLAG, RCODE } from '../../src/dns/message.js';
import { typeFromText } from '../../src/dns/types.js';
import type { Finding } from './delv.js';
import type { Target } from './dns-client.js';
import { queryWithDo, recordText } from './dnssec-query.js';
import { freePort } from './ports.js';
import { RunningProgram, removeFolder, temporaryFolder } from './processes.js';
import { fillTemplate } from './templates.js';
import { TOOLS } from './tools.js';

const UNBOUND = TOOLS['unbound']?.path ?? 'unbound';

/** What a resolver is to know. */
export interface ResolverOptions {
  readonly label: string;
  /** DS records in presentation format by the zone that they anchor. */
  readonly anchors: ReadonlyMap<string, readonly string[]>;
  /** Which nameserver has which zone. */
  readonly servers: ReadonlyMap<string, Target>;
  /** Lines for its section `server` beside those of interop/config/. */
  readonly settings?: string;
}

/** A validating resolver on a free port of 127.0.0.1. */
export class Unbound {
  readonly #program: RunningProgram;
  readonly #folder: string;
  readonly target: Target;

  private constructor(program: RunningProgram, folder: string, target: Target) {
    this.#program = program;
    this.#folder = folder;
    this.target = target;
  }

  /** Starts it with the configuration of interop/config/. */
  static async start({ label, anchors, servers, settings }: ResolverOptions): Promise<Unbound> {
    const folder = temporaryFolder('unbound');
    const target = { host: '127.0.0.1', port: await freePort() };
    const file = join(folder, 'unbound.conf');
    const values = { FOLDER: folder, ADDRESS: target.host, PORT: target.port, USER: userInfo().username };
    const parts = [fillTemplate('unbound.conf', values)];
    if (settings !== undefined) parts.push(`server:\n${settings}\n`);
    for (const [zone, records] of anchors) {
      for (const ds of records)
        parts.push(fillTemplate('unbound-anchor.conf', { ZONE: zone, DS: ds.trim() }));
    }
    for (const [zone, server] of servers) {
      parts.push(
        fillTemplate('unbound-zone.conf', { ZONE: zone, SERVER: server.host, SERVER_PORT: server.port }),
      );
    }
    writeFileSync(file, parts.join(''));
    const program = RunningProgram.start({
      name: label,
      path: UNBOUND,
      args: ['-d', '-c', file],
      cwd: folder,
    });
    await program.waitUntil('running', () => program.log.includes('start of service'));
    return new Unbound(program, folder, target);
  }

  get log(): string {
    return this.#program.log;
  }

  /** Asks it with the DO bit; AD says secure, SERVFAIL bogus (RFC 4035 §3.2.2, §3.2.3). */
  async ask(question: { readonly name: string; readonly type: string }): Promise<Finding> {
    const options = { recursionDesired: true, timeoutMilliseconds: 20_000 };
    const message = await queryWithDo(this.target, question, options);
    if (message === undefined) return { outcome: 'failure', security: 'bogus', text: 'no answer' };
    const { rcode, flags, answer } = message;
    const asked = typeFromText(question.type);
    let outcome: Finding['outcome'] = 'failure';
    if (rcode === RCODE.NOERROR) outcome = answer.some((it) => it.type === asked) ? 'answer' : 'nodata';
    if (rcode === RCODE.NXDOMAIN) outcome = 'nxdomain';
    const isSecure = (flags & FLAG.AD) !== 0;
    return {
      outcome,
      security: outcome === 'failure' ? 'bogus' : isSecure ? 'secure' : 'insecure',
      text: [`RCODE ${rcode}`, ...answer.map(recordText)].join('\n'),
    };
  }

  async stop(): Promise<void> {
    await this.#program.stop();
    removeFolder(this.#folder);
  }
}
