import type { Command } from 'commander';
import { parse as parseYaml } from 'yaml';
import type { Name } from '../dns/name.js';
import { ZonesealError } from '../errors.js';
import type { PolicyDescription } from '../gateway-store.js';
import type { ZoneKey } from '../keys/key-set.js';
import { type Policy, parsePolicy, policySchema } from '../keys/policy.js';
import { doubtfulTimes } from '../keys/policy-arithmetic.js';
import { doubtfulSettings } from '../keys/policy-settings.js';
import type { ZoneProblem } from '../zone/problem.js';
import { jsonOption, nameArgument } from './arguments.js';
import { withDatabase } from './database.js';
import { UsageError } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { readPolicyFile } from './policy-options.js';
import { hint, judgedPolicy } from './stored-zone.js';
import { printJson, printLines, printTable } from './terminal.js';
import { problemLine } from './zone-file.js';

interface SetOptions extends GlobalOptions {
  readonly file?: string;
  readonly from?: string;
}

interface ShowOptions extends GlobalOptions {
  readonly json?: true;
}

type Document = Record<string, unknown>;

/** Adds `policy` and its subcommands. */
export function addPolicyCommands(program: Command): void {
  const policy = program.command('policy').summary('how zones are signed');
  const settings = Object.keys(policySchema.shape).join(', ');
  policy
    .command('set')
    .summary('create or change a policy')
    .description(
      `Creates a policy, or changes one; zones that are signed by it get new publications. Settings: ${settings}; those of nsec3 as nsec3.optOut and so on. Where algorithm or keys become others, the keys of these zones roll to what the policy then wants (see "keys plan" and "keys hold"); rsaBits is for keys that are made from then on. What is not set has its default, whatever other policies say: none inherits from another, and --from makes a copy. A zone that names no policy is signed by the policy default. What is unsafe for a zone that is signed by it, by the largest TTL of its data, is refused.`,
    )
    .argument('<name>', 'the policy, such as default')
    .argument(
      '[settings...]',
      'such as denial=nsec3 validity=30d; an empty value takes a setting back to its default',
    )
    .option(
      '--file <file>',
      'a YAML file with all settings, in place of those there are; - for standard input',
    )
    .option(
      '--from <policy>',
      'for a new policy: begin with a copy of what that policy says now; it does not follow when that one changes',
    )
    .action(async (name: string, assignments: readonly string[], _: unknown, self: Command) => {
      await set(name, assignments, self.optsWithGlobals<SetOptions>());
    });
  policy
    .command('show')
    .summary('show policies')
    .description('Shows a policy with all its settings, or lists the policies.')
    .argument('[name]', 'the policy')
    .addOption(jsonOption())
    .action(async (name: string | undefined, _: unknown, self: Command) => {
      await show(name, self.optsWithGlobals<ShowOptions>());
    });
  policy
    .command('assign')
    .summary('sign a zone by a policy')
    .description(
      'Signs a zone by another policy; it gets new publications. Keys that are not those that the policy wants roll to these; see "keys plan" and "keys hold". A policy that is unsafe for the zone, by the largest TTL of its data, is refused.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .argument('<policy>', 'the policy')
    .action(async (zone: Name, name: string, _: unknown, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions>();
      await withDatabase(options, async (parts) => {
        const { zones, keys } = parts;
        await zones.assignPolicy(zone.toString(), name);
        hint(options, `zone ${zone} is signed by policy ${name}`);
        tellDoubts(await judgedPolicy(parts, zone), options);
        const settings = settingsOf(await zones.showPolicy(name));
        const kept = settings && keysKept(await keys.list(zone.toString()), settings);
        if (kept !== undefined) {
          hint(
            options,
            `zone ${zone}: its keys (${kept}) roll to those that the policy wants; see: zoneseal keys plan ${zone}`,
          );
        }
      });
    });
}

/** The keys of a zone, where a policy would make others; undefined where they are as it wants them. */
function keysKept(keys: readonly ZoneKey[], policy: Policy): string | undefined {
  const roles = policy.keys === 'csk' ? ['CSK'] : ['KSK', 'ZSK'];
  const differ = keys.some(({ algorithm, role }) => algorithm !== policy.algorithm || !roles.includes(role));
  if (!differ) return undefined;
  return keys.map(({ role, keyTag, algorithm }) => `${role} ${keyTag} of algorithm ${algorithm}`).join(', ');
}

/** Warnings that are printed one by one. */
const WARNINGS_SHOWN = 10;

/** Tells what is doubtful about a policy for zones. */
function tellDoubts(problems: readonly ZoneProblem[], options: GlobalOptions): void {
  for (const problem of problems.slice(0, WARNINGS_SHOWN)) hint(options, problemLine(problem));
  const more = problems.length - WARNINGS_SHOWN;
  if (more > 0) hint(options, `and ${more} more warnings; see: zoneseal zone check ZONE`);
}

/** Whether new keys would be others by one policy than by another. */
function makesOtherKeys(a: Policy, b: Policy): boolean {
  return a.algorithm !== b.algorithm || a.keys !== b.keys;
}

async function set(name: string, assignments: readonly string[], options: SetOptions): Promise<void> {
  const { file, from } = options;
  if (file !== undefined && assignments.length > 0)
    throw new UsageError('give a --file or settings, not both');
  if (file !== undefined && from !== undefined) throw new UsageError('give a --file or --from, not both');
  if (!/^[a-z0-9]([a-z0-9_.-]{0,61}[a-z0-9])?$/.test(name)) {
    throw new UsageError(`"${name}" is no name for a policy: up to 63 of a-z, 0-9, _, . and -`);
  }
  const changes = assignments.map(parseAssignment);
  const whole = file === undefined ? undefined : readDocument(name, file);
  await withDatabase(options, async ({ zones }) => {
    const policies = await zones.listPolicies();
    const stored = policies.find((it) => it.name === name);
    const start = from === undefined ? stored : copied(name, from, policies);
    const document = whole ?? structuredClone((start?.document ?? {}) as Document);
    for (const { path, value } of changes) assign(document, path, value);
    const version = await zones.setPolicy(name, document);
    const what = stored === undefined ? 'created' : version === stored.version ? 'unchanged' : 'changed';
    const of = stored === undefined ? '' : ` (${stored.zones} zones)`;
    hint(options, `policy ${name} ${what}: version ${version}${of}`);
    const policy = parsePolicy(name, document);
    for (const { setting, message } of [...doubtfulTimes(policy), ...doubtfulSettings(policy)]) {
      hint(options, `warning: policy ${name}: ${setting} ${message}`);
    }
    if (stored !== undefined && stored.zones > 0) {
      const { problems, areAll } = await zones.judgePolicy(name);
      tellDoubts(problems, options);
      if (!areAll)
        hint(
          options,
          'not all zones of the policy were looked at; of the others "zone check" and gateways say what is wrong',
        );
    }
    const before = stored && stored.zones > 0 ? settingsOf(stored) : undefined;
    if (before !== undefined && makesOtherKeys(before, policy)) {
      hint(
        options,
        'the keys of these zones roll to what the policy wants now; see: zoneseal keys plan ZONE',
      );
    }
  });
}

/** The policy that a new one begins as a copy of. @throws UsageError where there is none, or the new one is there already */
function copied(name: string, from: string, policies: readonly PolicyDescription[]): PolicyDescription {
  if (policies.some((it) => it.name === name)) {
    throw new UsageError(
      `policy ${name} is there already, and --from is for a new one; see: zoneseal policy show ${name}`,
    );
  }
  const found = policies.find((it) => it.name === from);
  if (found === undefined) {
    throw new UsageError(`there is no policy "${from}" to copy for ${name}; see: zoneseal policy show`);
  }
  return found;
}

function readDocument(name: string, file: string): Document {
  const document = readPolicyFile(file);
  parsePolicy(name, document);
  return document as Document;
}

interface Assignment {
  readonly path: readonly string[];
  /** Undefined: back to the default. */
  readonly value: unknown;
}

/** Settings whose values are texts even where they look like numbers. */
const TEXTS = new Set(['nsec3.salt']);

function parseAssignment(text: string): Assignment {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`"${text}" is no setting; write such as denial=nsec3`);
  const [setting, value] = [text.slice(0, at), text.slice(at + 1)];
  const path = setting.split('.');
  if (value === '') return { path, value: undefined };
  return { path, value: TEXTS.has(setting) ? value : (parseYaml(value) as unknown) };
}

