import type { Field } from './field.js';
import { formatServiceKey, parseServiceKey, SERVICE_VALUES, ServiceKey } from './service-keys.js';
import { quoteOctets, writeUnescaped } from './strings.js';
import type { Token, TokenReader } from './tokens.js';
import { copyOctets, WireReader, WireWriter } from './wire.js';

interface ServiceParameter {
  readonly key: number;
  readonly octets: Uint8Array;
}

const COMMA = 0x2c;
const BACKSLASH = 0x5c;

const valueWriter = new WireWriter();

/** The octets that the value of a token stands for, the escapes of a character string undone (RFC 9460 Appendix A). */
function unescapedValue(tokens: TokenReader, token: Token, from: number): Uint8Array {
  valueWriter.reset();
  writeUnescaped(tokens, token, from, valueWriter);
  return valueWriter.finish() ?? tokens.failToken(token, 'has a value of more than 65535 octets');
}

function parseParameter(tokens: TokenReader, token: Token): ServiceParameter {
  const { text } = token;
  const equals = text.indexOf('=');
  if (token.valueAt !== undefined && token.valueAt !== equals + 1) {
    tokens.failToken(token, 'has a quotation mark inside its value; write it as \\"');
  }
  const name = equals < 0 ? text : text.slice(0, equals);
  const key = parseServiceKey(name);
  if (key === undefined) return tokens.failToken(token, 'is no service parameter: a known key or keyNNNNN');
  const octets = equals < 0 ? new Uint8Array(0) : unescapedValue(tokens, token, equals + 1);
  const known = SERVICE_VALUES[key];
  // a key written as keyNNNNN has the octets of its value as they are on the wire
  if (known === undefined || name.toLowerCase() !== known.name) return { key, octets };
  const value = Buffer.from(octets).toString('latin1');
  const encoded = known.parse(value);
  if (encoded === undefined)
    return tokens.failToken(token, `has no value of ${known.name}: ${known.expected}`);
  return { key, octets: copyOctets(encoded) };
}

function formatParameter({ key, octets }: ServiceParameter): string {
  const known = SERVICE_VALUES[key];
  const name = formatServiceKey(key);
  if (known === undefined || known.formatGeneric)
    return octets.length === 0 ? name : `${name}=${quoteOctets(octets)}`;
  const value = known.format(octets);
  return value === undefined ? name : `${name}=${quoteOctets(Buffer.from(value, 'latin1'))}`;
}

/** Reads the parameters: keys strictly ascending, each value valid for its key (RFC 9460 §2.2). */
function readParameters(wire: WireReader): ServiceParameter[] {
  const parameters: ServiceParameter[] = [];
  let previous = -1;
  while (wire.remaining > 0) {
    const key = wire.u16();
    const octets = wire.take(wire.u16());
    if (key <= previous)
      wire.fail('its service parameters are not in ascending order of their keys, each once');
    if (key === 0xffff) wire.fail('65535 is no key of a service parameter');
    const known = SERVICE_VALUES[key];
    if (known?.isValid(octets) === false) wire.fail(`the value of ${known.name} is not ${known.expected}`);
    parameters.push({ key, octets });
    previous = key;
  }
  const reason = brokenRule(parameters);
  if (reason !== undefined) wire.fail(reason);
  return parameters;
}

/** Rules between parameters: mandatory keys are there (RFC 9460 §8), no-default-alpn comes with alpn (§7.1.1). */
function brokenRule(parameters: readonly ServiceParameter[]): string | undefined {
  const present = new Set(parameters.map(({ key }) => key));
  if (present.has(ServiceKey.noDefaultAlpn) && !present.has(ServiceKey.alpn))
    return 'no-default-alpn needs alpn';
  const first = parameters[0];
  if (first?.key !== ServiceKey.mandatory) return undefined;
  for (let at = 0; at < first.octets.length; at += 2) {
    const key = (first.octets[at] as number) * 256 + (first.octets[at + 1] as number);
    if (!present.has(key)) return `mandatory lists ${formatServiceKey(key)}, which is missing`;
  }
  return undefined;
}

/** The service parameters of SVCB and HTTPS up to the end of the rdata. */
export const serviceParameters: Field = {
  parse: (tokens, out) => {
    const parameters = new Map<number, ServiceParameter>();
    while (!tokens.atEnd) {
      const token = tokens.parameter('a service parameter');
      const parameter = parseParameter(tokens, token);
      if (parameters.has(parameter.key)) tokens.failToken(token, 'has a key that was there before');
      parameters.set(parameter.key, parameter);
    }
    for (const { key, octets } of [...parameters.values()].sort((a, b) => a.key - b.key)) {
      out.u16(key);
      out.u16(octets.length);
      out.bytes(octets);
    }
  },
  format: (wire) => readParameters(wire).map(formatParameter).join(' '),
  check: (wire) => {
    readParameters(wire);
  },
};

/**
 * Whether well-formed rdata has a protocol identifier that others misread: ldns 1.8 one with a comma or backslash, for it
 * does not know the double escapes, Knot DNS 3.2 one of a single octet.
 */
export function hasDifficultProtocol(rdata: Uint8Array): boolean {
  const wire = new WireReader(0, rdata);
  wire.skip(2);
  wire.skipName();
  const alpn = readParameters(wire).find(({ key }) => key === ServiceKey.alpn)?.octets ?? new Uint8Array(0);
  for (let at = 0; at < alpn.length; at += 1 + (alpn[at] as number)) {
    const identifier = alpn.subarray(at + 1, at + 1 + (alpn[at] as number));
    if (identifier.length === 1 || identifier.includes(COMMA) || identifier.includes(BACKSLASH)) return true;
  }
  return false;
}
