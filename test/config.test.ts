import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig, readSecret } from '../src/config.js';
import { durationText, sizeText } from '../src/config-fields.js';
import { SECRET_VARIABLES, secretVariableOf, settingsOf } from '../src/config-settings.js';
import type { ZonesealError } from '../src/errors.js';
import { parseDuration } from '../src/keys/policy.js';
import { ConfigFolder } from './lib/config-folder.js';

const files = new ConfigFolder();
afterAll(() => files.remove());

const KEYSTONE = 'barbican:\n  keystoneUrl: https://keystone.example/v3\n';

describe('a configuration', () => {
  it('needs no file', () => {
    const config = loadConfig(undefined, {});
    expect(config.data).toBe(join(process.cwd(), 'zoneseal-data'));
    expect(config.listen[0]).toEqual({ address: '127.0.0.1', port: 5300 });
    expect(config.database).toEqual({ poolSize: 10, statementTimeout: 60, connectTimeout: 10 });
    expect(config.barbican).toBeUndefined();
    expect(config.open).toEqual([]);
    expect(config.admin.port).toBeUndefined();
  });

  it('may be an empty file, or one of comments', () => {
    const { data, ...rest } = files.load('');
    expect(data).toBe(join(files.path, 'zoneseal-data'));
    expect(rest).toEqual({ ...loadConfig(undefined, {}), data: undefined });
    expect(files.load('# nothing\n')).toEqual(files.load(''));
  });

  it('takes units, and gives seconds and octets', () => {
    const { limits, publication } = files.load(
      'limits: { idleTimeout: 1m30s, transferTimeout: 1d, spoolOctets: 2GiB, memoryOctets: 64m, heldOctets: 5 }\npublication: { poll: 7 }\n',
    );
    expect(limits).toMatchObject({
      idleTimeout: 90,
      transferTimeout: 86_400,
      spoolOctets: 2 * 1024 ** 3,
      memoryOctets: 64 * 1024 ** 2,
      heldOctets: 5,
    });
    expect(publication.poll).toBe(7);
  });

  it('takes relative paths from its folder', () => {
    const config = files.load(
      `data: data\nkeyPassphraseFile: ../secrets/passphrase\ndatabase: { url: "postgresql://u@h/d", passwordFile: p, caFile: ca.pem }\n${KEYSTONE}  applicationCredentialId: a\n  applicationCredentialSecretFile: /run/secret\n  caFile: b.pem\n`,
    );
    expect(config.data).toBe(join(files.path, 'data'));
    expect(config.keyPassphraseFile).toBe(join(files.path, '../secrets/passphrase'));
    expect(config.database.passwordFile).toBe(join(files.path, 'p'));
    expect(config.database.caFile).toBe(join(files.path, 'ca.pem'));
    expect(config.barbican?.applicationCredentialSecretFile).toBe('/run/secret');
    expect(config.barbican?.caFile).toBe(join(files.path, 'b.pem'));
  });

  it('may use anchors and aliases', () => {
    const { open } = files.load(
      'open:\n  - { range: 192.0.2.1, view: &v external }\n  - { range: 192.0.2.2/32, view: *v }\n',
    );
    expect(open.map(({ view }) => view)).toEqual(['external', 'external']);
  });
});

