import { type Command, Option } from 'commander';
import { Name } from '../dns/name.js';
import { formatRdata, parseRdataText } from '../dns/rdata/index.js';
import { typeToText } from '../dns/types.js';
import { errorMessage, ZonesealError } from '../errors.js';
import type { RrsetFilter } from '../gateway-store.js';
import { GENERATED_REASON, isGeneratedType } from '../zone/generated.js';
import type { RowContent, ZoneRow } from '../zone/row.js';
import { sameViews } from '../zone/row-diff.js';
import { sortRdata } from '../zone/rrset.js';
import {
  jsonOption,
  nameArgument,
  ttlArgument,
  typeArgument,
  viewArgument,
  viewsArgument,
} from './arguments.js';
import { withDatabase } from './database.js';
import { UsageError } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { refuseNewErrors } from './rrset-judgement.js';
import { filterRows, hint, tagText } from './stored-zone.js';
import { printJson, printLines } from './terminal.js';

interface WriteOptions extends GlobalOptions {
  readonly view?: readonly string[];
  readonly json?: true;
}

interface SetOptions extends WriteOptions {
  readonly ttl?: number;
}

interface DeleteOptions extends WriteOptions {
  readonly untagged?: true;
}

interface ListOptions extends GlobalOptions {
  readonly view?: string;
  readonly json?: true;
}

/** TTL of an RRset that is new and is given none. */
const DEFAULT_TTL = 3600;

const OWNER = 'its owner: relative to the zone, or absolute with a dot at the end; @ for the zone itself';

