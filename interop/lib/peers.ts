import type { Cluster } from './cluster.js';

/**
 * Tells the gateways of all secondaries of a cluster: where NOTIFY goes, and whose serials are looked at. The one place that
 * knows how an operator says it.
 */
export async function announcePeers(cluster: Cluster): Promise<void> {
  for (const { view, secondary } of cluster.secondaries) {
    const name = secondary.label.replaceAll(/[^a-z0-9]+/g, '-').replace(/-$/, '');
    const { host, port } = secondary.target;
    const { name: key } = cluster.secondaryKey(view);
    await cluster
      .gateway(0)
      .command(['peer', 'add', name, '--view', view, '--address', host, '--port', `${port}`, '--tsig', key]);
  }
}
