import { type Command, Option } from 'commander';
import type { Config } from '../config.js';
import { errorMessage } from '../errors.js';
import { Gateway } from '../gateway.js';
import { openKeyStore } from '../gateway-parts.js';
import { openStore } from '../gateway-store.js';
import { IdleMemory } from '../idle-memory.js';
import { importQuickstart } from '../quickstart.js';
import { findRunningGateway, removeRunningGateway, writeRunningGateway } from '../running-gateway.js';
import { EXIT_CODES, Exit, UsageError } from './exit.js';
import { configOf, type GlobalOptions } from './global-options.js';
import { openLogger } from './logger.js';
import { printQuickstart } from './quickstart-text.js';

/** Adds `zoneseal serve`. */
export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description(
      'Runs a gateway until it is stopped (SIGTERM, SIGINT): applies migrations, keeps publications up to date, answers SOA, AXFR and IXFR. ' +
        'Without a configuration it uses the embedded database and the development Barbican, and imports the zone quickstart.example into an empty data folder.',
    )
    .addOption(new Option('--no-quickstart', 'import nothing into an empty embedded database'))
    .action(async (options: { quickstart: boolean }, command: Command) => {
      await serve(configOf(command.optsWithGlobals<GlobalOptions>()), options.quickstart, command);
    });
}

async function serve(config: Config, quickstart: boolean, command: Command): Promise<void> {
  const interactive = command.optsWithGlobals<GlobalOptions>().config === undefined;
  const log = openLogger(
    interactive && process.env['ZONESEAL_LOG_FORMAT'] === undefined
      ? { ...config.log, format: 'text' }
      : config.log,
  );
  const other = findRunningGateway(config.data);
  if (other !== undefined) {
    throw new UsageError(
      `a gateway runs on ${config.data} already (process ${other.pid}); stop it, or use another data folder`,
    );
  }
  const stopping = new Promise<NodeJS.Signals>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  const store = await openStore(config);
  let gateway: Gateway;
  try {
    const keyStore = await openKeyStore(config, log);
    try {
      const migrated = await store.migrate();
      if (migrated.length > 0)
        log.info({ migrations: migrated }, 'the database schema was brought up to date');
      if (quickstart && config.database.url === undefined && keyStore.development) {
        await importQuickstart(store.database, log);
      }
      gateway = await Gateway.start({ config, store, keyStore, log });
      writeRunningGateway(config.data, {
        pid: process.pid,
        ...(keyStore.started === undefined ? {} : { barbican: keyStore.started }),
      });
    } catch (error) {
      await keyStore.close();
      throw error;
    }
  } catch (error) {
    await store.close();
    throw error;
  }
  log.info({ pid: process.pid }, 'ready');
  if (interactive) await printQuickstart(gateway);
  const memory = new IdleMemory();
  const signal = await stopping;
  memory.close();
  log.info({ signal }, 'stopping; transfers under way may end');
  removeRunningGateway(config.data);
  try {
    await gateway.close();
  } catch (error) {
    log.error({ reason: errorMessage(error) }, 'the gateway did not stop cleanly');
    throw new Exit(EXIT_CODES.INTERNAL.code);
  }
  log.info({}, 'stopped');
}
