import { z } from 'zod';
import { type SettingFacts, settingFacts } from './config-fields.js';
import { configSchema } from './config-schema.js';

/** One setting, for the reference and for environment variables. */
export interface Setting {
  readonly path: readonly string[];
  /** The environment variable that overrides it. */
  readonly variable: string;
  readonly description: string;
  /** What a value has to be, nothing wrapped around it. */
  readonly schema: z.ZodType;
  /** Undefined where there is none. */
  readonly defaultValue: unknown;
  /** Whether a configuration (or its section) without it is complete. */
  readonly optional: boolean;
  readonly facts: SettingFacts;
}

interface Wrapped {
  readonly def: { readonly innerType?: z.ZodType; readonly defaultValue?: unknown };
}

/** Every single setting of a schema, lists as one. */
export function settingsOf(schema: z.ZodType = configSchema, path: readonly string[] = []): Setting[] {
  let inner = schema;
  let defaultValue: unknown;
  let description = schema.description;
  let facts: SettingFacts = settingFacts.get(schema) ?? {};
  for (;;) {
    const { def } = inner as unknown as Wrapped;
    if (def.innerType === undefined) break;
    defaultValue ??= def.defaultValue;
    inner = def.innerType;
    description ??= inner.description;
    facts = { ...settingFacts.get(inner), ...facts };
  }
  if (inner instanceof z.ZodObject) {
    return Object.entries(inner.shape as Record<string, z.ZodType>).flatMap(([key, value]) =>
      settingsOf(value, [...path, key]),
    );
  }
  const optional = inner !== schema;
  const variable = variableOf(path);
  return [{ path, variable, description: description ?? '', schema: inner, defaultValue, optional, facts }];
}

/** The settings of each entry of a list; none for a setting that is no list, or one of plain values. */
export function fieldsOf({ schema, path }: Setting): Setting[] {
  return schema instanceof z.ZodArray && schema.element instanceof z.ZodObject
    ? settingsOf(schema.element, path)
    : [];
}

/** `limits.spoolOctets` → `ZONESEAL_LIMITS_SPOOL_OCTETS`. */
export function variableOf(path: readonly string[]): string {
  return ['zoneseal', ...path].map((part) => part.replace(/([A-Z])/g, '_$1').toUpperCase()).join('_');
}

/** Secrets that the environment may hold in place of a file; never a part of the parsed configuration. */
export const SECRET_VARIABLES = {
  databasePassword: 'ZONESEAL_DATABASE_PASSWORD',
  databaseReplicaPassword: 'ZONESEAL_DATABASE_REPLICA_PASSWORD',
  barbicanPassword: 'ZONESEAL_BARBICAN_PASSWORD',
  barbicanApplicationCredentialSecret: 'ZONESEAL_BARBICAN_APPLICATION_CREDENTIAL_SECRET',
  keyPassphrase: 'ZONESEAL_KEY_PASSPHRASE',
} as const;

/** The variable that holds a secret itself, for the setting that names a file with it; undefined for any other setting. */
export function secretVariableOf({ path }: Pick<Setting, 'path'>): string | undefined {
  const name = path.at(-1) ?? '';
  const variable = variableOf([...path.slice(0, -1), name.replace(/File$/, '')]);
  return name.endsWith('File') && Object.values<string>(SECRET_VARIABLES).includes(variable)
    ? variable
    : undefined;
}

/** The section, setting or part of a list whose name is like one that is none; undefined when nothing is. */
export function similarSetting(
  path: readonly (string | number)[],
  settings: readonly Setting[],
): string | undefined {
  const wanted = plain(String(path.at(-1) ?? ''));
  const section = path
    .filter((part) => typeof part === 'string')
    .slice(0, -1)
    .join('.');
  const parts = settings.flatMap((it) => fieldsOf(it));
  const sections = [
    ...new Set(settings.filter((it) => it.path.length > 1).map((it) => it.path[0] as string)),
  ];
  const names = [...sections.map((name) => [name]), ...[...settings, ...parts].map((it) => it.path)];
  const candidates = names.map((name) => ({
    name: name.join('.'),
    distance: likeness(wanted, plain(name.at(-1) as string)),
    elsewhere: name.slice(0, -1).join('.') === section ? 0 : 1,
  }));
  candidates.sort((a, b) => a.distance - b.distance || a.elsewhere - b.elsewhere);
  const best = candidates[0];
  return best !== undefined && best.distance <= 2 ? best.name : undefined;
}

function plain(name: string): string {
  return name.replaceAll(/[^A-Za-z]/g, '').toLowerCase();
}

/** How many letters differ; 1 for the beginning of a longer name, such as `password` for `passwordFile`. */
function likeness(a: string, b: string): number {
  if (a.length > 3 && b.startsWith(a)) return a === b ? 0 : 1;
  if (Math.min(a.length, b.length) < 4) return a === b ? 0 : 3;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
