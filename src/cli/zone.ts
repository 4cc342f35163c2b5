import type { Command } from 'commander';
import type { Name } from '../dns/name.js';
import { ZonesealError } from '../errors.js';
import type { ZoneDescription, ZoneSummary } from '../gateway-store.js';
import type { ZoneRow } from '../zone/row.js';
import { jsonOption, nameArgument } from './arguments.js';
import { confirmDeletion } from './confirm.js';
import { type DatabaseParts, withDatabase } from './database.js';
import { EXIT_CODES, Exit } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { keyText } from './key-text.js';
import { loadKeys } from './loaded-keys.js';
import { makeProgress } from './progress.js';
import { countRows, hint, judgedPolicy, judgedViews, judgeRows } from './stored-zone.js';
import { printJson, printLines, printTable } from './terminal.js';
import { addZoneExportCommand } from './zone-export.js';
import { countProblems, hasErrors, plural, problemLine } from './zone-file.js';
import { addZoneFreezeCommands } from './zone-freeze.js';
import { addZoneHistoryCommand } from './zone-history.js';
import { addZoneImportCommand } from './zone-import.js';
import { addZoneSerialCommand } from './zone-serial.js';

interface ReadOptions extends GlobalOptions {
  readonly json?: true;
}

interface DeleteOptions extends GlobalOptions {
  readonly yes: boolean;
}

