import type { Command } from 'commander';
import { formatMasterFile, type WritableRecord } from '../dns/master-writer.js';
import type { Name } from '../dns/name.js';
import { parseRdataText } from '../dns/rdata/index.js';
import { RRType } from '../dns/types.js';
import { ZonesealError } from '../errors.js';
import type { ZoneDescription } from '../gateway-store.js';
import { signingKeys } from '../keys/key-set.js';
import { checkKeySet } from '../keys/key-set-check.js';
import { isUnsigned } from '../keys/key-set-records.js';
import { apexRRset } from '../publication/pack-image.js';
import type { Publication } from '../publication/ports.js';
import { publishedNodes } from '../publication/published-nodes.js';
import { nextSerial } from '../publication/serial.js';
import { loadNodes } from '../zone/load.js';
import type { ZoneNode } from '../zone/node.js';
import type { ZoneRow } from '../zone/row.js';
import { nameArgument, viewArgument } from './arguments.js';
import { type DatabaseParts, withDatabase } from './database.js';
import { UsageError } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { makeProgress, type Progress } from './progress.js';
import { countNodes, formatSigned, writeSignedZone } from './signed-output.js';
import { privateKeysOf } from './stored-keys.js';
import { countRows, hint } from './stored-zone.js';
import { openSink, type TextSink } from './terminal.js';

interface ExportOptions extends GlobalOptions {
  readonly view?: string;
  readonly signed: boolean;
  readonly output?: string;
  readonly json: boolean;
}

