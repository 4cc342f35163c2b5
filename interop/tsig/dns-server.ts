import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '../../src/clock.js';
import { RCODE, readMessage } from '../../src/dns/message.js';
import { answerFlags, buildAnswer } from '../../src/dns/message-answer.js';
import { MessageWriter } from '../../src/dns/message-writer.js';
import { Name } from '../../src/dns/name.js';
import { parseRdataText } from '../../src/dns/rdata/index.js';
import {
  answerTsigFailure,
  type TsigAlgorithm,
  type TsigKey,
  TsigSigner,
  tsigAlgorithmOf,
  verifyRequest,
} from '../../src/dns/tsig.js';
import { RRClass, RRType } from '../../src/dns/types.js';
import type { Subject } from './agreement.js';

const ZONE = Name.parse('tsig.example.');
const HOSTS = 4000;
const SECRET = Uint8Array.from({ length: 48 }, (_, i) => i + 7);
const KEY_NAME = Name.parse('Transfer.tsig.Example.');
const SOA = parseRdataText(RRType.SOA, `ns.${ZONE} host.${ZONE} 1 3600 600 86400 300`);

/** The key of every algorithm; one name, but for hmac-sha384, so that its requests are those of an unknown key. */
function keyFor(algorithm: TsigAlgorithm): TsigKey {
  const name = algorithm === 'hmac-sha384' ? KEY_NAME.parent() : KEY_NAME;
  return { name, algorithm, secret: SECRET };
}

/** Asks nothing but dns/: a server of one made-up zone, so that TSIG is seen without all that is above. */
export async function startDnsServer(skewSeconds: number): Promise<Subject> {
  const now = (): number => systemClock.seconds() + skewSeconds;
  const tcp = createServer((socket) => serveStream(socket, now));
  const port = await listen(tcp);
  const udp = createSocket('udp4');
  udp.on('message', (octets, from) => {
    for (const answer of answersTo(octets, now())) udp.send(answer, from.port, from.address);
  });
  await new Promise<void>((resolve) => udp.bind(port, '127.0.0.1', resolve));
  return {
    host: '127.0.0.1',
    port,
    zone: ZONE.toString(),
    records: HOSTS + 2,
    keyFor,
    stop: () => stop(tcp, udp),
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}

async function stop(tcp: Server, udp: UdpSocket): Promise<void> {
  await new Promise<void>((resolve) => udp.close(resolve));
  await new Promise<void>((resolve) => tcp.close(() => resolve()));
}

function serveStream(socket: Socket, now: () => number): void {
  let pending: Buffer = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const end = 2 + pending.readUInt16BE(0);
      for (const answer of answersTo(pending.subarray(2, end), now())) {
        socket.write(Uint8Array.of(answer.length >>> 8, answer.length));
        socket.write(answer);
      }
      pending = pending.subarray(end);
    }
  });
}

function answersTo(octets: Uint8Array, now: number): Uint8Array[] {
  const query = readMessage(octets);
  const check = verifyRequest(
    octets,
    query,
    (name, algorithm) => {
      const key = keyFor(tsigAlgorithmOf(algorithm) as TsigAlgorithm);
      return key.name.equals(name) ? key : undefined;
    },
    now,
  );
  if (check.status === 'error') {
    return [answerTsigFailure(buildAnswer(query, check.rcode, { udpSize: 1232 }), check, now)];
  }
  if (check.status === 'none') return [buildAnswer(query, RCODE.REFUSED, { udpSize: 1232 })];
  const signer = new TsigSigner(check.key, check.mac);
  const isTransfer = query.question[0]?.type === RRType.AXFR;
  const records = isTransfer ? zoneRecords() : [[ZONE, RRType.SOA, SOA] as const];

  const writer = new MessageWriter(0x4000);
  writer.reserve(signer.length);
  const begin = (): void => {
    writer.reset();
    writer.writeHeader(query.id, answerFlags(query, RCODE.NOERROR, { aa: true }));
  };
  begin();
  for (const { name, type, class: klass } of query.question) writer.writeQuestion(name, type, klass);
  const messages: Uint8Array[] = [];
  for (const [owner, type, rdata] of records) {
    if (writer.writeRecord('answer', owner, type, RRClass.IN, 300, rdata)) continue;
    messages.push(signer.sign(writer.finish(), now));
    begin();
    writer.writeRecord('answer', owner, type, RRClass.IN, 300, rdata);
  }
  messages.push(signer.sign(writer.finish(), now));
  return messages;
}

function* zoneRecords(): Generator<readonly [Name, number, Uint8Array]> {
  yield [ZONE, RRType.SOA, SOA];
  for (let i = 0; i < HOSTS; i++) {
    yield [Name.parse(`host-${i}`, ZONE), RRType.A, Uint8Array.of(192, 0, 2, i & 0xff)];
  }
  yield [ZONE, RRType.SOA, SOA];
}
