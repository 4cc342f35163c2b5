import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ChangePlan, KINDS, type Kind } from './change-plan.js';
import { SoaPoller, TransferConnection } from './client.js';
import type { Lab, LabGateway, LabZone } from './lab.js';
import { during, say } from './progress.js';
import { distribution, median, type Outcome, quantile, type Row, row, type Series } from './rows.js';
import { fetchServed, SERVE_ALL } from './served.js';
import { ZONE } from './zone.js';

interface ChangesOptions {
  /** Of the smaller zone and of the larger. */
  readonly sizes: readonly [smaller: number, larger: number];
  readonly rounds: number;
  /** To each zone in each round. */
  readonly changes: number;
}

/** What one change took; times in milliseconds. */
interface Sample {
  readonly kind: Kind;
  /** The writer's own statements up to its commit. */
  readonly writing: number;
  /** By the commit times that PostgreSQL notes. */
  readonly ready: number;
  /** From when the writer was told of its commit. */
  readonly soa: number;
  readonly ixfr: number;
  /** Octets of write-ahead log: the writer's up to its commit, and all. */
  readonly writerWal: number;
  readonly wal: number;
  readonly ixfrOctets: number;
  readonly signatures: number;
  readonly reused: number;
  readonly journalOctets: number;
  readonly removed: number;
  readonly added: number;
}

/** Single-record changes to a large zone and to a small one: what each costs, and how soon it is out. */
export async function changes(lab: Lab, { sizes, rounds, changes }: ChangesOptions): Promise<Outcome> {
  say(`changes: zones of ${sizes.join(' and ')} names, ${changes} changes each, ${rounds} rounds`);
  const zones: LabZone[] = [];
  for (const size of sizes) zones.push(await lab.zone(size));
  const rows: Row[] = [];
  const series: Series[] = [];
  for (const denial of ['nsec', 'nsec3'] as const) {
    const samples: Sample[][] = sizes.map(() => []);
    for (let round = 0; round < rounds; round++) {
      await lab.withoutCheckpoints(() => runChanges(lab, { zones, denial, changes }, samples));
    }
    rows.push(...rowsOf(denial, sizes, samples));
    for (const [i, size] of sizes.entries()) {
      const times = (samples[i] ?? []).map(({ ixfr }) => ixfr);
      series.push({
        plot: 'latency',
        label: `${denial.toUpperCase()}, ${size.toLocaleString('en')} names`,
        points: distribution(times),
      });
    }
  }
  return { rows, series };
}

/** Changes each of the zones in turn, so that whatever else the machine does meets all alike. */
async function runChanges(
  lab: Lab,
  work: { readonly zones: readonly LabZone[]; readonly denial: string; readonly changes: number },
  samples: readonly Sample[][],
): Promise<void> {
  const { zones, denial, changes } = work;
  const lines: ServedLine[] = [];
  try {
    for (const zone of zones) lines.push(await ServedLine.open(lab, zone, denial));
    let done = 0;
    const change = async (): Promise<void> => {
      for (; done < changes; done++) {
        for (const [j, line] of lines.entries()) samples[j]?.push(await line.measureNext());
      }
    };
    await during(`changes, ${denial}`, change, () => `${done} of ${changes}`);
  } finally {
    for (const line of lines) await line.close();
  }
  for (const [j, { names }] of zones.entries()) {
    const times = (['ready', 'soa', 'ixfr'] as const).map(
      (what) => `${what} ${median((samples[j] ?? []).map((sample) => sample[what])).toFixed(0)} ms`,
    );
    say(`  ${denial}, ${names} names: ${times.join(', ')}`);
  }
}

/** How often the serial is asked for, and for how long. */
const SOA_EVERY_MS = 2;
const SOA_PATIENCE_MS = 60_000;

/**
 * What an IXFR of one step has beside the journal: the SOA at both ends, before what was removed and before what was added,
 * and its signature in both.
 */
const SOA_RECORDS = 6;

/** SQL that tells how much write-ahead log there is. */
const WAL = "pg_current_wal_insert_lsn() - '0/0'::pg_lsn";