/** Adds `zone export`. */
export function addZoneExportCommand(zone: Command): void {
  zone
    .command('export')
    .summary('write a zone as a master file')
    .description(
      'Writes a zone, as one view sees it, as a master file. With --signed it is what that view is served, octet for octet; where nothing is ' +
        'served yet, the data there are, signed with the keys from Barbican.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .option('--view <view>', 'as this view sees it; needed where views see different data', viewArgument)
    .option('--signed', 'with DNSSEC records', false)
    .option(
      '-o, --output <file>',
      'write to this file, which appears when all is written (default: standard output)',
    )
    .option('--json', 'every row with its views, one JSON object a line: a whole copy of the data', false)
    .action(async (name: Name, _: unknown, self: Command) => {
      await exportZone(name, self.optsWithGlobals<ExportOptions>());
    });
}

async function exportZone(zone: Name, options: ExportOptions): Promise<void> {
  if (options.json && options.signed) throw new UsageError('--json is of unsigned rows; leave out --signed');
  const progress = makeProgress({
    ...options,
    recordsToStdout: options.output === undefined || options.output === '-',
  });
  await withDatabase(options, async (parts) => {
    const description = await parts.zones.showZone(zone.toString());
    const view = options.json ? (options.view ?? null) : await chooseView(parts, description, options.view);
    const sink = await openSink(options.output);
    try {
      progress.begin(`exporting ${zone}`, description.rrsets);
      const input = { parts, zone, view, sink, progress, description, options };
      if (options.json) await writeRows(input);
      else if (options.signed) await writeSigned(input);
      else await writeUnsigned(input);
      progress.end();
      await sink.commit();
    } catch (error) {
      progress.end();
      await sink.abort();
      throw error;
    }
  });
}

interface ExportInput {
  readonly parts: DatabaseParts;
  readonly zone: Name;
  readonly view: string | null;
  readonly sink: TextSink;
  readonly progress: Progress;
  readonly description: ZoneDescription;
  readonly options: ExportOptions;
}

/** The view to export; null where all views see the same. @throws ZonesealError NOT_HELD; UsageError */
async function chooseView(
  parts: DatabaseParts,
  { name, views }: ZoneDescription,
  wanted: string | undefined,
): Promise<string | null> {
  const tags = new Set<string>();
  for await (const batch of parts.rrsets.readAll(name)) {
    for (const row of batch) for (const view of row.views ?? []) tags.add(view);
  }
  const known = new Set([...views.map(({ view }) => view), ...tags]);
  if (wanted !== undefined) {
    if (known.has(wanted)) return wanted;
    const reason = known.size === 0 ? 'it is in no view' : `its views are ${[...known].sort().join(', ')}`;
    throw new ZonesealError('NOT_HELD', `zone ${name} has no view "${wanted}"; ${reason}`, {
      zone: name,
      view: wanted,
    });
  }
  if (tags.size > 0) {
    throw new UsageError(
      `views see zone ${name} differently; give --view, one of ${[...known].sort().join(', ')}`,
    );
  }
  const [only] = views;
  return only !== undefined && views.length === 1 ? only.view : null;
}

async function writeRows({ parts, zone, view, sink, progress }: ExportInput): Promise<void> {
  for await (const rows of countRows(parts.rrsets.readAll(zone.toString()), progress)) {
    const seen = view === null ? rows : rows.filter(({ views }) => views === null || views.includes(view));
    await sink.write(seen.map((row) => `${JSON.stringify(rowJson(row))}\n`).join(''));
  }
}

function rowJson({ owner, type, ttl, data, views }: ZoneRow): object {
  return { owner, type, ttl, data, views };
}

async function writeUnsigned({ parts, zone, view, sink, progress }: ExportInput): Promise<void> {
  const rows = countRows(parts.rrsets.readAll(zone.toString()), progress);
  for await (const text of formatMasterFile(recordsOf(loadNodes(rows, { zone, view }))))
    await sink.write(text);
}

async function* recordsOf(
  nodes: AsyncIterable<readonly ZoneNode[]>,
): AsyncGenerator<WritableRecord, void, undefined> {
  for await (const batch of nodes) {
    for (const { rrsets } of batch) {
      for (const { owner, type, ttl, rdata } of rrsets) {
        for (const octets of rdata) yield { owner, type, ttl, rdata: octets };
      }
    }
  }
}

async function writeSigned(input: ExportInput): Promise<void> {
  const { parts, view, description } = input;
  if (view === null && description.views.length > 1) {
    const views = description.views.map((it) => it.view).sort();
    throw new UsageError(`each view has a serial of its own; give --view, one of ${views.join(', ')}`);
  }
  const { publications } = parts.store;
  const publication = view === null ? undefined : await publications.newestReady(description.id, view);
  if (publication === undefined) await signAnew(input);
  else await writePublication(input, publication);
}

/** What is served, octet for octet: from the stored pages, without any key. */
async function writePublication(
  { parts, zone, view, sink, progress, options }: ExportInput,
  publication: Publication,
): Promise<void> {
  const { serial, soa, zonemd } = publication;
  if (soa === null) throw new Error('a ready publication has a SOA');
  await sink.write(formatSigned(apexRRset(zone, RRType.SOA, soa)));
  let count = 0;
  for await (const nodes of publishedNodes(publication, parts.store.publications)) {
    await sink.write(nodes.flatMap(({ rrsets }) => rrsets.map(formatSigned)).join(''));
    count += nodes.length;
    progress.update(count);
  }
  if (zonemd !== null) await sink.write(formatSigned(apexRRset(zone, RRType.ZONEMD, zonemd)));
  hint(options, `zone ${zone} in view ${view}: serial ${serial}, what is served`);
}

/** There is nothing that is served: signed from the data there are, with keys from Barbican. */
async function signAnew({
  parts,
  zone,
  view,
  sink,
  progress,
  options,
  description,
}: ExportInput): Promise<void> {
  const name = zone.toString();
  const { version } = await parts.zones.showPolicy(description.policy);
  const policy = await parts.store.publications.readPolicy(description.policy, version);
  const keySet = await parts.keys.keySet(name);
  const { keys } = keySet;
  const faults = checkKeySet(keys, view === null ? [] : [view]).filter(
    ({ severity }) => severity === 'error',
  );
  if (!isUnsigned(keySet, policy) && (keys.length === 0 || faults.length > 0)) {
    const reason =
      keys.length === 0
        ? `it has no keys; make some with: zoneseal keys generate ${zone}`
        : faults.map((it) => it.message).join('; ');
    throw new ZonesealError('KEY_SET_INVALID', `zone ${zone}: ${reason}`, { zone: name });
  }
  const roles = signingKeys(keys, view);
  const privateKeys = await privateKeysOf(parts.config, [...roles.keySigning, ...roles.zoneSigning]);
  const now = await parts.store.time();
  const last = description.views.find((it) => it.view === view)?.lastSerial ?? null;
  const serial = nextSerial({ last, stored: await storedSerial(parts, name, view), now, policy });
  await writeSignedZone({
    zone,
    view,
    nodes: countNodes(loadNodes(parts.rrsets.readAll(name), { zone, view }), progress),
    found: { keys, privateKeys },
    deleteSentinel: keySet.deleteSentinel,
    policy,
    time: now,
    serial,
    sink,
    workers: parts.config.signing.workers,
  });
  hint(
    options,
    `zone ${zone}${view === null ? '' : ` in view ${view}`}: serial ${serial}, nothing is served yet`,
  );
}

/** The serial of the stored SOA; null where it cannot be read, which is for signing to say. */
async function storedSerial(
  { rrsets }: DatabaseParts,
  zone: string,
  view: string | null,
): Promise<number | null> {
  const [soa] = await rrsets.list(zone, { owner: zone, type: 'SOA', ...(view === null ? {} : { view }) });
  const [text] = soa?.data ?? [];
  if (text === undefined) return null;
  try {
    const rdata = parseRdataText(RRType.SOA, text);
    return new DataView(rdata.buffer, rdata.byteOffset + rdata.length - 20).getUint32(0);
  } catch {
    return null;
  }
}
