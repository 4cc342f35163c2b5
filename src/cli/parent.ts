import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { Name } from '../dns/name.js';
import { formatRdata, parseRdataText } from '../dns/rdata/index.js';
import { RRType } from '../dns/types.js';
import { DsDigest, dsRdata } from '../dnssec/dnskey.js';
import { errorMessage } from '../errors.js';
import type { ParentDescription, ParentServer } from '../gateway-store.js';
import { misfitOf } from '../keys/rollover/parent-fault.js';
import { jsonOption, nameArgument } from './arguments.js';
import { withDatabase } from './database.js';
import { EXIT_CODES, Exit, UsageError } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { addressArgument } from './peer.js';
import { hint } from './stored-zone.js';
import { printJson, printTable, say } from './terminal.js';

interface SetOptions extends GlobalOptions {
  readonly server: readonly ParentServer[];
  readonly notify?: readonly ParentServer[];
  readonly trustAnchor?: string;
}

const DNS_PORT = 53;

/** Adds `parent` and its subcommands. */
export function addParentCommands(program: Command): void {
  const parent = program.command('parent').summary('zones above, where the DS of zones are looked for');
  parent
    .command('set')
    .summary('say where the nameservers of a parent zone are')
    .description(
      'Writes down a parent zone: gateways ask all its nameservers for the DS of the zones below it before a key roll goes on, and may tell ' +
        'someone there of changed CDS. The nearest parent above a zone counts. In place of what was said of it before.',
    )
    .argument('<name>', 'the parent zone, such as example. or .', nameArgument)
    .requiredOption(
      '--server <address>',
      'a nameserver of it, the port with it if it is another than 53; to be given for each of them',
      serversArgument,
    )
    .option(
      '--notify <address>',
      'who is told of changed CDS by NOTIFY (RFC 9859); may be given several times',
      serversArgument,
    )
    .option(
      '--trust-anchor <file>',
      'DS or DNSKEY records of the parent zone, as in a master file; answers that are not valid by them do not count (default: answers are believed as they come)',
    )
    .action(async (name: Name, _: unknown, self: Command) => {
      await set(name, self.optsWithGlobals<SetOptions>());
    });
  parent
    .command('list')
    .summary('list parent zones')
    .description('Lists the parent zones with their nameservers.')
    .addOption(jsonOption())
    .action(async (_: unknown, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions & { json?: true }>();
      const parents = await withDatabase(options, (parts) => parts.parents.list());
      if (options.json === true) await printJson(parents.map(parentJson));
      else await printTable(['PARENT', 'SERVERS', 'NOTIFY', 'TRUST ANCHORS'], parents.map(listLine));
    });
  parent
    .command('check')
    .summary('ask the parent for the DS of a zone')
    .description(
      'Asks each nameserver of the parent of a zone for its DS, as gateways do, and prints what they say. The exit code is 1 when one gives no answer that counts, or has DS records of which none, or none with the strongest digest, is of a key that signs.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .addOption(jsonOption())
    .action(async (zone: Name, _: unknown, self: Command) => {
      await check(zone, self.optsWithGlobals<GlobalOptions & { json?: true }>());
    });
  parent
    .command('delete')
    .summary('look for DS there no more')
    .description(
      'Deletes what is known of a parent zone. Rolls of keys that it has DS for then wait for "keys ds-seen".',
    )
    .argument('<name>', 'the parent zone', nameArgument)
    .action(async (name: Name, _: unknown, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions>();
      const text = name.toLower().toString();
      await withDatabase(options, ({ parents }) => parents.delete(text));
      hint(options, `parent ${text} deleted`);
    });
}

async function set(name: Name, options: SetOptions): Promise<void> {
  const anchors = options.trustAnchor === undefined ? [] : readAnchors(options.trustAnchor, name);
  const text = name.toLower().toString();
  const description = { name: text, servers: options.server, notify: options.notify ?? [], anchors };
  await withDatabase(options, async ({ parents }) => {
    await parents.set(description);
    await parents.askSoon();
  });
  hint(
    options,
    `parent ${text} is asked at ${options.server.map(shown).join(', ')}; try it with: zoneseal parent check ZONE`,
  );
  if (anchors.length === 0) hint(options, 'without --trust-anchor anyone on the way can answer for it');
}

/** @throws UsageError where there is none, or one that does not parse */
function readAnchors(file: string, parent: Name): Uint8Array[] {
  let lines: string[];
  try {
    lines = readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    throw new UsageError(`--trust-anchor ${file}: ${errorMessage(error)}`);
  }
  const anchors: Uint8Array[] = [];
  for (const [i, line] of lines.entries()) {
    const match = /^(\S+)\s+(?:\d+\s+)?(?:IN\s+)?(?:\d+\s+)?(DS|DNSKEY)\s+(.+?)\s*(;.*)?$/i.exec(line);
    if (match === null) {
      if (/^\s*(;.*)?$/.test(line)) continue;
      throw new UsageError(`--trust-anchor ${file}, line ${i + 1}: no DS or DNSKEY record on one line`);
    }
    const [, owner = '', type = '', rdata = ''] = match;
    try {
      if (!Name.parse(owner, Name.root).equals(parent))
        throw new Error(`it is of ${owner}, not of ${parent}`);
      const isDs = type.toUpperCase() === 'DS';
      const octets = parseRdataText(isDs ? RRType.DS : RRType.DNSKEY, rdata, Name.root);
      anchors.push(isDs ? octets : dsRdata(parent, octets, DsDigest.SHA256));
    } catch (error) {
      throw new UsageError(`--trust-anchor ${file}, line ${i + 1}: ${errorMessage(error)}`);
    }
  }
  if (anchors.length === 0)
    throw new UsageError(`--trust-anchor ${file}: it has no DS or DNSKEY record of ${parent}`);
  return anchors;
}

async function check(zone: Name, options: GlobalOptions & { readonly json?: true }): Promise<void> {
  const text = zone.toLower().toString();
  const { sightings, keys } = await withDatabase(options, async ({ config, parents, keys: stored }) => {
    const above = await parents.findAbove(text);
    if (above === undefined) {
      throw new UsageError(
        `no parent of ${text} is known; say where its nameservers are with: zoneseal parent set`,
      );
    }
    const { makeParentClient } = await import('../gateway-fleet.js');
    const client = makeParentClient(config);
    const { signal } = new AbortController();
    const asked = await Promise.all(
      above.servers.map(async (server) => ({
        server: shown(server),
        ...(await client.findDs(text, above, server, signal)),
      })),
    );
    // a zone that is not held here can be asked for as well
    const held = await stored.list(text).catch(() => undefined);
    return { sightings: asked, keys: held };
  });
  const rows = sightings.map((it) => ({
    server: it.server,
    ...(it.kind === 'seen'
      ? { ttl: it.ttl, ds: it.ds.map((rdata) => formatRdata(RRType.DS, rdata)) }
      : { problem: it.problem }),
  }));
  if (options.json === true) await printJson(rows);
  else {
    await printTable(
      ['SERVER', 'TTL', 'DS'],
      rows.flatMap((row): string[][] =>
        'problem' in row
          ? [[row.server, '-', row.problem]]
          : row.ds.length === 0
            ? [[row.server, String(row.ttl), 'none']]
            : row.ds.map((ds) => [row.server, String(row.ttl), ds]),
      ),
    );
  }
  const misfits = sightings.flatMap((it) => {
    const problem = keys === undefined || it.kind !== 'seen' ? null : misfitOf(zone, it.ds, keys);
    return problem === null ? [] : [`${it.server}: ${problem}`];
  });
  for (const misfit of misfits) say(misfit);
  if (misfits.length > 0 || sightings.some(({ kind }) => kind !== 'seen'))
    throw new Exit(EXIT_CODES.REFUSED.code);
}

function serversArgument(text: string, before: readonly ParentServer[] | undefined): readonly ParentServer[] {
  const { address, port } = addressArgument(text);
  const server = { address, port: port ?? DNS_PORT };
  if (before?.some((it) => shown(it) === shown(server)) === true)
    throw new InvalidArgumentError(`${text} is given twice.`);
  return [...(before ?? []), server];
}

function shown({ address, port }: ParentServer): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function parentJson({ anchors, servers, notify, name }: ParentDescription): object {
  const trustAnchors = anchors.map((it) => formatRdata(RRType.DS, it));
  return { name, servers: servers.map(shown), notify: notify.map(shown), trustAnchors };
}

function listLine({ name, servers, notify, anchors }: ParentDescription): string[] {
  const tags = anchors.map((it) => String(((it[0] as number) << 8) | (it[1] as number)));
  return [name, servers.map(shown).join(', '), notify.map(shown).join(', ') || '-', tags.join(', ') || '-'];
}
