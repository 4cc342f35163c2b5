import { cpus } from 'node:os';
import { join } from 'node:path';
import { removeFolder, temporaryFolder } from '../interop/lib/processes.js';
import type { AimId } from './aims.js';
import { type ColdRun, runCold, withGateway } from './cold-run.js';
import { signingBound } from './control.js';
import { tellProfiles } from './cpu-profile.js';
import { inRounds, type Lab, type LabZone } from './lab.js';
import type { Measured } from './measure.js';
import { knot, ldns, type Peer, policyOf, type Variant } from './peers.js';
import { prepareLargeZone } from './powerdns.js';
import { during, say } from './progress.js';
import { compared, median, type Outcome, type Row, row } from './rows.js';
import { measureStore, type StoreSize, storeRows } from './store-size.js';
import { hasPeer } from './tools.js';
import { ZONE } from './zone.js';

export interface ColdOptions {
  readonly names: number;
  /** Of the zone that RSA signs, where a signature takes fifteen times as long. */
  readonly rsaNames: number;
  readonly rounds: number;
}

/** One way to sign, and what it is beside. */
interface Comparison {
  readonly variant: Variant;
  /** What the peers' times are aimed at. */
  readonly peers: readonly (readonly [peer: Peer, aim?: AimId])[];
  readonly isPrincipal: boolean;
}

const NSEC: Variant = { name: 'NSEC', denial: 'nsec', algorithm: 13 };

const COMPARISONS: readonly Comparison[] = [
  {
    variant: NSEC,
    peers: [
      [knot, 'cold-knot'],
      [ldns, 'cold-ldns'],
    ],
    isPrincipal: true,
  },
  {
    variant: { name: 'NSEC3', denial: 'nsec3', algorithm: 13 },
    peers: [[knot, 'cold-nsec3'], [ldns]],
    isPrincipal: false,
  },
  {
    variant: { name: 'Ed25519', denial: 'nsec', algorithm: 15 },
    peers: [[knot, 'cold-ed25519']],
    isPrincipal: false,
  },
  {
    variant: { name: 'RSA-2048', denial: 'nsec', algorithm: 8 },
    peers: [[ldns, 'cold-rsa']],
    isPrincipal: false,
  },
];

/** A large zone from PostgreSQL to the last byte at a client, nothing signed before, beside other signers on the same zone. */
export async function cold(lab: Lab, { names, rsaNames, rounds }: ColdOptions): Promise<Outcome> {
  say(`cold: a zone of ${names} names, ${rounds} rounds`);
  const rows: Row[] = [];
  for (const comparison of COMPARISONS) {
    const size = comparison.variant.algorithm === 8 ? rsaNames : names;
    const series = new Comparing(lab, await lab.zone(size), comparison);
    await series.run(rounds);
    rows.push(...series.rows(size === names ? undefined : `${size} names, for both sides`));
  }
  return { rows };
}

/** One cold transfer with `node --cpu-prof`, and where the gateway's threads spent their time. */
export async function coldProfile(lab: Lab, names: number): Promise<Outcome> {
  say(`cold, with a profile: a zone of ${names} names`);
  const zone = await lab.zone(names);
  const folder = temporaryFolder('profiles');
  try {
    const settings = { policy: policyOf(NSEC), nodeArguments: ['--cpu-prof', `--cpu-prof-dir=${folder}`] };
    const rows = await withGateway(lab, zone, settings, async (made) => {
      const run = await runCold(lab, made);
      await made.gateway.stop();
      return [
        { ...row('cold, NSEC, profiled', run.seconds, 's'), note: 'the profiler slows it down' },
        row('cold, NSEC, profiled, CPU of the gateway', run.cpuSeconds, 's'),
      ];
    });
    for (const line of tellProfiles(folder)) say(line);
    return { rows };
  } finally {
    removeFolder(folder);
  }
}

/** Zoneseal and its peers in turn. */
class Comparing {
  readonly #lab: Lab;
  readonly #zone: LabZone;
  readonly #comparison: Comparison;
  readonly #colds: ColdRun[] = [];
  readonly #peers = new Map<string, Measured[]>();
  readonly #boundCpu: number[] = [];
  #store: StoreSize | undefined;

  constructor(lab: Lab, zone: LabZone, comparison: Comparison) {
    this.#lab = lab;
    this.#zone = zone;
    this.#comparison = comparison;
  }

