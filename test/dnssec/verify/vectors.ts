import { readFile } from 'node:fs/promises';
import { type MasterRecord, parseMasterFile } from '../../../src/dns/master-file.js';
import { Name } from '../../../src/dns/name.js';

/** When the signatures of the vectors are valid: 2027-01-15, seconds since 1970; they are for a day before and 30 after. */
export const VECTOR_NOW = 1_799_971_200;

interface VectorJob {
  /** The file in test/vectors/verify, without `.zone`. */
  readonly name: string;
  readonly signer: 'dnssec-signzone' | 'ldns-signzone' | 'kzonesign';
  readonly algorithms: readonly number[];
  readonly denial: 'nsec' | 'nsec3' | 'opt-out';
  readonly csk?: boolean;
  readonly zonemd?: 'sha384' | 'sha512';
}

/** Zones that other programs signed; interop/codecs/make-verify-vectors.ts makes them. */
export const VECTORS: readonly VectorJob[] = [
  { name: 'bind-nsec-8', signer: 'dnssec-signzone', algorithms: [8], denial: 'nsec' },
  { name: 'bind-nsec3-13', signer: 'dnssec-signzone', algorithms: [13], denial: 'nsec3' },
  { name: 'bind-opt-out-15', signer: 'dnssec-signzone', algorithms: [15], denial: 'opt-out' },
  { name: 'bind-csk-14', signer: 'dnssec-signzone', algorithms: [14], denial: 'nsec', csk: true },
  { name: 'bind-two-13-15', signer: 'dnssec-signzone', algorithms: [13, 15], denial: 'nsec' },
  { name: 'ldns-nsec-13', signer: 'ldns-signzone', algorithms: [13], denial: 'nsec' },
  { name: 'ldns-nsec3-16', signer: 'ldns-signzone', algorithms: [16], denial: 'nsec3', zonemd: 'sha384' },
  {
    name: 'ldns-csk-10',
    signer: 'ldns-signzone',
    algorithms: [10],
    denial: 'nsec',
    csk: true,
    zonemd: 'sha512',
  },
  { name: 'ldns-opt-out-13', signer: 'ldns-signzone', algorithms: [13], denial: 'opt-out' },
  { name: 'knot-nsec-13', signer: 'kzonesign', algorithms: [13], denial: 'nsec', zonemd: 'sha384' },
  {
    name: 'knot-nsec3-15',
    signer: 'kzonesign',
    algorithms: [15],
    denial: 'nsec3',
    csk: true,
    zonemd: 'sha512',
  },
  { name: 'knot-opt-out-13', signer: 'kzonesign', algorithms: [13], denial: 'opt-out' },
];

export const APEX = Name.parse('example.');

/** The records of a vector. */
export async function readVector(name: string): Promise<MasterRecord[]> {
  const file = new URL(`../../vectors/verify/${name}.zone`, import.meta.url);
  return readRecords(await readFile(file, 'utf8'), name);
}

/** The records of a master file. */
export async function readRecords(text: string, file: string, origin = APEX): Promise<MasterRecord[]> {
  const records: MasterRecord[] = [];
  for await (const record of parseMasterFile([text], { origin, file })) records.push(record);
  return records;
}
