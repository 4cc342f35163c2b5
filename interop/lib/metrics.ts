import type { GatewayProcess } from './gateway.js';

/** The metrics of a gateway with an admin port, by name with labels. */
export async function metricsOf(gateway: GatewayProcess): Promise<ReadonlyMap<string, number>> {
  const port = gateway.logLines.find(({ msg }) => msg === 'listening')?.['adminPort'];
  if (typeof port !== 'number') throw new Error('the gateway has no admin port');
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  const text = await answer.text();
  return new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const at = line.lastIndexOf(' ');
        return [line.slice(0, at), Number(line.slice(at + 1))] as const;
      }),
  );
}