  async run(rounds: number): Promise<void> {
    const { variant, isPrincipal } = this.#comparison;
    const others = await this.#prepare();
    await inRounds(`cold, ${variant.name}`, rounds, async (said) => {
      await withGateway(this.#lab, this.#zone, { policy: policyOf(variant) }, async (made) => {
        const result = await runCold(this.#lab, made);
        this.#colds.push(result);
        say(`${said} ${result.seconds.toFixed(2)} s, CPU ${result.cpuSeconds.toFixed(2)} s`);
        if (isPrincipal) this.#store ??= await measureStore(this.#lab, made.database);
      });
      if (isPrincipal) this.#boundCpu.push((await signingBound()).cpuSeconds);
      for (const [name, sign] of others) {
        const result = await during(name, sign);
        this.#peers.get(name)?.push(result);
        say(`${said} ${name} ${result.seconds.toFixed(2)} s, CPU ${result.cpuSeconds.toFixed(2)} s`);
      }
    });
  }

  async #prepare(): Promise<[name: string, sign: () => Promise<Measured>][]> {
    const { variant, peers, isPrincipal } = this.#comparison;
    const { folder } = this.#lab;
    const { file } = this.#zone;
    const others = peers
      .filter(([peer]) => hasPeer(peer.name))
      .map(([peer]): [string, () => Promise<Measured>] => {
        const own = join(folder, `${peer.name}-${variant.name}`);
        return [peer.name, peer.prepare({ folder: own, zone: ZONE, file, variant })];
      });
    if (isPrincipal && hasPeer('PowerDNS')) {
      others.push(['PowerDNS', await prepareLargeZone(this.#lab.postgres, this.#zone)]);
    }
    for (const [name] of others) this.#peers.set(name, []);
    return others;
  }

  rows(note: string | undefined): Row[] {
    const { variant, peers, isPrincipal } = this.#comparison;
    const what = `cold, ${variant.name}`;
    const noted = note === undefined ? {} : { note };
    const seconds = this.#colds.map((run) => run.seconds);
    const cpu = this.#colds.map((run) => run.cpuSeconds);
    const beside: readonly (readonly [string, AimId | undefined])[] = [
      ...peers.map(([peer, aim]) => [peer.name, aim] as const),
      ...(isPrincipal ? ([['PowerDNS', 'cold-powerdns']] as const) : []),
    ];
    const rows: Row[] = [];
    for (const [peer, aim] of beside) {
      const theirs = this.#peers.get(peer);
      const aimed = aim === undefined ? {} : { aim };
      if (aim === undefined && theirs === undefined) continue;
      rows.push(
        compared(`${what}, database to client`, 's', seconds, {
          peer: peer === 'PowerDNS' ? 'PowerDNS, first live-signed AXFR' : peer,
          theirs: theirs?.map((run) => run.seconds),
          ...aimed,
          ...noted,
        }),
        compared(`${what}, CPU of the signer`, 's', cpu, {
          peer,
          theirs: theirs?.map((run) => run.cpuSeconds),
        }),
        compared(`${what}, peak memory of the signer`, 'MB', this.#peaks(this.#colds), {
          peer,
          theirs: theirs === undefined ? undefined : this.#peaks(theirs),
        }),
      );
    }
    rows.push(
      compared(
        `${what}, CPU of PostgreSQL`,
        's',
        this.#colds.map((run) => run.databaseCpuSeconds),
      ),
      row(`${what}, signatures`, median(this.#colds.map((run) => run.signatures)), 'signatures'),
      compared(
        `${what}, first message`,
        'ms',
        this.#colds.map(({ fetched }) => fetched.firstMessage),
      ),
    );
    return isPrincipal ? [...rows, ...this.#principalRows(cpu)] : rows;
  }

  #peaks(runs: readonly Measured[]): number[] {
    return runs.map(({ peakMegabytes = Number.NaN }) => peakMegabytes);
  }

  #principalRows(cpu: readonly number[]): Row[] {
    const signatures = median(this.#colds.map((run) => run.signatures));
    return [
      compared('cold, NSEC, CPU of the gateway', 's', cpu, {
        peer: `openssl speed, ${signatures} signatures on ${cpus().length} cores`,
        theirs: this.#boundCpu.map((one) => one * signatures),
        aim: 'cold-cpu',
      }),
      ...(this.#store === undefined ? [] : storeRows(this.#store)),
    ];
  }
}
