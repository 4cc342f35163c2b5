import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  type Document,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { z } from 'zod';
import { type Config, configSchema } from './config-schema.js';
import { SECRET_VARIABLES, type Setting, settingsOf, similarSetting } from './config-settings.js';
import { ZonesealError } from './errors.js';

export type { Config } from './config-schema.js';
export { SECRET_VARIABLES } from './config-settings.js';

type Path = readonly (string | number)[];

/**
 * Reads and checks a configuration file; without one, the defaults. Environment variables override single settings
 * (lists as YAML); one that is empty counts as not set. Relative paths start at the file's folder, without a file at the
 * current one. Error texts hold no values that could be secrets.
 * @throws ZonesealError CONFIG_INVALID naming every error with its line, or its environment variable
 */
export function loadConfig(file: string | undefined, environment: NodeJS.ProcessEnv = process.env): Config {
  const source = new Source(file);
  const settings = settingsOf();
  const { value, errors } = applyEnvironment(source.value, environment, settings);
  const result = configSchema.safeParse(value, { error: textOf });
  const issues = (result.error?.issues ?? []).flatMap((issue): { path: Path; message: string }[] => {
    const path = issue.path as Path;
    if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: unknownText([...path, key], settings),
    }));
  });
  const located = issues.map(({ path, message }): FileError => {
    const set = settings.find((it) => isPrefix(it.path, path) && isSet(environment, it.variable));
    const text = `${set?.variable ?? source.place(path)}: ${pathText(path)}: ${message}`;
    return { offset: source.offset(path) ?? -1, text };
  });
  errors.push(...inOrder([...source.duplicates, ...located]));
  if (!result.success || errors.length > 0) throw invalid(errors);
  return withAbsolutePaths(result.data, file === undefined ? process.cwd() : dirname(resolve(file)));
}

/** An error of a file, and where in it. */
interface FileError {
  readonly offset: number;
  readonly text: string;
}

function inOrder(errors: readonly FileError[]): string[] {
  return errors.toSorted((a, b) => a.offset - b.offset).map(({ text }) => text);
}

function invalid(errors: readonly string[]): ZonesealError {
  return new ZonesealError('CONFIG_INVALID', errors.join('\n'), { errors });
}

function unknownText(path: Path, settings: readonly Setting[]): string {
  const similar = similarSetting(path, settings);
  return `is no setting; ${similar === undefined ? 'docs/configuration.md has all there are' : `did you mean ${similar}?`}`;
}

/** `listen[0].port` */
function pathText(path: Path): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('');
  return text === '' ? 'the configuration' : text.replace(/^\./, '');
}

function isPrefix(prefix: Path, path: Path): boolean {
  return prefix.every((part, index) => part === path[index]);
}

