import { addTsigKey, tsigKeyOf } from '../interop/lib/tsig-keys.js';
import type { FetchOptions } from './client.js';
import { fetchAgain, runCold } from './cold-run.js';
import { inRounds, type Lab, type LabGateway, type LabZone } from './lab.js';
import { during, say } from './progress.js';
import { compared, median, type Outcome } from './rows.js';
import { VIEW } from './served.js';
import { startKnotSecondary } from './small-zone-peers.js';
import { hasPeer } from './tools.js';
import { ZONE } from './zone.js';

interface ServingOptions {
  readonly names: number;
  readonly rounds: number;
  /** Of each kind in each round. */
  readonly transfers: number;
}

/** Seconds for Knot DNS to have the zone. */
const PATIENCE = 600;

/** Times of transfers in seconds, by who sends and how. */
interface Times {
  readonly cold: number[];
  readonly started: number[];
  readonly zoneseal: number[];
  readonly knot: number[];
  readonly zonesealSigned: number[];
  readonly knotSigned: number[];
}

/** A zone that is signed already, sent again: beside Knot DNS that has it in memory, with and without TSIG, and by a gateway that was just started. */
export async function serving(lab: Lab, { names, rounds, transfers }: ServingOptions): Promise<Outcome> {
  say(`serving: a zone of ${names} names, ${rounds} rounds of ${transfers} transfers each`);
  const zone = await lab.zone(names);
  const times: Times = {
    cold: [],
    started: [],
    zoneseal: [],
    knot: [],
    zonesealSigned: [],
    knotSigned: [],
  };
  await inRounds('serving', rounds, async (said) => {
    await serveOnce(lab, zone, transfers, times);
    say(
      `${said} again ${median(times.zoneseal).toFixed(3)} s (knotd ${median(times.knot).toFixed(3)} s), just started ${times.started.at(-1)?.toFixed(2)} s`,
    );
  });
  const { cold, started, zoneseal, knot, zonesealSigned, knotSigned } = times;
  return {
    rows: [
      compared('signed already, to the client', 's', zoneseal, {
        peer: 'knotd, from memory',
        theirs: knot,
        aim: 'signed-already',
      }),
      compared('signed already, with TSIG', 's', zonesealSigned, {
        peer: 'knotd, from memory, with TSIG',
        theirs: knotSigned,
        aim: 'signed-already-tsig',
      }),
      compared('signed already, gateway just started', 's', started, {
        peer: 'cold',
        theirs: cold,
        aim: 'just-started',
      }),
    ],
  };
}

async function serveOnce(lab: Lab, zone: LabZone, transfers: number, times: Times): Promise<void> {
  const made: LabGateway = await lab.gateway(zone);
  const { gateway } = made;
  try {
    const secondaryKey = await addTsigKey(gateway, 'bench', ['--view', VIEW]);
    const key = tsigKeyOf(secondaryKey);
    await gateway.serve();
    times.cold.push((await runCold(lab, made)).seconds);
    const { port } = gateway.target;
    const fetchInto = async (into: number[], from: number, options: FetchOptions): Promise<void> => {
      into.push((await fetchAgain(from, options)).milliseconds / 1000);
    };
    const server = hasPeer('knotd') ? await startKnotSecondary(port, [ZONE], secondaryKey) : undefined;
    try {
      if (server !== undefined) await during('knotd takes the zone', () => server.whole(PATIENCE));
      for (let i = 0; i < transfers; i++) {
        await fetchInto(times.zoneseal, port, {});
        if (server !== undefined) await fetchInto(times.knot, server.port, {});
        await fetchInto(times.zonesealSigned, port, { key });
        if (server !== undefined) await fetchInto(times.knotSigned, server.port, { key });
      }
    } finally {
      await server?.program.stop();
    }
    await gateway.stop();
    await gateway.serve();
    await fetchInto(times.started, port, {});
  } finally {
    await made.remove();
  }
}
