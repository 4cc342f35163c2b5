import { OTHER_ZONE, onceServed, runCold, warmUp, withGateway } from './cold-run.js';
import { inRounds, type Lab } from './lab.js';
import { during, say } from './progress.js';
import { compared, type Outcome, row } from './rows.js';
import { fetchServed, serveAllIn, serveIn, VIEW } from './served.js';
import { ZONE } from './zone.js';

interface ViewsOptions {
  readonly names: number;
  readonly rounds: number;
}

/** The view that is served after the other, and the address from which one gets it. */
const SECOND = 'second';
const SECOND_ADDRESS = '127.0.0.2';

/** One RRset of so many differs between the views. */
const ONE_OF = 20;

/** SQL that gives one of so many RRsets, all over the zone, to the first view alone, and puts one with other data beside it for the second. */
const DIVERGE = `begin;
  create temporary table chosen on commit drop as
    select id from zoneseal.rrsets where type = 'A' order by md5(owner) limit (select count(*) / ${ONE_OF} from zoneseal.rrsets);
  update zoneseal.rrsets set views = '{${VIEW}}' where id in (select id from chosen);
  insert into zoneseal.rrsets (zone_id, owner, type, ttl, data, views)
    select zone_id, owner, type, ttl, '{10.0.0.1}', '{${SECOND}}' from zoneseal.rrsets where views = '{${VIEW}}';
  commit;
  vacuum analyze`;

/** What a second view of a zone costs once the first is signed: what both see alike is not signed again. */
export async function views(lab: Lab, { names, rounds }: ViewsOptions): Promise<Outcome> {
  say(`views: a zone of ${names} names, one of ${ONE_OF} RRsets different, ${rounds} rounds`);
  const zone = await lab.zone(names);
  const settings = {
    config: {
      open: [
        { range: '127.0.0.0/8', view: VIEW },
        { range: `${SECOND_ADDRESS}/32`, view: SECOND },
      ],
    },
  };
  const first: number[] = [];
  const second: number[] = [];
  const firstMessage: number[] = [];
  let made = Number.NaN;
  let share = Number.NaN;
  await inRounds('views', rounds, async (said) => {
    await withGateway(lab, zone, settings, async (at) => {
      const { gateway, database } = at;
      await gateway.command(['view', 'add', SECOND]);
      await warmUp(lab, at);
      lab.postgres.psql(serveIn(SECOND, OTHER_ZONE), database);
      await fetchServed(gateway.target.port, OTHER_ZONE, { from: SECOND_ADDRESS });
      lab.postgres.psql(DIVERGE, database);
      share = Number(
        lab.postgres.psql(
          `select 100.0 * count(*) filter (where views = '{${SECOND}}') / count(*) filter (where views is distinct from '{${SECOND}}') from zoneseal.rrsets`,
          database,
        ),
      );
      first.push((await runCold(lab, at)).seconds);
      const { seconds, result } = await onceServed(lab, database, serveAllIn(SECOND), () =>
        during('second view', () => fetchServed(gateway.target.port, ZONE, { from: SECOND_ADDRESS })),
      );
      second.push(seconds);
      firstMessage.push(result.firstMessage);
      made = Number(
        lab.postgres.psql(
          `select p.signatures from zoneseal.publications p join zoneseal.zones z on z.id = p.zone_id
           where p.view = '${SECOND}' and z.name = '${ZONE}'`,
          database,
        ),
      );
      say(`${said} ${first.at(-1)?.toFixed(2)} s, the second view ${second.at(-1)?.toFixed(2)} s`);
    });
  });
  return {
    rows: [
      compared('second view, after the first', 's', second, {
        peer: 'the first',
        theirs: first,
        aim: 'second-view',
        note: `${share.toFixed(1)} % of the RRsets differ`,
      }),
      row('second view, signatures made', made, 'signatures'),
      compared('second view, first message', 'ms', firstMessage),
    ],
  };
}
