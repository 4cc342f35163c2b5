/**
 * Makes test/vectors/rdata.tsv: `npx tsx interop/codecs/make-rdata-vectors.ts > test/vectors/rdata.tsv`. Each line of
 * rdata-cases.txt is given to named-compilezone and, where it knows the type, to dnspython; they have to agree.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { RRType, typeFromText } from '../../src/dns/types.js';
import { octetsByBind, octetsByDnspython, PROLOGUE } from './rdata-programs.js';

const folder = mkdtempSync(path.join(tmpdir(), 'zoneseal-vectors-'));
const cases = readFileSync(new URL('../../test/vectors/rdata-cases.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));

function byBind(line: string): string {
  const [mnemonic, text] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)];
  const type = typeFromText(mnemonic);
  if (type === RRType.SOA) {
    const zone = PROLOGUE.replace(/SOA\t.*/, () => `SOA\t${text}`);
    return octetsByBind(folder, `$ORIGIN example.\n${zone}`).get(`example. ${type}`) as string;
  }
  return octetsByBind(folder, `${PROLOGUE}$ORIGIN example.\nx 300 ${line}\n`).get(
    `x.example. ${type}`,
  ) as string;
}

const version = spawnSync('named-compilezone', ['-v'], { encoding: 'utf8' }).stdout.trim();
console.log(`# TYPE, rdata in hexadecimal, text. Made by named-compilezone ${version} and dnspython:`);
console.log('# npx tsx interop/codecs/make-rdata-vectors.ts > test/vectors/rdata.tsv');
const python = octetsByDnspython(cases);
for (const [i, line] of cases.entries()) {
  const bind = byBind(line);
  if (python[i] !== undefined && python[i] !== bind) {
    throw new Error(`${line}\nnamed-compilezone ${bind}\ndnspython         ${python[i]}`);
  }
  console.log(line.replace(' ', () => `\t${bind}\t`));
}
rmSync(folder, { recursive: true });