/** Adds `rrset` and its subcommands. */
export function addRrsetCommands(program: Command): void {
  const rrset = program.command('rrset').summary('records of zones in the database');
  rrset
    .command('set')
    .summary('add or change an RRset')
    .description(
      'Adds an RRset, or gives the one there is other records. The zone is judged first as every view would see it afterwards: what makes an error is refused, what makes a warning is told.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .argument('<owner>', OWNER)
    .argument('<type>', 'such as A or TYPE65280', typeArgument)
    .argument(
      '<data...>',
      'one record each in presentation format, names relative to the zone or absolute; all that the RRset has',
    )
    .option('--ttl <ttl>', 'its TTL (default: that of the RRset there is, or 1h)', ttlArgument)
    .option(
      '--view <view>',
      'for this view alone; may be given several times (default: for all)',
      viewsArgument,
    )
    .addOption(jsonOption())
    .action(
      async (zone: Name, owner: string, type: number, data: readonly string[], _: unknown, self: Command) => {
        await set(zone, parseOwner(owner, zone), type, data, self.optsWithGlobals<SetOptions>());
      },
    );
  rrset
    .command('delete')
    .summary('delete RRsets')
    .description(
      'Deletes the RRsets of an owner, of one type or of all. What makes an error in a view is refused, what makes a warning is told.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .argument('<owner>', OWNER)
    .argument('[type]', 'this type alone', typeArgument)
    .option(
      '--view <view>',
      'those for exactly this view; may be given several times (default: whatever views they are for)',
      viewsArgument,
    )
    .addOption(new Option('--untagged', 'those for all views alone').conflicts('view'))
    .addOption(jsonOption())
    .action(async (zone: Name, owner: string, type: number | undefined, _: unknown, self: Command) => {
      await remove(zone, parseOwner(owner, zone), type, self.optsWithGlobals<DeleteOptions>());
    });
  rrset
    .command('list')
    .summary('list RRsets')
    .description(
      'Lists the RRsets of a zone as they are stored, or those of an owner, or of an owner and type, with the views they are for.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .argument('[owner]', OWNER)
    .argument('[type]', 'this type alone', typeArgument)
    .option('--view <view>', 'those that this view sees', viewArgument)
    .addOption(jsonOption())
    .action(
      async (zone: Name, owner: string | undefined, type: number | undefined, _: unknown, self: Command) => {
        const name = owner === undefined ? undefined : parseOwner(owner, zone);
        await list(zone, name, type, self.optsWithGlobals<ListOptions>());
      },
    );
}

function parseOwner(text: string, zone: Name): Name {
  try {
    return Name.parse(text, zone);
  } catch (error) {
    throw new UsageError(`owner "${text}": ${errorMessage(error)}`);
  }
}

async function set(
  zone: Name,
  owner: Name,
  type: number,
  data: readonly string[],
  options: SetOptions,
): Promise<void> {
  const views = options.view?.toSorted() ?? null;
  const typeText = typeToText(type);
  if (isGeneratedType(type, owner.equals(zone))) {
    throw new ZonesealError('ZONE_INVALID', `zone ${zone}: ${owner} ${typeText}: ${GENERATED_REASON}`, {
      zone: zone.toString(),
      owner: owner.toString(),
      type: typeText,
    });
  }
  const rdata = data.map((text) => parseRecord(zone, owner, type, text));
  await withDatabase(options, async (parts) => {
    const filter = { owner: owner.toString(), type: typeText, tag: views };
    const [present] = await parts.rrsets.list(zone.toString(), filter);
    const row: ZoneRow = {
      owner: owner.toString(),
      sortKey: owner.sortKey(),
      type: typeText,
      ttl: options.ttl ?? present?.ttl ?? DEFAULT_TTL,
      data: sortRdata(type, rdata).map((octets) => formatRdata(type, octets)),
      views,
    };
    const isTaken = (other: ZoneRow): boolean => matches(other, owner, type, views);
    const taken = present === undefined ? [] : [present];
    const edit = { owner, isTaken, taken, added: [row], views: options.view ?? [] };
    await refuseNewErrors(parts, zone, edit, options);
    const { outcome, version } = await parts.rrsets.set(zone.toString(), row);
    if (options.json === true) await printJson({ ...rowJson(row), outcome, version });
    else
      hint(
        options,
        `zone ${zone}: ${owner} ${typeText} for ${tagText(views)} ${outcome}; version ${version}`,
      );
  });
}

function parseRecord(zone: Name, owner: Name, type: number, text: string): Uint8Array {
  try {
    return parseRdataText(type, text, zone);
  } catch (error) {
    const about = { zone: zone.toString(), owner: owner.toString(), type: typeToText(type) };
    throw new ZonesealError(
      'RDATA_INVALID',
      `zone ${zone}: ${owner} "${text}": ${errorMessage(error)}`,
      about,
    );
  }
}

async function remove(
  zone: Name,
  owner: Name,
  type: number | undefined,
  options: DeleteOptions,
): Promise<void> {
  const tag = options.untagged === true ? null : options.view?.toSorted();
  const filter: RrsetFilter & { owner: string } = {
    owner: owner.toString(),
    ...(type === undefined ? {} : { type: typeToText(type) }),
    ...(tag === undefined ? {} : { tag }),
  };
  await withDatabase(options, async (parts) => {
    const found = await parts.rrsets.list(zone.toString(), filter);
    if (found.length === 0) {
      const what = `${owner}${type === undefined ? '' : ` ${typeToText(type)}`}${tag === undefined ? '' : ` for ${tagText(tag)}`}`;
      throw new ZonesealError(
        'NOT_HELD',
        `zone ${zone}: there is no ${what}; see: zoneseal rrset list ${zone} ${owner}`,
        {
          zone: zone.toString(),
          owner: owner.toString(),
        },
      );
    }
    const isTaken = (row: ZoneRow): boolean => matches(row, owner, type, tag);
    const edit = { owner, isTaken, taken: found, added: [], views: options.view ?? [] };
    await refuseNewErrors(parts, zone, edit, options);
    const { deleted, version } = await parts.rrsets.delete(zone.toString(), filter);
    if (options.json === true) {
      await printJson({ deleted: deleted.map(rowJson), version });
      return;
    }
    for (const row of deleted)
      hint(options, `zone ${zone}: ${row.owner} ${row.type} for ${tagText(row.views)} deleted`);
    hint(options, `zone ${zone}: version ${version}`);
  });
}

/** Whether a row is of an owner, type and tag, as far as they are given. */
function matches(
  row: ZoneRow,
  owner: Name,
  type: number | undefined,
  tag: readonly string[] | null | undefined,
): boolean {
  if (Buffer.compare(row.sortKey, owner.sortKey()) !== 0) return false;
  if (type !== undefined && row.type !== typeToText(type)) return false;
  return tag === undefined || sameViews(row.views, tag);
}

async function list(
  zone: Name,
  owner: Name | undefined,
  type: number | undefined,
  options: ListOptions,
): Promise<void> {
  const { view, json } = options;
  await withDatabase(options, async ({ rrsets }) => {
    const wanted = (row: ZoneRow): boolean =>
      view === undefined || row.views === null || row.views.includes(view);
    const batches =
      owner === undefined
        ? filterRows(rrsets.readAll(zone.toString()), wanted)
        : [
            await rrsets.list(zone.toString(), {
              owner: owner.toString(),
              ...(type === undefined ? {} : { type: typeToText(type) }),
              ...(view === undefined ? {} : { view }),
            }),
          ];
    const all: ZoneRow[] = [];
    for await (const rows of batches) {
      if (json === true) all.push(...rows);
      else await printLines(rows.flatMap(rowLines));
    }
    if (json === true) await printJson(all.map(rowJson));
  });
}

function rowLines({ owner, ttl, type, data, views }: ZoneRow): string[] {
  const tag = views === null ? '' : `\t; ${views.join(', ')}`;
  return data.map((text) => `${owner}\t${ttl}\tIN\t${type}\t${text}${tag}`);
}

function rowJson({ owner, type, ttl, data, views }: RowContent): object {
  return { owner, type, ttl, data, views };
}
