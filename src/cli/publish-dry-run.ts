import { formatRecord } from '../dns/master-writer.js';
import type { Name } from '../dns/name.js';
import { typeToText } from '../dns/types.js';
import { ZonesealError } from '../errors.js';
import type { Preview } from '../gateway-store.js';
import type { DryRun, DryRunChange } from '../publication/dry-run.js';
import { type DatabaseParts, withDatabase } from './database.js';
import { EXIT_CODES, Exit } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { hint, judgedPolicy } from './stored-zone.js';
import { printJson, printLines, say } from './terminal.js';
import { plural, problemLine } from './zone-file.js';

interface DryRunOptions extends GlobalOptions {
  readonly view?: string;
  readonly limit: number;
  readonly json?: true;
}

/** What one view would get. */
interface ViewResult {
  readonly view: string;
  readonly preview: Preview;
  /** Undefined where an error would stop it. */
  readonly run?: DryRun;
  readonly error?: ZonesealError;
}

/** Prints what a publication of the newest data would change in each view. @throws Exit when an error would stop one */
export async function printDryRun(zone: Name, options: DryRunOptions): Promise<void> {
  let hasErrors = false;
  const results: object[] = [];
  await withDatabase(options, async (parts) => {
    const { name, views } = await parts.zones.showZone(zone.toString());
    const wanted = options.view === undefined ? views.map(({ view }) => view) : [options.view];
    if (wanted.length === 0) {
      throw new ZonesealError(
        'NOT_HELD',
        `zone ${name} is in no view; serve it with: zoneseal view assign ${name} VIEW`,
        { zone: name },
      );
    }
    const warnings = (await judgedPolicy(parts, zone)).filter(({ severity }) => severity === 'warning');
    if (options.json !== true) for (const problem of warnings) hint(options, problemLine(problem));
    for (const view of wanted) {
      const result = await runView(parts, name, view, options.limit);
      hasErrors ||= result.error !== undefined;
      if (options.json === true) results.push({ ...jsonOf(result), warnings });
      else await print(name, result);
    }
  });
  if (options.json === true) await printJson(results);
  else hint(options, 'nothing was published');
  if (hasErrors) throw new Exit(EXIT_CODES.REFUSED.code);
}

/** Attempts where the zone is written to, or a gateway publishes it, meanwhile. */
const ATTEMPTS = 3;

async function runView(
  { operators, store }: DatabaseParts,
  zone: string,
  view: string,
  limit: number,
): Promise<ViewResult> {
  // loaded where they are needed: they take longer than most commands do
  const [{ dryRun }, { FORMAT_VERSION }] = await Promise.all([
    import('../publication/dry-run.js'),
    import('../publication/produce.js'),
  ]);
  for (let attempt = 1; ; attempt++) {
    const preview = await operators.preview(zone, view, FORMAT_VERSION);
    const { publication } = preview;
    let result: ViewResult;
    try {
      result = { view, preview, run: await dryRun(publication, store.publications, { limit }) };
    } catch (error) {
      if (!(error instanceof ZonesealError) || error.code.startsWith('DATABASE_')) throw error;
      result = { view, preview, error };
    }
    const now = (await operators.preview(zone, view, FORMAT_VERSION)).publication;
    const isSame = now.previous === publication.previous && now.zoneVersion === publication.zoneVersion;
    if (isSame || attempt === ATTEMPTS) return result;
  }
}

function jsonOf({ view, preview, run, error }: ViewResult): object {
  const { publication, frozenVersion, isDue } = preview;
  const { serial, zoneVersion, cause } = publication;
  const common = { view, zoneVersion, frozenVersion, isDue, cause, serial };
  if (error !== undefined || run === undefined) {
    return { ...common, ok: false, error: { code: error?.code, message: error?.message } };
  }
  const { isChanged, isCut, difference, records, signatures, reused, base } = run;
  return {
    ...common,
    ok: true,
    served: base === undefined ? null : { serial: base.serial, zoneVersion: base.zoneVersion },
    isChanged,
    removed: difference?.removed ?? null,
    added: difference?.added ?? null,
    journalOctets: difference?.octets ?? null,
    records,
    signatures,
    reused,
    isCut,
    changes: run.changes.map(changeJson),
  };
}

function changeJson(change: DryRunChange): object {
  if (change.kind === 'signed') {
    return { kind: change.kind, owner: change.owner.toString(), type: typeToText(change.type) };
  }
  const { owner, type } = change.record;
  return {
    kind: change.kind,
    owner: owner.toString(),
    type: typeToText(type),
    record: recordText(change.record),
  };
}

function recordText({ owner, ttl, type, rdata }: (DryRunChange & { kind: 'added' })['record']): string {
  return formatRecord(owner, ttl, type, rdata[0] as Uint8Array);
}

async function print(zone: string, { view, preview, run, error }: ViewResult): Promise<void> {
  const { publication, frozenVersion } = preview;
  const held = frozenVersion === null ? '' : `, which waits: the zone is frozen at version ${frozenVersion}`;
  if (error !== undefined || run === undefined) {
    say(`zoneseal: zone ${zone} in view ${view}: version ${publication.zoneVersion} cannot be published`);
    say(`zoneseal: ${error?.message}`);
    return;
  }
  const { base, difference, records, signatures, reused, isCut } = run;
  const from = base === undefined ? 'nothing yet' : `serial ${base.serial}, version ${base.zoneVersion}`;
  await printLines([`view ${view}: served ${from}; newest version ${publication.zoneVersion}${held}`]);
  if (!run.isChanged) {
    await printLines(['nothing would change']);
    return;
  }
  await printLines(run.changes.map(changeLine));
  if (isCut) await printLines(['; and more, see --limit']);
  const counts =
    difference === undefined
      ? `${plural(records, 'record')} in all`
      : `${plural(difference.removed, 'record')} removed, ${difference.added} added, signatures among them (${difference.octets} octets), ${records} in all`;
  await printLines([`${counts}; ${plural(signatures, 'signature')} made, ${reused} used again`]);
}

function changeLine(change: DryRunChange): string {
  if (change.kind === 'signed') return `~ ${change.owner} ${typeToText(change.type)} signed anew`;
  return `${change.kind === 'added' ? '+' : '-'} ${recordText(change.record)}`;
}
