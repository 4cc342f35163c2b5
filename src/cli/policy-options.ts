import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDocument } from 'yaml';
import { ZonesealError } from '../errors.js';
import { type Policy, parsePolicy } from '../keys/policy.js';
import { durationArgument, numberArgument, ttlArgument } from './arguments.js';
import { UsageError } from './exit.js';

/** How a zone is to be signed, as far as the command line says it. */
export interface PolicyOptions {
  readonly policy?: string;
  readonly nsec?: true;
  readonly nsec3?: true;
  readonly optOut?: true;
  readonly salt?: string;
  readonly iterations?: number;
  readonly validity?: number;
  readonly refresh?: number;
  readonly inceptionOffset?: number;
  readonly dnskeyTtl?: number;
  readonly zonemd?: boolean;
}

/** Adds them to a command. */
export function addPolicyOptions(command: Command): Command {
  return command
    .option('--policy <file>', 'a policy as a YAML file, as "policy set" takes it; options below override it')
    .addOption(new Option('--nsec', 'deny existence with NSEC (the default)').conflicts('nsec3'))
    .option('--nsec3', 'deny existence with NSEC3')
    .option('--opt-out', 'with NSEC3: leave insecure delegations out of the chain')
    .option('--salt <hex>', 'with NSEC3: the salt, - for none (default: none)', saltArgument)
    .option(
      '--iterations <n>',
      'with NSEC3: additional hash iterations (default: 0)',
      numberArgument(0, 2500),
    )
    .option(
      '--validity <duration>',
      'lifetime of a signature from the start of its slot (default: 14d)',
      durationArgument,
    )
    .option(
      '--refresh <duration>',
      'validity left at the least; expiries are spread between this and the validity (default: half the validity)',
      durationArgument,
    )
    .option('--inception-offset <duration>', 'how far inception is set back (default: 1h)', durationArgument)
    .option('--dnskey-ttl <ttl>', 'TTL of the DNSKEY records (default: 1h)', ttlArgument)
    .option('--zonemd', 'add a ZONEMD record (RFC 8976)')
    .option('--no-zonemd', 'add none, whatever the policy says');
}

function saltArgument(text: string): string {
  if (text === '-') return '';
  if (!/^([0-9a-fA-F]{2}){1,255}$/.test(text))
    throw new InvalidArgumentError('Write 1 to 255 octets in hexadecimal, or -.');
  return text.toLowerCase();
}

/**
 * The policy that options describe.
 * @throws ZonesealError POLICY_INVALID; UsageError where options contradict each other
 */
export function policyOf(options: PolicyOptions): Policy {
  const base = options.policy === undefined ? {} : readPolicyFile(options.policy);
  const name = options.policy ?? 'command line';
  // the file alone is checked first, so that its errors are told as its own
  const stored = parsePolicy(name, base);
  const denial = options.nsec3 === true ? 'nsec3' : options.nsec === true ? 'nsec' : stored.denial;
  if (denial === 'nsec') {
    for (const [option, value] of [
      ['--opt-out', options.optOut],
      ['--salt', options.salt],
      ['--iterations', options.iterations],
    ] as const) {
      if (value !== undefined) throw new UsageError(`${option} is of NSEC3; give --nsec3 with it`);
    }
  }
  const { validity } = options;
  const refresh = options.refresh ?? (validity === undefined ? stored.refresh : Math.floor(validity / 2));
  return parsePolicy(name, {
    ...stored,
    denial,
    nsec3: {
      iterations: options.iterations ?? stored.nsec3.iterations,
      salt: options.salt ?? stored.nsec3.salt,
      optOut: options.optOut ?? stored.nsec3.optOut,
    },
    validity: validity ?? stored.validity,
    refresh,
    inceptionOffset: options.inceptionOffset ?? stored.inceptionOffset,
    dnskeyTtl: options.dnskeyTtl ?? stored.dnskeyTtl,
    zonemd: options.zonemd ?? stored.zonemd,
  });
}

/**
 * A policy document from a YAML file (`-`: standard input), not checked yet.
 * @throws ZonesealError POLICY_INVALID when it is not YAML
 */
export function readPolicyFile(file: string): unknown {
  const document = parseDocument(readFileSync(file === '-' ? 0 : file, 'utf8'), { uniqueKeys: true });
  const [error] = document.errors;
  if (error !== undefined) {
    throw new ZonesealError('POLICY_INVALID', `${file}: ${error.message.split('\n')[0]}`, { file });
  }
  return document.toJS() ?? {};
}
