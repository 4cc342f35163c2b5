import { setTimeout as sleep } from 'node:timers/promises';
import type { GatewayProcess } from '../interop/lib/gateway.js';
import { startPostgres, type TestPostgres } from '../interop/lib/postgres.js';
import { MemoryWatch, treeCpuSeconds } from './measure.js';
import { during, say } from './progress.js';
import { type Outcome, type Row, row } from './rows.js';
import { prepareGateway, SERVE_ALL } from './served.js';
import { loadZones, shareKeys, smallZoneNames } from './small-zone-data.js';

interface HeldOptions {
  readonly zones: number;
  /** For how long nothing changes. */
  readonly seconds: number;
}

const DATABASE = 'held';
/** Longest that all first publications may take, and that it may take until nothing goes on any more. */
const PATIENCE_MS = 3_600_000;
const SETTLE_MS = 1_800_000;
/** Nothing goes on when two spans of so many seconds, one after the other, take the same CPU but for so many per cent of a core. */
const SPAN_SECONDS = 5;
const SAME_PER_CENT = 1;

/** Zones whose keys or parents are to be looked at, as new ones are: that is work, and not holding. */
const LOOKS_DUE = `select (select count(*) from zoneseal.key_looks)
  + (select count(*) from zoneseal.zones where keys_due_at <= now())
  + (select count(*) from zoneseal.parent_looks where due_at <= now())`;

/** What it costs to hold many zones none of which changes. */
export async function held({ zones, seconds }: HeldOptions): Promise<Outcome> {
  say(`held: ${zones} zones, none changing`);
  const postgres = await startPostgres({ durable: true });
  let gateway: GatewayProcess | undefined;
  try {
    gateway = await prepareGateway(postgres, DATABASE, { policy: ['keys=csk'] });
    const [first] = smallZoneNames(1);
    loadZones(postgres, DATABASE, zones);
    await gateway.command(['keys', 'generate', first as string]);
    shareKeys(postgres, DATABASE);
    await gateway.serve();
    const begun = performance.now();
    await publishAll(postgres, zones);
    const took = (performance.now() - begun) / 1000;
    say(`  ${zones} zones have their first publication after ${took.toFixed(0)} s`);
    postgres.psql('vacuum analyze', DATABASE);
    const rows = await holdRows(postgres, gateway, `${zones} zones held, none changing`, seconds);
    await gateway.stop();
    await gateway.serve(PATIENCE_MS);
    const again = `${zones} zones held, none changing, gateway started anew`;
    rows.push(...(await holdRows(postgres, gateway, again, seconds)));
    return {
      rows: [...rows, row(`${zones} zones, first publications by the keeper`, zones / took, 'zones/s')],
    };
  } finally {
    await gateway?.remove();
    postgres.remove();
  }
}

async function publishAll(postgres: TestPostgres, zones: number): Promise<void> {
  postgres.psql(SERVE_ALL, DATABASE);
  let ready = 0;
  const deadline = performance.now() + PATIENCE_MS;
  const wait = async (): Promise<void> => {
    for (;;) {
      ready = Number(
        postgres.psql('select count(*) from zoneseal.serial_lines where ready is not null', DATABASE),
      );
      if (ready >= zones) return;
      if (performance.now() > deadline) throw new Error(`${ready} of ${zones} zones are ready`);
      await sleep(2000);
    }
  };
  await during('first publications', wait, () => `${ready} of ${zones}`);
}

/** Waits until nothing goes on, and then measures for a while. */
async function holdRows(
  postgres: TestPostgres,
  gateway: GatewayProcess,
  what: string,
  seconds: number,
): Promise<Row[]> {
  const pid = gateway.pid as number;
  const perCent = async (of: () => number, span: number): Promise<number> => {
    const before = of();
    const begun = performance.now();
    await sleep(span * 1000);
    return (100_000 * (of() - before)) / (performance.now() - begun);
  };
  const ours = (): number => treeCpuSeconds(pid);
  const hasSettled = await during('settling', async () => {
    const deadline = performance.now() + SETTLE_MS;
    while (Number(postgres.psql(LOOKS_DUE, DATABASE)) > 0 && performance.now() < deadline) await sleep(1000);
    let last = Number.POSITIVE_INFINITY;
    while (performance.now() < deadline) {
      const now = await perCent(ours, SPAN_SECONDS);
      if (Math.abs(now - last) < SAME_PER_CENT) return true;
      last = now;
    }
    return false;
  });
  const watch = new MemoryWatch(pid);
  const [cpu, databaseCpu] = await during('holding', () =>
    Promise.all([perCent(ours, seconds), perCent(() => treeCpuSeconds(postgres.pid()), seconds)]),
  );
  watch.stop();
  const memory = Math.max(...watch.points.map(([, megabytes]) => megabytes));
  say(`  ${what}: ${cpu.toFixed(2)} % of a core, ${memory.toFixed(0)} MB`);
  const note = hasSettled ? `over ${seconds} s` : `over ${seconds} s; it had not settled`;
  return [
    { ...row(`${what}, CPU of the gateway`, cpu, '% of a core'), aim: 'held-cpu', note },
    { ...row(`${what}, memory of the gateway`, memory, 'MB'), aim: 'held-memory' },
    row(`${what}, most memory of the gateway so far`, watch.peakMegabytes, 'MB'),
    row(`${what}, CPU of PostgreSQL`, databaseCpu, '% of a core'),
  ];
}
