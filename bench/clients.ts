import { runCold, withGateway } from './cold-run.js';
import { inRounds, type Lab } from './lab.js';
import { say } from './progress.js';
import { compared, type Outcome } from './rows.js';

interface ClientsOptions {
  readonly names: number;
  readonly rounds: number;
  /** That ask at once. */
  readonly clients: number;
}

/** Many clients that ask at once for a zone of which nothing is signed, beside one. */
export async function clients(lab: Lab, { names, rounds, clients }: ClientsOptions): Promise<Outcome> {
  say(`clients: ${clients} at once, a zone of ${names} names, ${rounds} rounds`);
  const zone = await lab.zone(names);
  const cold = (count: number): Promise<number> =>
    withGateway(lab, zone, {}, async (made) => (await runCold(lab, made, count)).seconds);
  const one: number[] = [];
  const many: number[] = [];
  await inRounds('clients', rounds, async (said) => {
    one.push(await cold(1));
    many.push(await cold(clients));
    say(`${said} one ${one.at(-1)?.toFixed(2)} s, ${clients} ${many.at(-1)?.toFixed(2)} s`);
  });
  return {
    rows: [
      compared(`${clients} clients at once, cold, until the last has the zone`, 's', many, {
        peer: 'one client',
        theirs: one,
        aim: 'twenty-clients',
      }),
    ],
  };
}
