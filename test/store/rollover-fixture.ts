import { dnskeyRdata, keyTag } from '../../src/dnssec/dnskey.js';
import type { RolloverState } from '../../src/keys/rollover/model.js';
import type { LoadedRollover, MadeKey } from '../../src/keys/rollover/ports.js';
import { PostgresRolloverStore } from '../../src/store/rollover-store.js';
import type { Fixture } from './fixture.js';

type Zone = { name: string; id: string };

/** A CSK that signs and is published, another one for each number. */
export function csk(id: number, more: Partial<MadeKey> = {}): MadeKey {
  const fields = { algorithm: 13, flags: 257, publicKey: new Uint8Array(64).fill(id) };
  return {
    role: 'CSK',
    ...fields,
    keyTag: keyTag(dnskeyRdata(fields)),
    secretRef: `https://barbican/${id}`,
    view: null,
    signs: true,
    published: true,
    ...more,
  };
}

export async function loadZone(f: Fixture, zone: Zone): Promise<LoadedRollover> {
  return (await new PostgresRolloverStore(f.database).load(zone.name)) as LoadedRollover;
}

export async function stateOf(f: Fixture, zone: Zone): Promise<RolloverState> {
  return (await loadZone(f, zone)).state;
}

/** Key set uses as `view version`, with what has ended. */
export async function usesOf(f: Fixture, zone: Zone): Promise<string[]> {
  return (await stateOf(f, zone)).uses.map(
    (use) =>
      `${use.view} ${use.facts.version}${use.replacedAt === null ? '' : ' replaced'}${use.until === null ? '' : ' gone'}`,
  );
}