describe('the environment', () => {
  it('overrides every single setting', () => {
    const file =
      'database: { url: "postgresql://u@h/d" }\nbarbican: { keystoneUrl: "https://k.example", username: u, project: p }\n';
    for (const { path, variable } of settingsOf()) {
      // text arrives as it is, or as the path it stands for; what must be something else is told of under the variable's name
      let value: unknown;
      let errors: readonly string[] = [];
      try {
        value = files.load(file, { [variable]: 'overridden' });
      } catch (error) {
        errors = (error as ZonesealError).fields['errors'] as string[];
      }
      for (const key of path) value = (value as Record<string, unknown> | undefined)?.[key];
      const arrived = value === 'overridden' || value === join(files.path, 'overridden');
      const named = errors.some((it) => it.startsWith(`${variable}: `) || it.includes(path.at(-1) as string));
      expect(arrived || named, variable).toBe(true);
    }
  });

  it('has precedence over the file', () => {
    const config = files.load('log: { level: debug }\nlimits: { transfers: 3, spoolOctets: 1G }\n', {
      ZONESEAL_LOG_LEVEL: 'warn',
      ZONESEAL_LIMITS_TRANSFERS: '5',
      ZONESEAL_LIMITS_SPOOL_OCTETS: '2G',
      ZONESEAL_PUBLICATION_POLL: '1m',
      ZONESEAL_DATA: '/data',
    });
    expect(config.log.level).toBe('warn');
    expect(config.limits).toMatchObject({ transfers: 5, spoolOctets: 2 * 1024 ** 3, connections: 1000 });
    expect(config.publication.poll).toBe(60);
    expect(config.data).toBe('/data');
  });

  it('takes text as it is and lists as YAML', () => {
    const config = files.load('', {
      ZONESEAL_BARBICAN_KEYSTONE_URL: 'https://k.example',
      ZONESEAL_BARBICAN_APPLICATION_CREDENTIAL_ID: '0123',
      ZONESEAL_BARBICAN_MICROVERSION: '1.1',
      ZONESEAL_BARBICAN_REGION: 'null',
      ZONESEAL_LISTEN: '[{ address: 127.0.0.1, port: 53 }, { address: "::1" }]',
      ZONESEAL_OPEN: '- { range: 192.0.2.0/24, view: external }',
    });
    expect(config.barbican).toMatchObject({
      applicationCredentialId: '0123',
      microversion: '1.1',
      region: 'null',
    });
    expect(config.listen).toEqual([
      { address: '127.0.0.1', port: 53 },
      { address: '::1', port: 5300 },
    ]);
    expect(config.open).toEqual([{ range: '192.0.2.0/24', view: 'external' }]);
  });

  it('that is empty sets nothing', () => {
    expect(files.load('log: { level: warn }\n', { ZONESEAL_LOG_LEVEL: '' }).log.level).toBe('warn');
  });

  it('is named where it is wrong', () => {
    expect(
      files.errorsOf('log: { level: debug }\ndata: ""\n', {
        ZONESEAL_LOG_LEVEL: 'loud',
        ZONESEAL_LISTEN: '[{ address: ::1, prot: 1 }]',
        ZONESEAL_OPEN: '[',
        ZONESEAL_LIMITS_TRANSFERS: '1.5',
        ZONESEAL_DATABASE_POOL_SIZE: 'ten',
      }),
    ).toEqual([
      'ZONESEAL_OPEN: open: is no YAML list',
      'ZONESEAL_LISTEN: listen[0].prot: is no setting; did you mean listen.port?',
      'ZONESEAL_DATABASE_POOL_SIZE: database.poolSize: is text, must be a whole number',
      'ZONESEAL_LIMITS_TRANSFERS: limits.transfers: is a number with a fraction, must be a whole number',
      'ZONESEAL_LOG_LEVEL: log.level: must be one of debug, info, warn, error',
      'zoneseal.yaml:2: data: is empty',
    ]);
  });

  it('does not hide what is wrong in the file', () => {
    expect(files.errorsOf('log: loud\n', { ZONESEAL_LOG_LEVEL: 'warn' })).toEqual([
      'zoneseal.yaml:1: log: is text, must be a group of settings',
    ]);
    expect(files.errorsOf('barbican:\n', { ZONESEAL_BARBICAN_USERNAME: 'u' })).toHaveLength(1);
  });

  it('with a variable of no setting is refused, but not for what is of other programs', () => {
    expect(files.errorsOf('', { ZONESEAL_LIMITS_TRANSFER: '5', ZONESEAL_DATABASE_PORT: '5432' })).toEqual([
      'ZONESEAL_LIMITS_TRANSFER: is the variable of no setting',
      'ZONESEAL_DATABASE_PORT: is the variable of no setting',
    ]);
    const others = {
      ZONESEAL_CONFIG: '/etc/zoneseal.yaml',
      ZONESEAL_VERSION: '1',
      ZONESEAL_PORT: 'tcp://10.0.0.1:53',
      ZONESEAL_DATABASE_SERVICE_HOST: '10.0.0.2',
      ZONESEAL_DATABASE_SERVICE_PORT_SQL: '5432',
      ZONESEAL_DATABASE_PORT: 'tcp://10.0.0.2:5432',
      ZONESEAL_DATABASE_PORT_5432_TCP_ADDR: '10.0.0.2',
    };
    expect(files.errorsOf('', others)).toEqual([]);
  });
});

