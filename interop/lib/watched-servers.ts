import type { Cluster } from './cluster.js';
import { ZONE_VIEWS } from './random-zone.js';
import type { Watched } from './serving-watch.js';

/** All gateways of a cluster in both views, zones taken as well, and the serials of its secondaries. */
export function watchedServers(cluster: Cluster): Watched[] {
  const { gateways, secondaries } = cluster;
  const ofGateways = ZONE_VIEWS.flatMap((view) =>
    gateways.map(({ target }, i) => ({
      label: `gateway ${i} (${view})`,
      target,
      view,
      key: cluster.tsigKey(view),
      isExact: true,
      takes: true,
    })),
  );
  const ofSecondaries = secondaries.map(({ view, secondary }) => ({
    label: secondary.label,
    target: secondary.target,
    view,
    isExact: false,
    takes: false,
  }));
  return [...ofGateways, ...ofSecondaries];
}
