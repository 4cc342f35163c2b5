import type { Name } from '../dns/name.js';
import { tagsOf } from '../dnssec/dnskey.js';
import { generateKey } from '../keys/generate.js';
import type { KeyRole, ZoneKey } from '../keys/key-set.js';
import type { Policy } from '../keys/policy.js';
import { takenKeyTags } from '../keys/rollover/facts.js';
import { withDatabase } from './database.js';
import { UsageError } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { addToKeySet, type KeyToStore, policyOfZone } from './key-set-addition.js';
import { keyJson, keyText } from './key-text.js';
import { loadKeys } from './loaded-keys.js';
import { hint } from './stored-zone.js';
import { printJson } from './terminal.js';

export interface GenerateOptions extends GlobalOptions {
  readonly role?: KeyRole;
  readonly algorithm?: number;
  readonly bits?: number;
  readonly view?: string;
  readonly json?: true;
}

/** Makes keys for a zone, stores them, and adds them to its key set. */
export async function generateKeys(zone: Name, options: GenerateOptions): Promise<void> {
  if (options.view !== undefined && options.role !== 'ZSK') {
    throw new UsageError('only a ZSK can be for one view; give --role ZSK with --view');
  }
  await withDatabase(options, async (parts) => {
    const loaded = await loadKeys(parts, zone);
    const policy = await policyOfZone(parts, zone);
    const roles = rolesOf(zone, options, policy, loaded.state.keys);
    const toStore: KeyToStore[] = [];
    for (const role of roles) {
      const key = await generateKey({
        algorithm: options.algorithm ?? policy.algorithm,
        role,
        rsaBits: options.bits ?? policy.rsaBits,
        takenTags: new Set([...takenKeyTags(loaded.state), ...toStore.flatMap(tagsOf)]),
      });
      toStore.push({ ...key, signs: true, published: true });
    }
    const addition = { zone, loaded, toStore, stored: [], areNew: true, view: options.view ?? null };
    const added = await addToKeySet(parts, addition, options);
    if (options.json === true) {
      await printJson(added.map(keyJson));
      return;
    }
    for (const key of added) hint(options, `zone ${zone}: ${keyText(key)} made, ${key.secretRef}`);
    if (roles.some((role) => role !== 'ZSK')) {
      hint(options, `see the DS records for the parent zone with: zoneseal keys ds ${zone}`);
    }
  });
}

function rolesOf(
  zone: Name,
  { role }: GenerateOptions,
  policy: Policy,
  existing: readonly ZoneKey[],
): readonly KeyRole[] {
  if (role !== undefined) return [role];
  if (existing.length === 0) return policy.keys === 'csk' ? ['CSK'] : ['KSK', 'ZSK'];
  const has = existing.map(keyText).join(', ');
  throw new UsageError(`zone ${zone} has keys already (${has}); say which to add with --role`);
}