describe('secrets', () => {
  const SECRET = 'correct-horse-battery';

  it('are never in an error, wherever they were put', () => {
    const places = [
      `database:\n  url: postgresql://u:${SECRET}@h/d\n`,
      `database:\n  url: postgresql://u@h/d?password=${SECRET}\n`,
      `database:\n  url: nonsense://u:${SECRET}@h/d\n`,
      `database:\n  url: "postgresql://u:${SECRET} @h:x/d"\n`,
      `database:\n  password: ${SECRET}\n`,
      `barbican:\n  keystoneUrl: https://u:${SECRET}@h/v3\n  password: ${SECRET}\n`,
      `barbican: ${SECRET}\n`,
      `keyPassphrase: "${SECRET}"\n`,
      `- ${SECRET}\n`,
      `a: "x" ${SECRET}\n`,
      `a: *${SECRET}\n`,
      `a: !${SECRET} x\n`,
      `a: @${SECRET}\n`,
      `a: }${SECRET}\n`,
      `a: "\\q${SECRET}\n`,
      `%${SECRET}\n---\na: 1\n`,
      `a: {{${SECRET}}}\n`,
      ...settingsOf().map(
        ({ path }) => `${path.map((key, depth) => `${'  '.repeat(depth)}${key}:`).join('\n')} "${SECRET}!"\n`,
      ),
    ];
    for (const text of places) expect(files.errorsOf(text).join('\n'), text).not.toContain(SECRET);
    for (const { variable } of settingsOf()) {
      expect(files.errorsOf('', { [variable]: `${SECRET}!` }).join('\n'), variable).not.toContain(SECRET);
    }
  });

  it('come from the environment, or from a file without its line end', () => {
    const file = join(files.path, 'secret');
    writeFileSync(file, `${SECRET}\r\n`);
    const variable = SECRET_VARIABLES.databasePassword;
    expect(readSecret(variable, undefined, {})).toBeUndefined();
    expect(readSecret(variable, file, {})).toBe(SECRET);
    expect(readSecret(variable, file, { [variable]: '' })).toBe(SECRET);
    expect(readSecret(variable, file, { [variable]: 'other\n' })).toBe('other\n');
  });

  it('that are missing or empty name the file', () => {
    const variable = SECRET_VARIABLES.keyPassphrase;
    expect(() => readSecret(variable, join(files.path, 'none'), {})).toThrow(
      '/none: cannot be read (ENOENT)',
    );
    const file = join(files.path, 'empty');
    writeFileSync(file, '\n');
    expect(() => readSecret(variable, file, {})).toThrow(
      '/empty: is empty; it is to hold what ZONESEAL_KEY_PASSPHRASE would',
    );
  });

  it('each have a setting that names their file', () => {
    const variables = settingsOf().flatMap((setting) => secretVariableOf(setting) ?? []);
    expect(variables.sort()).toEqual(Object.values(SECRET_VARIABLES).sort());
  });
});

describe('settings', () => {
  it('all have a description and a variable of their own', () => {
    const settings = settingsOf();
    for (const { path, description } of settings) expect(description, path.join('.')).not.toBe('');
    expect(new Set(settings.map(({ variable }) => variable)).size).toBe(settings.length);
  });

  it('that are durations fit into a timer of Node', () => {
    for (const { path, facts } of settingsOf()) {
      // the database counts the one of publications
      if (facts.unit !== 'seconds' || path.at(-1) === 'retainAge') continue;
      const most = parseDuration(/to (\S+)$/.exec(facts.type ?? '')?.[1] ?? '');
      expect(most, path.join('.')).toBeGreaterThan(0);
      // statements get ten seconds more on the client's side, Barbican's requests three attempts
      expect(((most as number) * 3 + 10) * 1000, path.join('.')).toBeLessThan(2 ** 31);
    }
  });

  it('are shown with units that say the same', () => {
    fc.assert(
      fc.property(fc.nat(10_000_000), (seconds) => {
        expect(parseDuration(durationText(seconds))).toBe(seconds);
      }),
    );
    expect([0, 512, 1024, 1536, 1024 ** 2, 3 * 1024 ** 3].map(sizeText)).toEqual([
      '0',
      '512',
      '1K',
      '1536',
      '1M',
      '3G',
    ]);
  });
});