/** What zod's own checks have to say, in words of ours. Values are left out but for numbers, since any text might be a secret. */
const textOf: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'is missing';
      if (issue.input === null) return 'is empty; give it a value, or leave the line out';
      return `is ${kindOf(issue.input)}, must be ${EXPECTED[issue.expected] ?? issue.expected}`;
    case 'too_small':
      return issue.origin === 'string'
        ? 'is empty'
        : `is ${String(issue.input)}, must be ${issue.minimum} or more`;
    case 'too_big':
      return `is ${String(issue.input)}, must be ${issue.maximum} or less`;
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}`;
    default:
      return undefined;
  }
};

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a whole number',
  int: 'a whole number',
  array: 'a list',
  object: 'a group of settings',
};

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a group of settings';
  if (typeof value === 'string') return 'text';
  return `a ${typeof value}${typeof value === 'number' && !Number.isInteger(value) ? ' with a fraction' : ''}`;
}

/** A configuration file, or none, and where in it settings stand. */
class Source {
  readonly value: unknown;
  /** Settings that are given twice, of which the last one is in the value: no reason to leave the others unchecked. */
  readonly duplicates: readonly FileError[];
  readonly #name: string;
  readonly #lines = new LineCounter();
  readonly #document: Document;

  /** @throws ZonesealError CONFIG_INVALID when it cannot be read, or is no YAML */
  constructor(file: string | undefined) {
    this.#name = file ?? 'defaults';
    const text = file === undefined ? '' : readText(file);
    const options = { lineCounter: this.#lines, uniqueKeys: true, prettyErrors: false };
    const document = parseDocument(text, options);
    this.#document = document;
    const faults = [...document.errors, ...document.warnings];
    this.duplicates = faults.flatMap((fault) =>
      fault.code === 'DUPLICATE_KEY' ? this.#duplicate(fault) : [],
    );
    const errors = faults.flatMap((fault) => (fault.code === 'DUPLICATE_KEY' ? [] : this.#syntax(fault)));
    visit(document, {
      Pair: (_, { key }) => {
        if (isScalar(key)) return;
        const offset = (key as Node | null)?.range?.[0] ?? 0;
        errors.push(this.#error(offset, 'the name of a setting is a single word'));
      },
      Alias: (_, alias, ancestors) => {
        if (alias.resolve(document) !== undefined) return;
        const path = pathText(pathOf([...ancestors, alias]));
        errors.push(this.#error(alias.range?.[0] ?? 0, `${path}: an alias (*name) has no anchor before it`));
      },
    });
    if (errors.length > 0) throw invalid([...new Set(inOrder([...errors, ...this.duplicates]))]);
    this.value = this.#plain();
  }

  /** `zoneseal.yaml:7`, the line being that of the innermost part of the path that there is. */
  place(path: Path): string {
    const offset = this.offset(path);
    return offset === undefined ? this.#name : this.#at(offset);
  }

  /** Where the innermost part of a path begins that the file has. */
  offset(path: Path): number | undefined {
    return offsetOf(this.#document.contents, path);
  }

  #at(offset: number): string {
    return `${this.#name}:${this.#lines.linePos(offset).line}`;
  }

  #error(offset: number, text: string): FileError {
    return { offset, text: `${this.#at(offset)}: ${text}` };
  }

  #plain(): unknown {
    try {
      return this.#document.toJS() ?? {};
    } catch {
      // what has no anchor was told of before
      let first = 0;
      visit(this.#document, {
        Alias: (_, alias) => {
          first = alias.range?.[0] ?? 0;
          return visit.BREAK;
        },
      });
      throw invalid([this.#error(first, 'there are too many aliases (*name)').text]);
    }
  }

  #syntax({ code, message, pos }: YAMLError): FileError {
    // the parser's text may quote what stands there
    const text = SYNTAX[code] ?? message.replace(/[:;].*$/s, '');
    return this.#error(pos[0], `${text.charAt(0).toLowerCase()}${text.slice(1)}`);
  }

  #duplicate({ pos: [offset] }: YAMLError): FileError {
    let path: Path = [];
    let earlier: number | undefined;
    visit(this.#document, {
      Pair: (_, pair, ancestors) => {
        const key = pair.key as Node | null;
        if (!isScalar(key) || (key.range?.[0] ?? -1) < offset) return undefined;
        path = pathOf([...ancestors, pair]);
        const siblings = ancestors.at(-1);
        const first = isMap(siblings) ? findPair(siblings, String(key.value), 'first') : undefined;
        earlier = (first?.key as Node | undefined)?.range?.[0];
        return visit.BREAK;
      },
    });
    const where = earlier === undefined ? '' : ` in line ${this.#lines.linePos(earlier).line}`;
    return this.#error(offset, `${pathText(path)}: was given already${where}`);
  }
}

const SYNTAX: Readonly<Record<string, string>> = {
  BAD_DIRECTIVE: 'directives (%) have no meaning here',
  BAD_DQ_ESCAPE: 'invalid escape sequence; within double quotes, \\ has to be written \\\\',
  BAD_SCALAR_START: 'a value that begins with @ or ` has to be in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a second ": " on the line; put the value in quotes',
  MULTIPLE_DOCS: 'a second document begins (---); a configuration is one',
  TAG_RESOLVE_FAILED: 'tags (!) have no meaning here',
};

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw invalid([`${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`]);
  }
}

/** The entry of a mapping with a key; what is given twice has two. */
function findPair(map: YAMLMap, name: string, which: 'first' | 'last'): Pair | undefined {
  const named = map.items.filter(({ key }) => isScalar(key) && String(key.value) === name);
  return which === 'first' ? named[0] : named.at(-1);
}

/** The path to a node, from all nodes that it is in and itself. */
function pathOf(nodes: readonly unknown[]): Path {
  return nodes.flatMap((node, index): (string | number)[] => {
    const parent = nodes[index - 1];
    if (isPair(node)) return isScalar(node.key) ? [String(node.key.value)] : [];
    return isSeq(parent) ? [parent.items.indexOf(node)] : [];
  });
}

