import type { Command } from 'commander';
import type { Name } from '../dns/name.js';
import type { ZoneDescription } from '../gateway-store.js';
import { nameArgument } from './arguments.js';
import { withDatabase } from './database.js';
import type { GlobalOptions } from './global-options.js';
import { hint } from './stored-zone.js';
import { plural } from './zone-file.js';

/** Adds `zone freeze`, `zone thaw` and `zone resign`. */
export function addZoneFreezeCommands(zone: Command): void {
  zone
    .command('freeze')
    .summary('hold a zone at its present version')
    .description(
      'Holds a zone at its present version: it goes on being served, and its signatures renewed, but changes wait until it is thawed. ' +
        'Keys and policy are not held. "publish --dry-run" shows what waits.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .action(async (name: Name, _: unknown, self: Command) => {
      await freeze(name, self.optsWithGlobals<GlobalOptions>());
    });
  zone
    .command('thaw')
    .summary('let a zone go on that is frozen')
    .description('Lets a zone go on that is frozen: what has changed since is published at once.')
    .argument('<zone>', 'the zone', nameArgument)
    .action(async (name: Name, _: unknown, self: Command) => {
      await thaw(name, self.optsWithGlobals<GlobalOptions>());
    });
  zone
    .command('resign')
    .summary('make all signatures of a zone anew')
    .description(
      'Makes all signatures of a zone anew, in every view: none that was made before is used again. Each view gets a new serial, and nameservers ' +
        'take about the whole zone. The content stays as it is, also of a zone that is frozen.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .action(async (name: Name, _: unknown, self: Command) => {
      await resign(name, self.optsWithGlobals<GlobalOptions>());
    });
}

async function freeze(zone: Name, options: GlobalOptions): Promise<void> {
  await withDatabase(options, async ({ operators, zones }) => {
    const { version, isNew } = await operators.freeze(zone.toString());
    const { name, views } = await zones.showZone(zone.toString());
    const what = isNew ? `is frozen at version ${version}` : `was frozen at version ${version} already`;
    hint(
      options,
      `zone ${name} ${what}${behindText(views, version)}; changes wait until: zoneseal zone thaw ${name}`,
    );
  });
}

/** What is not served yet of the version at which a zone is held. */
function behindText(views: ZoneDescription['views'], version: number): string {
  const failed = views.filter((it) => it.failed !== null && it.failed.zoneVersion >= version);
  if (failed.length === 0) return '';
  return `, which could not be published in ${failed.map(({ view }) => view).join(', ')} (see zone show)`;
}

async function thaw(zone: Name, options: GlobalOptions): Promise<void> {
  await withDatabase(options, async ({ operators, zones }) => {
    const before = await zones.showZone(zone.toString());
    const held = await operators.thaw(zone.toString());
    const { name } = before;
    const waiting = before.views.filter((it) => it.waiting).map(({ view }) => view);
    if (held === null) hint(options, `zone ${name} was not frozen`);
    else if (waiting.length === 0) hint(options, `zone ${name} goes on from version ${held}; nothing waited`);
    else {
      hint(
        options,
        `zone ${name} goes on from version ${held}: what waited in ${waiting.join(', ')} is published now`,
      );
    }
  });
}

async function resign(zone: Name, options: GlobalOptions): Promise<void> {
  await withDatabase(options, async ({ operators, zones }) => {
    await operators.resign(zone.toString());
    const { name, views, rrsets, frozenVersion } = await zones.showZone(zone.toString());
    if (views.length === 0) {
      hint(options, `zone ${name} is in no view, so there is nothing to sign`);
      return;
    }
    const records = views.map(({ view, ready }) => `${view} (${ready?.records ?? 'no'} records)`);
    const frozen =
      frozenVersion === null ? '' : `, the content of version ${frozenVersion} at which it is frozen`;
    hint(
      options,
      `zone ${name}: all signatures over ${plural(rrsets, 'RRset')} are made anew${frozen}, under a new serial in ${records.join(', ')}; ` +
        `nameservers take about the whole zone. How far it is: zoneseal zone history ${name}`,
    );
  });
}
