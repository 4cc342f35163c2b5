import { beforeAll, describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { formatRdata, parseRdataText } from '../../src/dns/rdata/index.js';
import { parseType } from '../../src/dns/types.js';
import type { ZoneNode } from '../../src/zone/node.js';
import { nodesOf } from '../zone/zone-text.js';
import { denialLines, nsec3Of, nsecOf, signedLines } from './chain-lines.js';
import { masterLines, readVector } from './vector-files.js';

const apex = Name.parse('example.');
const NSEC3 = { apex, iterations: 0, salt: new Uint8Array(0), ttl: 300 };

/** The lines of another signer, rdata in the form that Zoneseal prints it. */
function vectorLines(name: string): string[] {
  return readVector(name)
    .trim()
    .split('\n')
    .map((line) => {
      const [owner, ttl, type, ...rest] = line.trim().split(' ') as [string, string, string];
      if (type === 'RRSIG') return [owner, ttl, type, ...rest].join(' ');
      const number = parseType(type);
      return `${owner} ${ttl} ${type} ${formatRdata(number, parseRdataText(number, rest.join(' ')))}`;
    })
    .sort();
}

describe('the tricky zone is signed as ldns-signzone, dnssec-signzone and kzonesign sign it', () => {
  let nodes: ZoneNode[];
  beforeAll(async () => {
    nodes = await nodesOf('example.', masterLines(readVector('tricky.zone'), 'example.', 3600));
  });

  it('NSEC: same owners, next names, bitmaps, TTLs and signed RRsets', () => {
    const denial = nsecOf(nodes, apex, 300);
    expect([...denialLines(denial), ...signedLines(nodes, denial)].sort()).toEqual(
      vectorLines('tricky.nsec'),
    );
  });

  it('NSEC3: same hashes, empty non-terminals and bitmaps', () => {
    const denial = nsec3Of(nodes, { ...NSEC3, optOut: false });
    expect([...denialLines(denial), ...signedLines(nodes, denial)].sort()).toEqual(
      vectorLines('tricky.nsec3'),
    );
  });

  it('NSEC3 with opt-out: insecure delegations and their empty non-terminals left out', () => {
    const denial = nsec3Of(nodes, { ...NSEC3, optOut: true });
    expect([...denialLines(denial), ...signedLines(nodes, denial)].sort()).toEqual(
      vectorLines('tricky.opt-out'),
    );
  });
});