function offsetOf(node: Node | null, path: Path): number | undefined {
  let current: unknown = node;
  let offset: number | undefined;
  for (const part of path) {
    let next: unknown;
    let here: Node | undefined;
    if (isMap(current)) {
      const pair = findPair(current, String(part), 'last');
      here = pair?.key as Node | undefined;
      next = pair?.value;
    } else if (isSeq(current)) {
      next = current.items[Number(part)];
      here = next as Node | undefined;
    }
    if (here === undefined) break;
    offset = here.range?.[0] ?? offset;
    current = next;
  }
  return offset;
}

function isSet(environment: NodeJS.ProcessEnv, variable: string): boolean {
  return environment[variable] !== undefined && environment[variable] !== '';
}

/** What Kubernetes sets by itself for a service whose name begins with `zoneseal-`. */
function isServiceVariable(name: string, value: string): boolean {
  if (/_SERVICE_(HOST|PORT(_.+)?)$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name)) return true;
  return name.endsWith('_PORT') && /^(tcp|udp|sctp):/.test(value);
}

function applyEnvironment(
  raw: unknown,
  environment: NodeJS.ProcessEnv,
  settings: readonly Setting[],
): { value: unknown; errors: string[] } {
  const errors: string[] = [];
  let value = raw;
  for (const { path, variable, schema } of settings) {
    if (!isSet(environment, variable)) continue;
    try {
      value = withValue(value, path, parseVariable(environment[variable] as string, schema));
    } catch {
      errors.push(`${variable}: ${pathText(path)}: is no YAML list`);
    }
  }
  const known = new Set<string>([...settings.map((it) => it.variable), ...Object.values(SECRET_VARIABLES)]);
  const sections = new Set(settings.map((it) => variablePrefix(it)));
  for (const [name, text = ''] of Object.entries(environment)) {
    const ours = sections.has(/^ZONESEAL_[A-Z]+/.exec(name)?.[0] ?? '');
    if (ours && text !== '' && !known.has(name) && !isServiceVariable(name, text))
      errors.push(`${name}: is the variable of no setting`);
  }
  return { value, errors };
}

/** `ZONESEAL_LIMITS` of `ZONESEAL_LIMITS_CONNECTIONS`. */
function variablePrefix({ variable }: Setting): string {
  return variable.split('_', 2).join('_');
}

function parseVariable(text: string, schema: z.ZodType): unknown {
  if (schema instanceof z.ZodArray) {
    const document = parseDocument(text);
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS();
  }
  return schema instanceof z.ZodNumber && /^-?[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : text;
}

/** A copy with one value set; what is no group of settings stays, for the schema to complain of. */
function withValue(target: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value;
  if (target !== undefined && (typeof target !== 'object' || target === null || Array.isArray(target)))
    return target;
  const group = (target ?? {}) as Record<string, unknown>;
  return { ...group, [key]: withValue(group[key], rest, value) };
}

function withAbsolutePaths(config: Config, folder: string): Config {
  const absolute = <T extends string | undefined>(path: T): T =>
    (path === undefined ? path : resolve(folder, path)) as T;
  const { database, barbican } = config;
  return {
    ...config,
    data: absolute(config.data),
    keyPassphraseFile: absolute(config.keyPassphraseFile),
    database: {
      ...database,
      passwordFile: absolute(database.passwordFile),
      caFile: absolute(database.caFile),
      replicaPasswordFile: absolute(database.replicaPasswordFile),
    },
    barbican: barbican && {
      ...barbican,
      passwordFile: absolute(barbican.passwordFile),
      applicationCredentialIdFile: absolute(barbican.applicationCredentialIdFile),
      applicationCredentialSecretFile: absolute(barbican.applicationCredentialSecretFile),
      caFile: absolute(barbican.caFile),
    },
  };
}

/**
 * A secret from the environment or from its file, the line end of the file left out.
 * @throws ZonesealError CONFIG_INVALID when the file cannot be read, or holds nothing
 */
export function readSecret(
  variable: string,
  file: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): string | undefined {
  if (isSet(environment, variable)) return environment[variable];
  if (file === undefined) return undefined;
  const secret = readText(file).replace(/\r?\n$/, '');
  if (secret === '') throw invalid([`${file}: is empty; it is to hold what ${variable} would`]);
  return secret;
}
