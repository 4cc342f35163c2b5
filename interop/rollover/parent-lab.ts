import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatRdata } from '../../src/dns/rdata/index.js';
import { RRType } from '../../src/dns/types.js';
import { query, type Target } from '../lib/dns-client.js';
import { freePort } from '../lib/ports.js';
import { RunningProgram, runWell, temporaryFolder } from '../lib/processes.js';
import { toolPath } from '../lib/tools.js';

/** Seconds that caches may keep what the parent says. */
export const PARENT_TTL = 2;
const POLL_MS = 400;
/** CDS rdata that asks for no DS (RFC 8078 §4). */
const DELETE = '0 0 0 00';

/** A signed parent zone on a BIND, which takes the DS of its one child from the child's CDS, as a registry does (RFC 7344 §6). */
export class ParentLab {
  readonly zone: string;
  readonly child: string;
  readonly folder = temporaryFolder('parent');
  readonly #askChild: (() => Target) | undefined;
  #program: RunningProgram | undefined;
  #port = 0;
  #ksk = '';
  #serial = 1;
  #closed = false;
  #loop: Promise<void> = Promise.resolve();
  /** DS rdata that the parent has. */
  ds: readonly string[] = [];
  /** CDS are left alone while this is set. */
  isAsleep = false;
  /** How often the DS set has changed. */
  changes = 0;

  private constructor(zone: string, child: string, askChild: (() => Target) | undefined) {
    this.zone = zone;
    this.child = child;
    this.#askChild = askChild;
  }

  /** @param askChild a nameserver of the child that is asked for CDS; without one, DS are changed by hand alone */
  static async start(zone: string, child: string, askChild?: () => Target): Promise<ParentLab> {
    const lab = new ParentLab(zone, child, askChild);
    const keygen = async (...more: string[]): Promise<string> =>
      (await runWell(toolPath('dnssec-keygen'), ['-K', lab.folder, '-a', '13', ...more, zone])).trim();
    lab.#ksk = await keygen('-f', 'KSK');
    await keygen();
    await lab.#sign();
    lab.#port = await freePort();
    const file = join(lab.folder, 'named.conf');
    writeFileSync(
      file,
      `options {
  directory "${lab.folder}"; pid-file none; session-keyfile none;
  listen-on port ${lab.#port} { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; notify no; dnssec-validation no;
};
controls { };
zone "${zone}" { type primary; file "${join(lab.folder, 'signed')}"; };
`,
    );
    lab.#program = RunningProgram.start({
      name: 'parent',
      path: toolPath('named'),
      args: ['-g', '-n', '1', '-c', file],
      cwd: lab.folder,
    });
    await lab.#program.waitUntil('running', () => lab.#program?.log.includes('all zones loaded') === true);
    if (askChild !== undefined) lab.#loop = lab.#follow(askChild);
    return lab;
  }

  get target(): Target {
    return { host: '127.0.0.1', port: this.#port };
  }

  /** DS rdata of the parent's own key. */
  async anchor(): Promise<string> {
    const text = await runWell('/usr/bin/dnssec-dsfromkey', ['-2', join(this.folder, this.#ksk)]);
    return text.trim();
  }

  /** Puts DS rdata in the place of those that there are, as a registrar does by hand; for a parent that follows no CDS. */
  async putDs(ds: readonly string[]): Promise<void> {
    if (this.#askChild !== undefined) throw new Error('this parent follows CDS');
    await this.#change(ds);
  }

  async stop(): Promise<void> {
    this.#closed = true;
    await this.#loop;
    await this.#program?.stop();
  }

  async #follow(askChild: () => Target): Promise<void> {
    while (!this.#closed) {
      await sleep(POLL_MS);
      if (this.isAsleep) continue;
      const wanted = await this.#readCds(askChild);
      if (wanted === undefined || wanted.join() === this.ds.join()) continue;
      await this.#change(wanted);
    }
  }

  async #change(ds: readonly string[]): Promise<void> {
    this.ds = ds;
    this.changes++;
    await this.#sign();
    this.#program?.kill('SIGHUP');
  }

  /** What the child's CDS ask for; undefined where it has none. */
  async #readCds(askChild: () => Target): Promise<readonly string[] | undefined> {
    const answer = await query(askChild(), { name: this.child, type: 'CDS' }).catch(() => undefined);
    const cds = answer?.message.answer.filter(({ type }) => type === RRType.CDS) ?? [];
    if (cds.length === 0) return undefined;
    const texts = cds.map(({ rdata }) => formatRdata(RRType.CDS, rdata)).sort();
    return texts.every((text) => text === DELETE) ? [] : texts;
  }

  async #sign(): Promise<void> {
    const { zone, child, folder } = this;
    const lines = [
      `${zone} ${PARENT_TTL} IN SOA ns.${zone} host.${zone} ${this.#serial++} 3600 600 86400 ${PARENT_TTL}`,
      `${zone} ${PARENT_TTL} IN NS ns.${zone}`,
      `ns.${zone} ${PARENT_TTL} IN A 127.0.0.1`,
      `${child} ${PARENT_TTL} IN NS ns.${child}`,
      `ns.${child} ${PARENT_TTL} IN A 127.0.0.1`,
      ...this.ds.map((ds) => `${child} ${PARENT_TTL} IN DS ${ds}`),
    ];
    writeFileSync(join(folder, 'plain'), `${lines.join('\n')}\n`);
    const args = [
      '-S',
      '-K',
      folder,
      '-d',
      folder,
      '-o',
      zone,
      '-f',
      join(folder, 'signed'),
      join(folder, 'plain'),
    ];
    await runWell(toolPath('dnssec-signzone'), args);
  }
}