/** One zone at a gateway of its own, as its writer and a nameserver see it. */
class ServedLine {
  readonly #made: LabGateway;
  readonly #poller: SoaPoller;
  readonly #writer: pg.Client;
  readonly #plan: ChangePlan;

  private constructor(made: LabGateway, writer: pg.Client, plan: ChangePlan) {
    this.#made = made;
    this.#poller = new SoaPoller(made.gateway.target.port, ZONE);
    this.#writer = writer;
    this.#plan = plan;
  }

  /** Has a zone served, its first publication ready. */
  static async open(lab: Lab, zone: LabZone, denial: string): Promise<ServedLine> {
    const { postgres } = lab;
    const made = await lab.gateway(zone, { policy: [`denial=${denial}`] });
    const { gateway, database } = made;
    try {
      await gateway.serve();
      postgres.psql(SERVE_ALL, database);
      await during(`first publication of ${zone.names} names`, () => fetchServed(gateway.target.port, ZONE));
      // in place of the one that would come by itself at some time while changes are made
      postgres.psql('vacuum analyze', database);
      postgres.psql('checkpoint', database);
      const writer = new pg.Client(`postgres://postgres@127.0.0.1:${postgres.port}/${database}`);
      await writer.connect();
      return new ServedLine(made, writer, new ChangePlan(ZONE, zone.names));
    } catch (error) {
      await made.remove();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#poller.close();
    await this.#writer.end().catch(() => undefined);
    await this.#made.remove();
  }

  /** Makes the next change and follows it to the nameserver. */
  async measureNext(): Promise<Sample> {
    const { kind, sql, values } = this.#plan.next();
    const before = await this.#poller.serial();
    if (before === undefined) throw new Error('the SOA is not answered');
    const begun = performance.now();
    const written = await this.#write(sql, values);
    const committed = performance.now();
    await this.#waitForSerialAfter(before);
    const soa = performance.now() - committed;
    const connection = new TransferConnection(this.#made.gateway.target.port);
    const fetched = await connection.fetchDifference(ZONE, before).finally(() => connection.close());
    const ixfr = performance.now() - committed;
    if (fetched === undefined) throw new Error(`the IXFR from ${before} was refused or cut off`);
    const made = await this.#publication(fetched.serial, written.xid);
    if (fetched.records !== made.removed + made.added + SOA_RECORDS) {
      throw new Error(`the IXFR has ${fetched.records} records, the journal ${made.removed} + ${made.added}`);
    }
    const { wal, ...publication } = made;
    return {
      kind,
      writing: committed - begun,
      soa,
      ixfr,
      writerWal: written.walAfter - written.walBefore,
      wal: wal - written.walBefore,
      ixfrOctets: fetched.octets,
      ...publication,
    };
  }

  async #write(
    sql: string,
    values: readonly string[],
  ): Promise<{ xid: string; walBefore: number; walAfter: number }> {
    await this.#writer.query('begin');
    const before = await this.#writer.query<{ wal: string }>(`select ${WAL} as wal`);
    const { rowCount } = await this.#writer.query(sql, [...values]);
    if (rowCount !== 1) throw new Error(`a change is of ${rowCount} rows: ${sql} with ${values.join(' ')}`);
    // what the triggers would do at the commit, so that it is counted as the writer's
    await this.#writer.query('set constraints all immediate');
    const after = await this.#writer.query<{ wal: string; xid: string }>(
      `select ${WAL} as wal, pg_current_xact_id()::xid::text as xid`,
    );
    await this.#writer.query('commit');
    return {
      xid: after.rows[0]?.xid ?? '',
      walBefore: Number(before.rows[0]?.wal),
      walAfter: Number(after.rows[0]?.wal),
    };
  }