/** Adds `zone` and its subcommands. */
export function addZoneCommands(program: Command): void {
  const zone = program.command('zone').summary('zones in the database');
  addZoneImportCommand(zone);
  addZoneExportCommand(zone);
  zone
    .command('list')
    .summary('list zones')
    .description(
      'Lists the zones and what each view is served: serial, number of records, whether the newest attempt failed, and whether the zone is frozen.',
    )
    .addOption(jsonOption())
    .action(async (_: unknown, self: Command) => {
      const options = self.optsWithGlobals<ReadOptions>();
      const zones = await withDatabase(options, (parts) => parts.zones.listZones());
      if (options.json === true) await printJson(zones);
      else
        await printTable(['ZONE', 'VIEW', 'SERIAL', 'RECORDS', 'POLICY', 'STATE'], zones.flatMap(listLines));
    });
  zone
    .command('show')
    .summary('show a zone')
    .description(
      'Shows a zone: versions, keys, and for each view what is served, what is being built, and why the newest attempt failed.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .addOption(jsonOption())
    .action(async (name: Name, _: unknown, self: Command) => {
      await show(name, self.optsWithGlobals<ReadOptions>());
    });
  zone
    .command('check')
    .summary('judge a zone in the database')
    .description(
      'Judges a zone as it is stored, in every view it is served in, and whether its policy is safe for it, and prints every error and warning.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .addOption(jsonOption())
    .action(async (name: Name, _: unknown, self: Command) => {
      await check(name, self.optsWithGlobals<ReadOptions>());
    });
  addZoneFreezeCommands(zone);
  addZoneSerialCommand(zone);
  addZoneHistoryCommand(zone);
  zone
    .command('delete')
    .summary('delete a zone')
    .description(
      'Deletes a zone with its data, keys and publications. It is refused from then on. Its serials go on where they were should it come back. ' +
        'A DS that its parent has is warned of. Private keys that were made or stored from here are destroyed after the keyRetention of its policy, unless a key uses them again; ' +
        'those that others have put into Barbican stay, and those that other zones use.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .option('--yes', 'do not ask; needed where there is no terminal', false)
    .action(async (name: Name, _: unknown, self: Command) => {
      await remove(name, self.optsWithGlobals<DeleteOptions>());
    });
}

function listLines({ name, policy, views, frozenVersion }: ZoneSummary): string[][] {
  const frozen = frozenVersion === null ? '' : ', frozen';
  if (views.length === 0) return [[name, '-', '-', '-', policy, `in no view${frozen}`]];
  return views.map(({ view, ready, building, failed, waiting }) => {
    const stands =
      failed !== null ? 'failed' : building !== null ? 'building' : ready === null ? 'waiting' : 'ready';
    const state = `${stands}${frozen}${waiting ? ', changes wait' : ''}`;
    return [name, view, String(ready?.serial ?? '-'), String(ready?.records ?? '-'), policy, state];
  });
}

async function show(zone: Name, options: ReadOptions): Promise<void> {
  const { description, keys, problems } = await withDatabase(options, async (parts) => ({
    description: await parts.zones.showZone(zone.toString()),
    keys: await parts.keys.list(zone.toString()),
    problems: await judgedPolicy(parts, zone),
  }));
  const shown = keys.map(({ role, algorithm, keyTag, view, signs, published }) => ({
    role,
    algorithm,
    keyTag,
    view,
    signs,
    published,
  }));
  if (options.json === true) {
    await printJson({ ...description, keys: shown, problems });
    return;
  }
  await printLines([
    ...showLines(description),
    ...problems.map((problem) => `          ${problemLine(problem)}`),
  ]);
  if (keys.length === 0)
    await printLines([`keys:     none; make some with: zoneseal keys generate ${description.name}`]);
  else {
    const words = shown.map(({ role, algorithm, keyTag }) => `${role} ${keyTag} (algorithm ${algorithm})`);
    await printLines([`keys:     ${words.join(', ')}`]);
  }
  await printLines(description.views.flatMap(viewLines));
  if (description.views.length === 0) {
    await printLines([`views:    none; serve it with: zoneseal view assign ${description.name} VIEW`]);
  }
}

function showLines(zone: ZoneDescription): string[] {
  return [
    `zone:     ${zone.name}`,
    `version:  ${zone.version}${zone.writtenAt === null ? '' : `, written ${zone.writtenAt}`}`,
    `rrsets:   ${zone.rrsets}`,
    `policy:   ${zone.policy}`,
    ...frozenLines(zone),
  ];
}

function frozenLines({ name, frozenVersion, frozenAt, views }: ZoneDescription): string[] {
  if (frozenVersion === null) return [];
  const waiting = views.filter((it) => it.waiting).map(({ view }) => view);
  const changes =
    waiting.length === 0
      ? 'no changes wait'
      : `changes wait in ${waiting.join(', ')}; see: zoneseal publish --dry-run ${name}`;
  return [
    `frozen:   at version ${frozenVersion} since ${frozenAt}, ${changes}`,
    `          it goes on with: zoneseal zone thaw ${name}`,
  ];
}

function viewLines({
  view,
  lastSerial,
  ready,
  building,
  failed,
}: ZoneDescription['views'][number]): string[] {
  const lines = [`view ${view}:`];
  if (ready === null) lines.push('  ready:    nothing yet');
  else {
    const resign = ready.resignAt === null ? ', unsigned' : `, signed anew ${ready.resignAt}`;
    lines.push(
      `  ready:    serial ${ready.serial}, ${ready.records ?? '?'} records, version ${ready.zoneVersion}, made ${ready.time}${resign}`,
    );
  }
  if (building !== null) lines.push(`  building: serial ${building.serial}, by ${building.gateway}`);
  if (failed !== null) {
    const retry =
      failed.retryAt === null ? 'tried again when something changes' : `tried again ${failed.retryAt}`;
    lines.push(
      `  failed:   serial ${failed.serial}, version ${failed.zoneVersion}, ${failed.time}; ${retry}`,
    );
    lines.push(`            ${failed.error}`);
  }
  if (lastSerial !== null && lastSerial !== ready?.serial)
    lines.push(`  last serial given out: ${lastSerial}`);
  return lines;
}

async function check(zone: Name, options: ReadOptions): Promise<void> {
  const progress = makeProgress(options);
  const { problems, views, rrsets } = await withDatabase(options, async (parts) => {
    const description = await parts.zones.showZone(zone.toString());
    const views = description.views.map(({ view }) => view);
    progress.begin(`checking ${zone}`, description.rrsets);
    const stored = (): AsyncIterable<readonly ZoneRow[]> => parts.rrsets.readAll(zone.toString());
    const problems = await judgeRows(zone, countRows(stored(), progress), await judgedViews(views, stored));
    progress.end();
    problems.push(...(await parts.zones.judgePolicyOf(zone.toString())));
    return { problems, views, rrsets: description.rrsets };
  });
  const ok = !hasErrors(problems);
  if (options.json === true) await printJson({ zone, views, ok, rrsets, problems });
  else {
    await printLines(problems.map(problemLine));
    const where = views.length === 0 ? 'in no view' : `in ${plural(views.length, 'view')}`;
    await printLines([`zone ${zone}: ${plural(rrsets, 'RRset')} ${where}: ${countProblems(problems)}`]);
  }
  if (!ok) throw new Exit(EXIT_CODES.REFUSED.code);
}

async function remove(zone: Name, options: DeleteOptions): Promise<void> {
  await withDatabase(options, async (parts) => {
    const { zones } = parts;
    const { name, rrsets, views } = await zones.showZone(zone.toString());
    const keys = await parts.keys.list(name);
    if (keys.length > 0) await warnOfDs(parts, zone, options);
    if (!options.yes)
      await confirmDeletion(
        `zone ${name} with ${plural(rrsets, 'RRset')}, served in ${plural(views.length, 'view')}`,
        name,
      );
    await zones.deleteZone(name);
    hint(options, `zone ${name} deleted`);
    if (keys.length === 0) return;
    hint(
      options,
      `its private keys (${keys.map(keyText).join(', ')}) stay in Barbican for the keyRetention of its policy, and are then destroyed unless a key uses them again ("zoneseal keys import" with their references); secrets that were not made here, or that other zones use, stay`,
    );
    for (const { role, keyTag, secretRef } of keys) hint(options, `${role} ${keyTag}: ${secretRef}`);
  });
}

/** Says that the parent has a DS of a zone that is to go, or may have one, and what to do first. */
async function warnOfDs(parts: DatabaseParts, zone: Name, options: GlobalOptions): Promise<void> {
  const ds = await openDs(parts, zone);
  if (ds === undefined) return;
  hint(
    options,
    `warning: zone ${zone}: the parent ${ds}. Validators take whatever is served without these keys for bogus while it is there: have it removed first ("policy set POLICY signed=false" asks for that by CDS, and "keys plan" says when it is gone), or the delegation with it`,
  );
}

/** What the parent has or may have of a zone, in words; undefined: no DS. */
async function openDs(parts: DatabaseParts, zone: Name): Promise<string | undefined> {
  const { keyName } = await import('../keys/rollover/words.js');
  const { mayHaveDs } = await import('../keys/rollover/facts.js');
  const unknown = 'may have a DS of it; look with "zoneseal parent check"';
  try {
    const { state } = await loadKeys(parts, zone);
    const seen = state.ds.filter((use) => use.until === null && use.seenAt !== null);
    const named = [...new Set(seen.flatMap((use) => use.keys))].map((id) => keyName(state, id));
    if (named.length > 0) return `was seen with a DS of it (${named.join(', ')})`;
    return seen.length === 0 && state.keys.some(mayHaveDs) ? unknown : undefined;
  } catch (error) {
    // its policy cannot be read; it can be deleted all the same
    if (error instanceof ZonesealError && error.code === 'POLICY_INVALID') return unknown;
    throw error;
  }
}
