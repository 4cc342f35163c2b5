import { ZonesealError } from '../errors.js';
import { Name } from './name.js';
import { RRClass, RRType } from './types.js';

/** A TSIG record as it stands in a message (RFC 8945 §4.2). */
export interface TsigRecord {
  readonly keyName: Name;
  readonly algorithmName: Name;
  /** Seconds since 1970 (UTC), 48 bits. */
  readonly timeSigned: number;
  /** Seconds that clocks may differ. */
  readonly fudge: number;
  readonly mac: Uint8Array;
  readonly originalId: number;
  /** Zero, or one of TSIG_ERROR. */
  readonly error: number;
  /** The server's time in six octets where the error is BADTIME. */
  readonly other: Uint8Array;
}

/** Values of a TSIG record's error field (RFC 8945 §3 and §5.2). */
export const TSIG_ERROR = { BADSIG: 16, BADKEY: 17, BADTIME: 18, BADTRUNC: 22 } as const;

/** Seconds that clocks may differ in what is signed here (RFC 8945 §10 recommends 300). */
export const TSIG_FUDGE = 300;

/**
 * Reads a TSIG record's rdata, strictly: the algorithm name is not compressed and nothing follows Other Data.
 * @throws ZonesealError MESSAGE_INVALID or NAME_INVALID
 */
export function parseTsigRdata(keyName: Name, rdata: Uint8Array): TsigRecord {
  const algorithmName = Name.readWire(rdata, 0);
  let at = algorithmName.wire.length;
  const view = new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength);
  if (at + 10 > rdata.length) fail();
  const timeSigned = view.getUint16(at) * 0x1_0000_0000 + view.getUint32(at + 2);
  const fudge = view.getUint16(at + 6);
  const macEnd = at + 10 + view.getUint16(at + 8);
  if (macEnd + 6 > rdata.length) fail();
  const mac = rdata.slice(at + 10, macEnd);
  at = macEnd;
  const originalId = view.getUint16(at);
  const error = view.getUint16(at + 2);
  if (at + 6 + view.getUint16(at + 4) !== rdata.length) fail();
  const other = rdata.slice(at + 6);
  return { keyName, algorithmName, timeSigned, fudge, mac, originalId, error, other };
}

/** The octets that a TSIG record takes at the end of a message. */
export function tsigRecordLength(
  record: Pick<TsigRecord, 'keyName' | 'algorithmName' | 'mac' | 'other'>,
): number {
  return (
    record.keyName.wire.length +
    10 +
    record.algorithmName.wire.length +
    16 +
    record.mac.length +
    record.other.length
  );
}

/**
 * A copy of a message with a TSIG record put at its end and counted in ARCOUNT; names in lower case, uncompressed.
 * @throws ZonesealError MESSAGE_TOO_LARGE beyond 65,535 octets
 */
export function appendTsigRecord(message: Uint8Array, record: TsigRecord): Uint8Array {
  const out = new Uint8Array(message.length + tsigRecordLength(record));
  if (out.length > 0xffff) {
    throw new ZonesealError(
      'MESSAGE_TOO_LARGE',
      `a message of ${message.length} octets leaves no room for its TSIG`,
      {
        octets: message.length,
      },
    );
  }
  out.set(message);
  const view = new DataView(out.buffer);
  view.setUint16(10, view.getUint16(10) + 1);
  let at = message.length;
  const key = record.keyName.toLower().wire;
  const algorithm = record.algorithmName.toLower().wire;
  out.set(key, at);
  at += key.length;
  view.setUint16(at, RRType.TSIG);
  view.setUint16(at + 2, RRClass.ANY);
  view.setUint32(at + 4, 0);
  view.setUint16(at + 8, out.length - at - 10);
  at += 10;
  out.set(algorithm, at);
  at += algorithm.length;
  writeTime(view, at, record.timeSigned);
  view.setUint16(at + 6, record.fudge);
  view.setUint16(at + 8, record.mac.length);
  out.set(record.mac, at + 10);
  at += 10 + record.mac.length;
  view.setUint16(at, record.originalId);
  view.setUint16(at + 2, record.error);
  view.setUint16(at + 4, record.other.length);
  out.set(record.other, at + 6);
  return out;
}

/** Seconds since 1970 as the 48-bit number of TSIG records. */
export function writeTime(view: DataView, at: number, seconds: number): void {
  view.setUint16(at, Math.floor(seconds / 0x1_0000_0000));
  view.setUint32(at + 2, seconds % 0x1_0000_0000);
}

/** The 48-bit time in a BADTIME answer's Other Data, in seconds; undefined when that is not six octets. */
export function readOtherTime(other: Uint8Array): number | undefined {
  if (other.length !== 6) return undefined;
  const view = new DataView(other.buffer, other.byteOffset, 6);
  return view.getUint16(0) * 0x1_0000_0000 + view.getUint32(2);
}

function fail(): never {
  throw new ZonesealError('MESSAGE_INVALID', 'the TSIG record is malformed', { reason: 'malformed TSIG' });
}