  async #waitForSerialAfter(before: number): Promise<void> {
    const deadline = performance.now() + SOA_PATIENCE_MS;
    while (performance.now() < deadline) {
      const serial = await this.#poller.serial();
      if (serial !== undefined && serial !== before) return;
      await sleep(SOA_EVERY_MS);
    }
    throw new Error(`after ${SOA_PATIENCE_MS / 1000} s the serial is still ${before}`);
  }

  /** What the database says of a publication, and how long after the writer's commit it became ready. */
  async #publication(
    serial: number,
    xid: string,
  ): Promise<
    Pick<Sample, 'ready' | 'wal' | 'signatures' | 'reused' | 'journalOctets' | 'removed' | 'added'>
  > {
    const { rows } = await this.#writer.query<Record<string, string>>(
      `select 1000 * extract(epoch from pg_xact_commit_timestamp(xmin) - pg_xact_commit_timestamp($2::xid)) as ready,
         ${WAL} as wal, signatures, reused, journal_octets, removed, added
       from zoneseal.publications where state = 'ready' and serial = $1`,
      [serial, xid],
    );
    const [found] = rows;
    if (found === undefined) throw new Error(`there is no ready publication with serial ${serial}`);
    return {
      ready: Number(found['ready']),
      wal: Number(found['wal']),
      signatures: Number(found['signatures']),
      reused: Number(found['reused']),
      journalOctets: Number(found['journal_octets']),
      removed: Number(found['removed']),
      added: Number(found['added']),
    };
  }
}

/** What is told of the samples. */
const FIGURES: readonly {
  readonly name: string;
  readonly unit: string;
  readonly of: (sample: Sample) => number;
}[] = [
  { name: 'from commit to ready', unit: 'ms', of: ({ ready }) => ready },
  { name: 'from commit to the SOA answered', unit: 'ms', of: ({ soa }) => soa },
  { name: 'from commit to the IXFR received', unit: 'ms', of: ({ ixfr }) => ixfr },
  { name: "the writer's transaction", unit: 'ms', of: ({ writing }) => writing },
  { name: 'signatures made', unit: 'signatures', of: ({ signatures }) => signatures },
  { name: 'signatures used again in rewritten pages', unit: 'signatures', of: ({ reused }) => reused },
  { name: 'records removed and added', unit: 'records', of: ({ removed, added }) => removed + added },
  { name: 'journal', unit: 'octets', of: ({ journalOctets }) => journalOctets },
  { name: 'IXFR', unit: 'octets', of: ({ ixfrOctets }) => ixfrOctets },
  { name: 'write-ahead log, all', unit: 'octets', of: ({ wal }) => wal },
  { name: "write-ahead log, the writer's own", unit: 'octets', of: ({ writerWal }) => writerWal },
];

function rowsOf(
  denial: string,
  sizes: readonly [number, number],
  samples: readonly (readonly Sample[])[],
): Row[] {
  const [small, large] = sizes;
  const peer = `${small} names`;
  const [smaller = [], larger = []] = samples;
  const all = `changes, ${denial}, ${large} names`;
  const arrival = (of: readonly Sample[]): number => median(of.map(({ ixfr }) => ixfr));
  const most = (of: readonly Sample[]): number => Math.max(...of.map(({ signatures }) => signatures));
  const rows: Row[] = [
    {
      ...row(`${all}, from commit to the IXFR received, median`, arrival(larger), 'ms'),
      aim: 'change-time',
    },
    {
      ...row(
        `${all}, from commit to the IXFR received, beside a smaller zone`,
        arrival(larger),
        'ms',
        peer,
        arrival(smaller),
      ),
      aim: 'change-growth',
    },
    {
      ...row(`${all}, signatures made, most of any change`, most(larger), 'signatures', peer, most(smaller)),
      aim: 'change-signatures',
    },
  ];
  for (const { name, unit, of: figure } of FIGURES) {
    const [theirs, ours] = [smaller.map(figure), larger.map(figure)];
    const what = `${all}, ${name}`;
    rows.push(row(`${what}, median`, median(ours), unit, peer, median(theirs)));
    rows.push(row(`${what}, 99 %`, quantile(ours, 0.99), unit, peer, quantile(theirs, 0.99)));
  }
  for (const kind of KINDS) {
    const signatures = (of: readonly Sample[]): number =>
      median(of.filter((sample) => sample.kind === kind).map((sample) => sample.signatures));
    const what = `${all}, signatures to ${kind}, median`;
    rows.push(row(what, signatures(larger), 'signatures', peer, signatures(smaller)));
  }
  return rows;
}
