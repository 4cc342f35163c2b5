import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RRType } from '../../src/dns/types.js';
import { askDelv, type Finding } from '../lib/delv.js';
import { query } from '../lib/dns-client.js';
import { queryWithDo } from '../lib/dnssec-query.js';
import type { Secondary } from '../lib/secondary.js';
import { tracesIn } from './content.js';
import type { Lab, Served } from './lab.js';
import { type AskedQuestion, questionsOf } from './questions.js';
import { rrsetsOf, type SplitZone, type StoredRRset, secureChildOf, sees, type View } from './zones.js';

/** What is stored for a view, with the DS of the signed child. */
export function seenBy(lab: Lab, view: View, { name }: SplitZone): StoredRRset[] {
  const data = (lab.ds.get(secureChildOf(name)) ?? []).map((line) => line.replace(/^.*\sDS\s+/, ''));
  const ds: StoredRRset = { owner: secureChildOf(name), ttl: 300, type: 'DS', data, views: null };
  return [...rrsetsOf(name), ds].filter((rrset) => sees(view, rrset));
}

/** What a nameserver answers for a name below a zone cut. */
export async function referral(
  secondary: Secondary,
  child: string,
): Promise<{
  rcode: number | undefined;
  answers: number | undefined;
  types: number[];
  glue: number;
}> {
  const message = await queryWithDo(
    secondary.target,
    { name: `host.${child}`, type: 'A' },
    { recursionDesired: false },
  );
  return {
    rcode: message?.rcode,
    answers: message?.answer.length,
    types: message?.authority.map(({ type }) => type) ?? [],
    glue: message?.additional.length ?? 0,
  };
}

/** What is wrong with a finding; nothing when all is as it has to be. */
export function faultsOf(question: AskedQuestion, finding: Finding, security: readonly string[]): string[] {
  const expected = question.isInsecure === true ? ['insecure'] : security;
  const isRight =
    finding.outcome === question.outcome &&
    expected.includes(finding.security) &&
    finding.text.includes(question.rdata ?? '');
  if (isRight) return [];
  const { what, name, type, outcome, rdata } = question;
  return [
    `${what}: ${name} ${type} is ${finding.outcome}, ${finding.security}, not ${outcome}, ${expected.join(' or ')} ${rdata ?? ''}\n${finding.text}`,
  ];
}

/** What of the internal view is found in the files of a folder. */
export function tracesInFolder(folder: string): string[] {
  return [...filesIn(folder)].flatMap(([file, octets]) =>
    tracesIn(octets).map((trace) => `${file}: ${trace}`),
  );
}

/** Whether a text is in one of the files of a folder. */
export function isInFolder(folder: string, text: string): boolean {
  return [...filesIn(folder).values()].some((octets) => octets.includes(text));
}

function filesIn(folder: string): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, file);
    try {
      if (statSync(path).isFile()) files.set(file, readFileSync(path));
    } catch (error) {
      // servers write beside a file and then rename
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return files;
}

/** What is wrong with what the resolver before a secondary finds in zones. */
export async function unboundFaults(
  { resolver, view }: Served,
  zones: readonly SplitZone[],
): Promise<string[]> {
  const faults: string[] = [];
  for (const zone of zones) {
    for (const question of questionsOf(zone, view)) {
      // RFC 5155 §9.2: what a span with opt-out denies is not secure
      const isByOptOut = zone.isOptOut && question.isBySpan === true;
      const finding = await resolver.ask(question);
      faults.push(...faultsOf(question, finding, isByOptOut ? ['insecure'] : ['secure']));
    }
  }
  return faults;
}

/** What is wrong with delv's finding about a zone's secondary. */
export async function delvFaults(
  lab: Lab,
  zone: SplitZone,
  secondary: Secondary,
  question: AskedQuestion,
): Promise<string[]> {
  const finding = await askDelv(secondary.target, question, {
    zone: zone.name,
    file: lab.anchorFile(zone.name),
  });
  // RFC 5155 §9.2 has what a span with opt-out denies insecure; delv says so of wildcards alone
  const isByOptOut = zone.isOptOut && question.isBySpan === true;
  return faultsOf(question, finding, isByOptOut ? ['secure', 'insecure'] : ['secure']);
}

/** The IPv4 addresses that a nameserver answers for a name, in order, with spaces between them. */
export async function addressesOf(secondary: Secondary, name: string): Promise<string> {
  const answer = await query(secondary.target, { name, type: 'A' });
  const records = answer?.message.answer.filter(({ type }) => type === RRType.A) ?? [];
  return records
    .map(({ rdata }) => rdata.join('.'))
    .sort()
    .join(' ');
}
