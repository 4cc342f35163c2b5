import { type Command, InvalidArgumentError } from 'commander';
import ipaddr from 'ipaddr.js';
import type { Name } from '../dns/name.js';
import type { PeerDescription } from '../gateway-store.js';
import { jsonOption, nameArgument, namesArgument, numberArgument, viewArgument } from './arguments.js';
import { withDatabase } from './database.js';
import { UsageError } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { hint } from './stored-zone.js';
import { printJson, printTable } from './terminal.js';

interface AddOptions extends GlobalOptions {
  readonly view: string;
  readonly address: PeerAddress;
  readonly port?: number;
  readonly tsig?: Name;
  readonly zone?: readonly Name[];
}

/** Where a peer is. */
export interface PeerAddress {
  readonly address: string;
  /** Undefined: it was not given. */
  readonly port: number | undefined;
}

const DNS_PORT = 53;

/** Adds `peer` and its subcommands. */
export function addPeerCommands(program: Command): void {
  const peer = program.command('peer').summary('nameservers that are told of changes');
  peer
    .command('add')
    .summary('tell a nameserver of changes')
    .description(
      'Adds a peer: a nameserver that gets a NOTIFY for each change of what it serves, and is asked until it serves it. ' +
        'A nameserver that serves two views is two peers. What it serves is shown by `zoneseal status`.',
    )
    .argument('<name>', 'what it is called here: a-z, 0-9, _, - and dots', peerNameArgument)
    .requiredOption('--view <view>', 'the view that it serves', viewArgument)
    .requiredOption(
      '--address <address>',
      'where it listens, the port with it if it is another than 53: 192.0.2.53, 192.0.2.53:5300, [2001:db8::53]:5300',
      addressArgument,
    )
    .option('--port <port>', 'its port, where it is not with the address', numberArgument(1, 65_535))
    .option(
      '--tsig <key>',
      'sign messages to it with this TSIG key, and believe only answers that are (default: neither)',
      nameArgument,
    )
    .option(
      '--zone <zone>',
      'it serves this zone alone; may be given several times (default: every zone of the view)',
      namesArgument,
    )
    .action(async (name: string, _: unknown, self: Command) => {
      await add(name, self.optsWithGlobals<AddOptions>());
    });
  peer
    .command('list')
    .summary('list peers')
    .description('Lists the peers, and how many of their zones are in which state.')
    .addOption(jsonOption())
    .action(async (_: unknown, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions & { json?: true }>();
      const peers = await withDatabase(options, ({ peers: store }) => store.list());
      if (options.json === true) await printJson(peers);
      else await printTable(['PEER', 'VIEW', 'ADDRESS', 'TSIG', 'ZONES', 'STATES'], peers.map(listLine));
    });
  peer
    .command('delete')
    .summary('tell a nameserver of changes no more')
    .description('Deletes a peer. What it may take is for its TSIG key to say, and stays.')
    .argument('<name>', 'the peer', peerNameArgument)
    .action(async (name: string, _: unknown, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions>();
      await withDatabase(options, ({ peers }) => peers.delete(name));
      hint(options, `peer ${name} deleted`);
    });
}

async function add(name: string, options: AddOptions): Promise<void> {
  const { view, address, tsig, zone } = options;
  if (address.port !== undefined && options.port !== undefined && address.port !== options.port) {
    throw new UsageError(`--address says port ${address.port}, and --port says ${options.port}`);
  }
  const port = address.port ?? options.port ?? DNS_PORT;
  const zones = zone?.map((it) => it.toLower().toString()) ?? null;
  const key = tsig?.toLower().toString() ?? null;
  await withDatabase(options, ({ peers }) =>
    peers.add({ name, view, address: address.address, port, key, zones }),
  );
  const what = zones === null ? `every zone of view ${view}` : `${zones.join(', ')} in view ${view}`;
  hint(options, `peer ${name} (${address.address} port ${port}) added, for ${what}; see: zoneseal status`);
  if (key === null) hint(options, 'without --tsig anyone on the way can answer for it');
}

/** The name of a peer. */
export function peerNameArgument(text: string): string {
  const name = text.toLowerCase();
  if (!/^[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9.])?$/.test(name)) {
    throw new InvalidArgumentError(
      'A peer name has a-z, 0-9, _, - and dots, and begins with a letter or digit.',
    );
  }
  return name;
}

/** An address, perhaps with a port: `192.0.2.1`, `192.0.2.1:53`, `2001:db8::1`, `[2001:db8::1]:53`. */
export function addressArgument(text: string): PeerAddress {
  const match = /^\[([^\]]*)\](?::([0-9]{1,5}))?$/.exec(text) ?? /^([^:]*)(?::([0-9]{1,5}))?$/.exec(text);
  const address = match?.[1] ?? text;
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  const isAddress =
    ipaddr.IPv4.isValidFourPartDecimal(address) || (address.includes(':') && ipaddr.IPv6.isValid(address));
  if (!isAddress || address.includes('%') || (port !== undefined && (port < 1 || port > 65_535))) {
    throw new InvalidArgumentError('Write 192.0.2.53, 192.0.2.53:5300, 2001:db8::53 or [2001:db8::53]:5300.');
  }
  return { address, port };
}

function listLine({ name, view, address, port, key, zones, states }: PeerDescription): string[] {
  const where = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const counts = Object.entries(states)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([state, count]) => `${count} ${state}`);
  return [name, view, where, key ?? '-', zones?.join(',') ?? 'all', counts.join(', ') || '-'];
}
