import type { Target } from './dns-client.js';
import { runProgram } from './processes.js';
import { TOOLS } from './tools.js';

const DELV = TOOLS['delv']?.path ?? 'delv';

/** What a validator found. */
export interface Finding {
  readonly outcome: 'answer' | 'nodata' | 'nxdomain' | 'failure';
  readonly security: 'secure' | 'insecure' | 'bogus';
  /** Everything that it said, for messages and for finding rdata in it. */
  readonly text: string;
}

/** A trust anchor file of BIND. @param ds DS records in presentation format, one a line, owner and class included */
export function bindAnchors(zone: string, ds: readonly string[]): string {
  const anchors = ds.map((line) => {
    const match = /\sDS\s+([0-9]+)\s+([0-9]+)\s+([0-9]+)\s+([0-9A-Fa-f ]+)$/.exec(line.trim());
    if (match === null) throw new Error(`no DS record: ${line}`);
    const [, tag, algorithm, digestType, digest] = match;
    return `"${zone}" static-ds ${tag} ${algorithm} ${digestType} "${(digest as string).replaceAll(' ', '')}";`;
  });
  return `trust-anchors { ${anchors.join(' ')} };\n`;
}

/** Has delv ask a nameserver and validate from the anchors of a zone. */
export async function askDelv(
  server: Target,
  question: { readonly name: string; readonly type: string },
  anchors: { readonly zone: string; readonly file: string },
): Promise<Finding> {
  const { stdout, stderr } = await runProgram(
    DELV,
    [
      `@${server.host}`,
      '-p',
      String(server.port),
      '-a',
      anchors.file,
      `+root=${anchors.zone}`,
      '+vtrace',
      '-q',
      question.name,
      '-t',
      question.type,
    ],
    { timeoutMilliseconds: 30_000 },
  );
  const text = `${stderr}${stdout}`;
  return { ...judge(text), text };
}

/** delv says of each RRset, aliases included, how far it is validated, and before all of it when a name or type is not there. */
function judge(text: string): Pick<Finding, 'outcome' | 'security'> {
  const said = [...text.matchAll(/^; (?:negative response, )?([a-z ]+)$/gm)].map(([, words]) => words);
  const absence = /^;; resolution failed: ncache (nxdomain|nxrrset)$/m.exec(text)?.[1];
  if (said.length === 0) return { outcome: 'failure', security: 'bogus' };
  let outcome: Finding['outcome'] = 'answer';
  if (absence !== undefined) outcome = absence === 'nxdomain' ? 'nxdomain' : 'nodata';
  if (said.every((words) => words === 'fully validated')) return { outcome, security: 'secure' };
  const isValid = said.every((words) => words === 'fully validated' || words === 'unsigned answer');
  return { outcome, security: isValid ? 'insecure' : 'bogus' };
}
