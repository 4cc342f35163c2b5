import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly children?: readonly number[];
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Lines that tell where the threads of a process spent their time, by the profiles that `node --cpu-prof` left in a folder. */
export function tellProfiles(folder: string, top = 25): string[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.cpuprofile'));
  return files.flatMap((file) => {
    const profile = JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile;
    const { total, byFunction, byPlace } = selfTimes(profile);
    const idle = (byPlace.get('(idle)') ?? 0) + (byPlace.get('(program)') ?? 0);
    const busy = total - idle;
    if (busy < total / 20) return [];
    const share = ([what, time]: [string, number]): string =>
      `    ${((100 * time) / busy).toFixed(1).padStart(5)} %  ${what}`;
    return [
      `  thread ${file.split('.')[4] ?? file}: busy ${seconds(busy)} of ${seconds(total)}; by the place that it is done for:`,
      ...sorted(byPlace).slice(0, top).map(share),
      '   by function:',
      ...sorted(byFunction).slice(0, top).map(share),
    ];
  });
}

const seconds = (microseconds: number): string => `${(microseconds / 1e6).toFixed(2)} s`;

function sorted(times: ReadonlyMap<string, number>): [string, number][] {
  return [...times].filter(([what]) => !/^\((idle|program)\)/.test(what)).sort(([, a], [, b]) => b - a);
}

function selfTimes({ nodes, samples, timeDeltas }: CpuProfile): {
  readonly total: number;
  readonly byFunction: Map<string, number>;
  readonly byPlace: Map<string, number>;
} {
  const named = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  /** The nearest caller that is no part of Node.js, so that what a socket or a key costs counts for who uses it. */
  const callerOf = (id: number): string => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const { url = '' } = named.get(at)?.callFrame ?? {};
      if (url.startsWith('file:')) return placeOf(url);
    }
    return named.get(id)?.callFrame.functionName ?? '';
  };
  const byFunction = new Map<string, number>();
  const byPlace = new Map<string, number>();
  let total = 0;
  samples.forEach((id, i) => {
    const frame = named.get(id)?.callFrame;
    const time = timeDeltas[i] ?? 0;
    if (frame === undefined || time < 0) return;
    const place = callerOf(id);
    const name = `${frame.functionName || '(anonymous)'} ${frame.url === '' ? '' : placeOf(frame.url)}`;
    total += time;
    byFunction.set(name, (byFunction.get(name) ?? 0) + time);
    byPlace.set(place, (byPlace.get(place) ?? 0) + time);
  });
  return { total, byFunction, byPlace };
}

/** The package, or the file of the gateway's own, that a script is of. */
function placeOf(url: string): string {
  const own = /\/dist\/(.*)$/.exec(url);
  const inPackage = /\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url);
  return inPackage?.[1] ?? own?.[1] ?? url;
}
