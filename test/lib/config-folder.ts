import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Config, loadConfig } from '../../src/config.js';
import { ZonesealError } from '../../src/errors.js';

/** A folder with a configuration in it, written anew for each that is loaded. */
export class ConfigFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'zoneseal-config-'));

  /** Loads a configuration with an environment of its own. @throws ZonesealError */
  load(text: string, environment: NodeJS.ProcessEnv = {}): Config {
    const file = join(this.path, 'zoneseal.yaml');
    writeFileSync(file, text);
    return loadConfig(file, environment);
  }

  /** The errors of a configuration, the folder of the file left out. */
  errorsOf(text: string, environment: NodeJS.ProcessEnv = {}): readonly string[] {
    try {
      this.load(text, environment);
    } catch (error) {
      expect(error).toBeInstanceOf(ZonesealError);
      const { code, fields, message } = error as ZonesealError;
      expect(code).toBe('CONFIG_INVALID');
      const errors = fields['errors'] as string[];
      expect(message).toBe(errors.join('\n'));
      return errors.map((it) => it.replaceAll(`${this.path}/`, ''));
    }
    return [];
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
