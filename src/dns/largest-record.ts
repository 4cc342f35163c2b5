import { EDNS_OPTION, type Edns, ednsLength } from './edns.js';
import { HEADER_OCTETS, MAX_MESSAGE_OCTETS } from './message.js';
import { MAX_NAME_OCTETS, type Name } from './name.js';
import { TSIG_ALGORITHMS, tsigAlgorithmInfo } from './tsig-key.js';
import { tsigRecordLength } from './tsig-record.js';

/** The OPT record that a transfer's first message gets at sending: EXPIRE may be in it (RFC 7314). */
const TRANSFER_EDNS: Edns = {
  udpSize: 0,
  extendedRcode: 0,
  version: 0,
  dnssecOk: false,
  options: [{ code: EDNS_OPTION.EXPIRE, data: new Uint8Array(4) }],
};

/** What sending puts at the end of a transfer's message at most: TSIG with the longest key name and MAC, and OPT. */
export const SENDING_RESERVE_OCTETS =
  ednsLength(TRANSFER_EDNS) +
  Math.max(
    ...TSIG_ALGORITHMS.map((algorithm) => {
      const { name, octets } = tsigAlgorithmInfo(algorithm);
      const mac = new Uint8Array(octets);
      const keyName = { wire: new Uint8Array(MAX_NAME_OCTETS) };
      return tsigRecordLength({
        keyName: keyName as Name,
        algorithmName: name,
        mac,
        other: new Uint8Array(0),
      });
    }),
  );

/** Type, class, TTL and the length of the rdata (RFC 1035 §4.1.3). */
const FIXED_OCTETS = 10;

/** The most octets of rdata that one record can have and still be transferred: alone in a message, with its TSIG. */
export function maxRdataOctets(owner: Name): number {
  return MAX_MESSAGE_OCTETS - HEADER_OCTETS - SENDING_RESERVE_OCTETS - owner.wire.length - FIXED_OCTETS;
}
