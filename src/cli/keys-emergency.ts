import type { Name } from '../dns/name.js';
import { ZonesealError } from '../errors.js';
import { applyStep, isOtherDs } from '../keys/rollover/apply.js';
import { emergency } from '../keys/rollover/emergency.js';
import { createStepKey } from '../keys/rollover/keeper.js';
import type { ManagedKey } from '../keys/rollover/model.js';
import { timeText } from '../keys/rollover/words.js';
import type { DatabaseParts } from './database.js';
import { EXIT_CODES, Exit } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { keyText } from './key-text.js';
import { loadKeys } from './loaded-keys.js';
import { withKeyMaker } from './stored-keys.js';
import { hint } from './stored-zone.js';
import { printLines, say } from './terminal.js';

/** Its successors are made, one by one, and take the key's place; others may come in between. */
const MOST_STEPS = 20;

/** Takes a key out at once, once it was said what that means. */
export async function rollAtOnce(
  parts: DatabaseParts,
  zone: Name,
  key: ManagedKey,
  options: GlobalOptions & { readonly yes: boolean },
): Promise<void> {
  const { state, now, unknownUntil } = await loadKeys(parts, zone);
  const { conflicts, goneAt, needsDsByHand } = emergency(state, key.id, now);
  await printLines(
    conflicts.length === 0
      ? [`no cache holds anything that ${keyText(key)} is needed for: nobody will notice`]
      : [
          `while caches hold what was served before, validators will see bogus answers:`,
          ...conflicts.map(({ kind, message, until }) => {
            if (until !== null) return `  ${message}`;
            const end =
              kind === 'ds-dnskey'
                ? 'the DS at the parent is another'
                : `${timeText(goneAt)} at the earliest`;
            return `  ${message}, until ${end}`;
          }),
        ],
  );
  if (unknownUntil !== null) {
    await printLines([
      `the database was set back, and what of zone ${zone} was served before is not known: until ${timeText(unknownUntil)} caches may hold more than that, of which validators may see bogus answers as well`,
    ]);
  }
  if (needsDsByHand) {
    await printLines([
      'no key that the parent has a DS of is left to sign CDS, so the parent will not take them (RFC 7344 §4.1): have its DS changed by hand at the registrar, to what "zoneseal keys ds" prints once the successor is there',
    ]);
  }
  if (!options.yes) {
    say(`nothing was changed; do it with: zoneseal keys roll ${zone} ${key.keyTag} --emergency --yes`);
    throw new Exit(EXIT_CODES.REFUSED.code);
  }
  await withKeyMaker(parts, async (maker) => {
    await parts.rollovers.askRoll(zone.toString(), [key.id], 'an emergency');
    for (let i = 0; i < MOST_STEPS; i++) {
      const loaded = await loadKeys(parts, zone);
      // a step is taken on what is stored, and decided on what the parent has
      if (isOtherDs(loaded.stored.ds, loaded.state.ds)) {
        await parts.rollovers.storeDs({ ...loaded.stored, isUrgent: true }, loaded.state.ds);
        continue;
      }
      const found = loaded.state.keys.find(({ id }) => id === key.id);
      if (found === undefined || found.removedAt !== null || (!found.published && !found.signs)) {
        hint(
          options,
          `zone ${zone}: ${keyText(key)} is out; see what comes with: zoneseal keys plan ${zone}`,
        );
        return;
      }
      const [step] = emergency(loaded.state, key.id, loaded.now).steps;
      const before = { ...loaded.state, isUrgent: true };
      if (step?.kind === 'create') {
        await createStepKey({ store: parts.rollovers, maker }, before, step);
      } else if (step !== undefined && step.kind !== 'destroy') {
        const ds = applyStep(loaded.state, step, loaded.now).ds;
        await parts.rollovers.apply(before, step, ds);
      }
    }
    throw new ZonesealError(
      'DATABASE_CONFLICT',
      `zone ${zone}: others changed its keys at the same time; look with "zoneseal keys list ${zone}" and try again`,
      { zone: zone.toString() },
    );
  });
}
