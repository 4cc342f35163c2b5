import { type Command, Option } from 'commander';
import { type Config, loadConfig } from '../config.js';

/** What every command understands. */
export interface GlobalOptions {
  readonly config?: string;
  readonly quiet: boolean;
  readonly debug: boolean;
}

/** Adds the options that every command understands. */
export function addGlobalOptions(program: Command): void {
  program
    .addOption(
      new Option('-c, --config <file>', 'the configuration, a YAML file; without it the defaults').env(
        'ZONESEAL_CONFIG',
      ),
    )
    .addOption(
      new Option('-q, --quiet', 'no progress bars, no warnings beside errors, no hints').default(
        false,
        'off',
      ),
    )
    .addOption(new Option('--debug', 'print stack traces of errors').default(false, 'off'));
}

/**
 * The configuration a command works with.
 * @throws ZonesealError CONFIG_INVALID
 */
export function configOf(options: GlobalOptions): Config {
  return loadConfig(options.config);
}
