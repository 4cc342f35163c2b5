import type { Command } from 'commander';
import { jsonOption } from './arguments.js';
import { configOf, type GlobalOptions } from './global-options.js';
import { hint } from './stored-zone.js';
import { printJson, printLines } from './terminal.js';

interface MigrateOptions extends GlobalOptions {
  readonly roles: boolean;
  readonly json?: true;
}

/** Adds `migrate`. */
export function addMigrateCommand(program: Command): void {
  program
    .command('migrate')
    .summary('bring the database up to this release')
    .description(
      'Applies the migrations that the database lacks, under a lock, each in a transaction. A gateway does the same when it starts; ' +
        'run it alone where gateways connect as a role that must not change the schema.',
    )
    .option(
      '--roles',
      'make the roles zoneseal_writer, zoneseal_gateway, zoneseal_admin and zoneseal_reader, where they are missing',
      false,
    )
    .addOption(jsonOption())
    .action(async (_: unknown, self: Command) => {
      await migrate(self.optsWithGlobals<MigrateOptions>());
    });
}

async function migrate(options: MigrateOptions): Promise<void> {
  const config = configOf(options);
  const { openStore, grantRoles } = await import('../gateway-store.js');
  const store = await openStore(config);
  let applied: readonly string[];
  try {
    applied = await store.migrate();
    if (options.roles) await grantRoles(store.database, true);
  } finally {
    await store.close();
  }
  if (options.json === true) await printJson({ applied, roles: options.roles });
  else if (applied.length > 0) await printLines(applied.map((name) => `applied ${name}`));
  else hint(options, 'the database is up to date');
}
