import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { RCODE } from '../../src/dns/message.js';
import { TSIG_ERROR, type TsigKey } from '../../src/dns/tsig.js';
import { type Answer, query, type Signing, type Target, transfer } from '../lib/dns-client.js';
import { TOOLS } from '../lib/tools.js';

/** What a client asks for. */
export interface Asked {
  readonly zone: string;
  readonly type: 'SOA' | 'AXFR';
  readonly key: TsigKey;
}

/**
 * What came of it, in the words that all clients share. `result`: `ok` when every message was proved, else the TSIG
 * error or RCODE that the server said. `records` are those of all answers where it is ok. `serverTime` is that of a
 * BADTIME answer, where the client shows it; `isProved` whether the client found a refusal signed rightly, where it says.
 */
export interface Outcome {
  readonly result: string;
  readonly records: number;
  readonly serverTime?: number;
  readonly isProved?: boolean;
}

/** A program that asks a server, its request signed with a key. */
export interface Client {
  readonly name: string;
  ask(target: Target, asked: Asked): Promise<Outcome>;
}

function run(program: string, words: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(TOOLS[program]?.path ?? program, words, { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    child.once('error', reject);
    child.once('close', () => resolve(output));
    child.stdin.end(input);
  });
}

/** The words of `-y`: ALGORITHM:NAME:SECRET. `algorithm` may say a truncation that dig knows (hmac-sha256-128). */
function keyWord(key: TsigKey, algorithm: string = key.algorithm): string {
  return `${algorithm}:${key.name}:${Buffer.from(key.secret).toString('base64')}`;
}

const REFUSALS = [
  'BADKEY',
  'BADSIG',
  'BADTIME',
  'BADTRUNC',
  'FORMERR',
  'NOTAUTH',
  'REFUSED',
  'SERVFAIL',
] as const;

/** The error and other data of the TSIG line that dig and kdig print. */
function tsigLine(output: string): { error: string; other: string } | undefined {
  const match = /\sTSIG\s+\S+ \d+ \d+ \d+ (?:\S+ )*?\d+ ([A-Z]+) \d+[ ]?(\S*)/.exec(output);
  return match === null ? undefined : { error: match[1] as string, other: match[2] as string };
}

/** dig of BIND 9; `algorithm` as dig's -y knows it, for truncated MACs. */
export function dig(algorithm?: string): Client {
  return {
    name: algorithm === undefined ? 'dig' : `dig with ${algorithm}`,
    async ask(target, { zone, type, key }) {
      const words = [
        '-p',
        `${target.port}`,
        `@${target.host}`,
        '-y',
        keyWord(key, algorithm),
        '+tries=1',
        '+time=10',
      ];
      const output = await run('dig', [...words, '+onesoa', '+nosplit', zone, type]);
      const isProved = !/could not be validated|Couldn't verify/.test(output);
      const status = /status: ([A-Z]+)/.exec(output)?.[1];
      const line = tsigLine(output);
      if (line !== undefined && line.error !== 'NOERROR') {
        const time = Buffer.from(line.other, 'base64');
        return {
          result: line.error,
          records: 0,
          ...(time.length === 6 ? { serverTime: time.readUIntBE(0, 6) } : {}),
        };
      }
      if (status !== undefined && status !== 'NOERROR') return { result: status, records: 0 };
      if (line === undefined || !isProved || /Transfer failed/.test(output))
        return { result: 'failed', records: 0 };
      const size = /XFR size: (\d+) records/.exec(output)?.[1] ?? /ANSWER: (\d+)/.exec(output)?.[1];
      return { result: 'ok', records: Number(size) };
    },
  };
}

/** kdig of Knot DNS. */
export const kdig: Client = {
  name: 'kdig',
  async ask(target, { zone, type, key }) {
    const words = ['-p', `${target.port}`, `@${target.host}`, '-y', keyWord(key), '+retry=0', '+time=10'];
    const output = await run('kdig', [...words, zone, type]);
    const line = tsigLine(output);
    const said = /replied with error '([A-Z]+)'|status: ([A-Z]+)/.exec(output);
    const status = said?.[1] ?? said?.[2];
    if (status !== undefined && (REFUSALS as readonly string[]).includes(status)) {
      return {
        result: status,
        records: 0,
        ...(line !== undefined && /^\d{9,}$/.test(line.other) ? { serverTime: Number(line.other) } : {}),
        // with a MAC that verifies it complains of the time alone
        ...(type === 'SOA' && status === 'BADTIME'
          ? { isProved: /TSIG out of time window/.test(output) }
          : {}),
      };
    }
    if (/;; (WARNING|ERROR)/.test(output) || line?.error !== 'NOERROR')
      return { result: 'failed', records: 0 };
    const records = /(\d+) records\)/.exec(output)?.[1] ?? /ANSWER: (\d+)/.exec(output)?.[1];
    return { result: 'ok', records: Number(records) };
  },
};

const script = fileURLToPath(new URL('dnspython-client.py', import.meta.url));

/** python3-dnspython of Debian; `skewSeconds` is how far its clock is ahead. */
export function dnspython(skewSeconds = 0): Client {
  return {
    name: 'dnspython',
    async ask(target, { zone, type, key }) {
      const asked = {
        ...target,
        zone,
        type,
        keyName: key.name.toString(),
        algorithm: key.algorithm,
        secret: Buffer.from(key.secret).toString('base64'),
        skewSeconds,
      };
      const output = await run('/usr/bin/python3', [script], JSON.stringify(asked));
      const outcome = JSON.parse(output) as Outcome;
      // what it raises as PeerBadTime it has verified before
      return outcome.result === 'BADTIME' ? { ...outcome, isProved: true } : outcome;
    },
  };
}

const errorNames = new Map<number, string>(Object.entries(TSIG_ERROR).map(([name, value]) => [value, name]));
const rcodeNames = new Map<number, string>(Object.entries(RCODE).map(([name, value]) => [value, name]));

/** The client of these suites; `how` signs wrongly on purpose. */
export function ownClient(how: Omit<Signing, 'key'> = {}): Client {
  return {
    name: "the suites' client",
    async ask(target, { zone, type, key }) {
      const signing = { ...how, key };
      if (type === 'SOA') {
        const answer = await query(target, { name: zone, type, signing });
        return outcomeOf(answer, answer?.tsig?.status === 'signed', answer?.message.answer.length ?? 0);
      }
      const result = await transfer(target, { name: zone, signing });
      return outcomeOf(result.answers.at(-1), result.isWhole && result.isAuthentic, result.records.length);
    },
  };
}

function outcomeOf(last: Answer | undefined, isProved: boolean, records: number): Outcome {
  if (last === undefined) return { result: 'silence', records: 0 };
  const { tsig, message } = last;
  if (tsig?.status === 'refused') {
    return {
      result: errorNames.get(tsig.tsigError) ?? `TSIG error ${tsig.tsigError}`,
      records: 0,
      isProved: tsig.authentic,
      ...(tsig.serverTime === undefined ? {} : { serverTime: tsig.serverTime }),
    };
  }
  if (message.rcode !== RCODE.NOERROR)
    return { result: rcodeNames.get(message.rcode) ?? 'failed', records: 0 };
  return isProved ? { result: 'ok', records } : { result: 'failed', records: 0 };
}
