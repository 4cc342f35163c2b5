import type { Command } from 'commander';
import type { Name } from '../dns/name.js';
import { jsonOption, nameArgument, viewArgument, viewsArgument } from './arguments.js';
import { withDatabase } from './database.js';
import type { GlobalOptions } from './global-options.js';
import { hint, judgeRows, refuseZoneProblems, viewsOfZone } from './stored-zone.js';
import { printJson, printTable } from './terminal.js';

interface ListOptions extends GlobalOptions {
  readonly json?: true;
}

/** Adds `view` and its subcommands. */
export function addViewCommands(program: Command): void {
  const view = program.command('view').summary('the audiences that zones are served to');
  view
    .command('add')
    .summary('add a view')
    .description('Adds a view: a named audience that zones can be served to.')
    .argument('<name>', 'a-z, 0-9, _ and -, at most 63 of them', viewArgument)
    .action(async (name: string, _: unknown, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions>();
      await withDatabase(options, ({ zones }) => zones.addView(name));
      hint(options, `view ${name} added; serve zones in it with: zoneseal view assign ZONE ${name}`);
    });
  view
    .command('list')
    .summary('list views')
    .description('Lists the views, and how many zones are served in each.')
    .addOption(jsonOption())
    .action(async (_: unknown, self: Command) => {
      const options = self.optsWithGlobals<ListOptions>();
      const views = await withDatabase(options, ({ zones }) => zones.listViews());
      if (options.json === true) await printJson(views);
      else
        await printTable(
          ['VIEW', 'ZONES'],
          views.map(({ name, zones }) => [name, String(zones)]),
        );
    });
  view
    .command('assign')
    .summary('serve a zone in views')
    .description(
      'Serves a zone in views, beside those it is served in already. A zone that has errors in one of them is refused.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .argument('<views...>', 'the views', viewsArgument)
    .action(async (zone: Name, views: readonly string[], _: unknown, self: Command) => {
      await assign(zone, views, self.optsWithGlobals<GlobalOptions>());
    });
  view
    .command('unassign')
    .summary('serve a zone in views no more')
    .description('Takes a zone out of views: there it is refused from now on. Its data stay.')
    .argument('<zone>', 'the zone', nameArgument)
    .argument('<views...>', 'the views', viewsArgument)
    .action(async (zone: Name, views: readonly string[], _: unknown, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions>();
      await withDatabase(options, async ({ zones }) => {
        for (const name of views) {
          const removed = await zones.unassignView(zone.toString(), name);
          hint(options, `zone ${zone} ${removed ? 'is no longer served' : 'was not served'} in view ${name}`);
        }
      });
    });
}

async function assign(zone: Name, views: readonly string[], options: GlobalOptions): Promise<void> {
  await withDatabase(options, async (parts) => {
    const judged = [...new Set([...(await viewsOfZone(parts, zone)), ...views])].sort();
    const problems = await judgeRows(zone, parts.rrsets.readAll(zone.toString()), judged);
    const concerned = problems.filter(({ view }) => view === null || views.includes(view));
    refuseZoneProblems(concerned, `zone ${zone} is not assigned`, options);
    for (const name of views) {
      const added = await parts.zones.assignView(zone.toString(), name);
      hint(options, `zone ${zone} is ${added ? 'now served' : 'served already'} in view ${name}`);
    }
  });
}