function assign(document: Document, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path as [string, ...string[]];
  if (rest.length > 0) {
    const inner = document[key];
    const target: Document = typeof inner === 'object' && inner !== null ? (inner as Document) : {};
    document[key] = target;
    assign(target, rest, value);
  } else if (value === undefined) {
    delete document[key];
  } else {
    document[key] = value;
  }
}

async function show(name: string | undefined, options: ShowOptions): Promise<void> {
  const policies = await withDatabase(options, async ({ zones }) =>
    name === undefined ? zones.listPolicies() : [await zones.showPolicy(name)],
  );
  if (options.json === true) {
    const described = policies.map((policy) => ({ ...policy, settings: settingsOf(policy) ?? null }));
    await printJson(name === undefined ? described : described[0]);
  } else if (name === undefined) {
    await printTable(
      ['POLICY', 'VERSION', 'ZONES', 'SETTINGS'],
      policies.map(({ name, version, zones, document }) => [
        name,
        String(version),
        String(zones),
        JSON.stringify(document),
      ]),
    );
  } else {
    for (const policy of policies) await printLines(describe(policy));
  }
}

/** Every setting, defaults filled in; undefined where the stored document does not parse. */
function settingsOf({ name, document }: PolicyDescription): Policy | undefined {
  try {
    return parsePolicy(name, document);
  } catch (error) {
    if (error instanceof ZonesealError) return undefined;
    throw error;
  }
}

function describe(policy: PolicyDescription): string[] {
  const { name, version, zones, document } = policy;
  const lines = [`# policy ${name}, version ${version}, ${zones} zones`];
  const settings = parsePolicy(name, document);
  for (const [key, value] of Object.entries(settings)) {
    const own = (document as Document)[key];
    if (typeof value !== 'object') {
      lines.push(`${key}: ${value}${own === undefined ? '  # default' : ''}`);
      continue;
    }
    lines.push(`${key}:`);
    for (const [inner, text] of Object.entries(value)) {
      const set = (own as Document | undefined)?.[inner] !== undefined;
      lines.push(`  ${inner}: ${JSON.stringify(text)}${set ? '' : '  # default'}`);
    }
  }
  return lines;
}
