import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RCODE, readMessage } from '../../src/dns/message.js';
import { Name } from '../../src/dns/name.js';
import { TSIG_ALGORITHMS, type TsigAlgorithm, type TsigKey } from '../../src/dns/tsig.js';
import { openDatabase } from '../../src/store/open.js';
import { type Answer, buildRequest, query, type Target, transfer } from '../lib/dns-client.js';
import { GatewayProcess } from '../lib/gateway.js';
import { freePort } from '../lib/ports.js';
import { runWell, temporaryFolder } from '../lib/processes.js';
import { TOOLS } from '../lib/tools.js';
import { describeAgreement, type Subject } from './agreement.js';
import { addTsigKey, addZone, rcodeOf, shiftedClock, waitForRcode } from './gateways.js';
import { exchangeFrom } from './sockets.js';

const ZONE = 'tsig.example.';
const HOSTS = 600;
/** SOA twice, NS, two DNSKEY, NSEC for each owner, A for each host and ns; an RRSIG for each RRset. */
const RECORDS = 3 + 2 + 3 + 2 * (HOSTS + 2) + 2 * (HOSTS + 1);

/** Of the gateways of the agreement suite, which run one after the other. */
const data = temporaryFolder('tsig-data');
const keys = new Map<TsigAlgorithm, TsigKey>();

async function startSubject(skewSeconds: number): Promise<Subject> {
  const gateway = await GatewayProcess.start({ config: { data }, environment: shiftedClock(skewSeconds) });
  if (keys.size === 0) {
    await gateway.command(['view', 'add', 'internal']);
    for (const algorithm of TSIG_ALGORITHMS) {
      const options = ['--view', 'internal', '--algorithm', algorithm];
      keys.set(algorithm, await addTsigKey(gateway, `${algorithm}.nameservers.example.`, options));
    }
    await addZone(gateway, ZONE, ['internal'], HOSTS);
    await waitForRcode(gateway.target, ZONE, keyFor('hmac-sha256'));
  }
  return { ...gateway.target, zone: ZONE, records: RECORDS, keyFor, stop: () => gateway.remove() };
}

function keyFor(algorithm: TsigAlgorithm): TsigKey {
  const key = keys.get(algorithm);
  if (key === undefined) throw new Error(`no key for ${algorithm}`);
  return key;
}

describeAgreement('a running gateway', startSubject);

describe('what a client gets follows from its key and its address', () => {
  const A = 'held-a.example.';
  const B = 'held-b.example.';
  const ABSENT = 'not-at.example.';
  const OPEN_ADDRESS = '127.0.0.3';
  const INTERNAL_HOST = 'host-of-internal';
  const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some((it) => it.address === '::1'));

  let gateway: GatewayProcess;
  let target: Target;
  const key = new Map<string, TsigKey>();

  beforeAll(async () => {
    const port = await freePort();
    target = { host: '127.0.0.1', port };
    const listen = [target.host, ...(hasIpv6 ? ['::1'] : [])].map((address) => ({ address, port }));
    const open = [{ range: `${OPEN_ADDRESS}/32`, view: 'external' }];
    gateway = await GatewayProcess.start({ config: { listen, open } });
    for (const view of ['internal', 'external']) await gateway.command(['view', 'add', view]);
    await Promise.all([A, B].map((zone) => addZone(gateway, zone, ['internal', 'external'])));
    for (const zone of [A, B]) {
      const host = [INTERNAL_HOST, 'A', '192.0.2.200', '--view', 'internal'];
      await gateway.command(['rrset', 'set', zone, ...host]);
    }
    const grants: Record<string, readonly string[]> = {
      'one-zone.': ['--view', 'internal', '--zone', A, '--address', '127.0.0.0/8'],
      'elsewhere.': ['--view', 'internal', '--address', '192.0.2.0/24'],
      'neighbour.': ['--view', 'internal', '--address', '127.0.0.2'],
      'by-zone.': ['--view', 'internal', '--zone', A],
      'both-views.': ['--view', 'internal'],
      'sixth.': ['--view', 'internal', '--address', '::1'],
      'whole-view.': ['--view', 'internal'],
    };
    for (const [name, options] of Object.entries(grants))
      key.set(name, await addTsigKey(gateway, name, options));
    await grantBySql('both-views.', 'external');
    await gateway.command(['tsig', 'grant', 'by-zone.', '--view', 'external', '--zone', B]);
    for (const zone of [A, B]) await waitForRcode(target, zone, keyOf('whole-view.'));
    await waitForRcode(target, B, keyOf('by-zone.'));
  });
  afterAll(() => gateway?.remove());

  /** Grants a view as programs may, which no command refuses. */
  async function grantBySql(name: string, view: string): Promise<void> {
    const database = await openDatabase({ embedded: join(gateway.folder, 'data', 'database') });
    const granted = await database.execute(
      'insert into zoneseal.tsig_grants (key_id, view) select id, $2 from zoneseal.tsig_keys where name = $1',
      [name, view],
    );
    expect(granted).toBe(1);
    await database.close();
  }

  const keyOf = (name: string): TsigKey => key.get(name) as TsigKey;

  const soa = (zone: string, name: string, at: Target = target): Promise<Answer | undefined> =>
    query(at, { name: zone, type: 'SOA', signing: { key: keyOf(name) } });

  /** The hosts of the internal view in what a key gets of a zone. */
  async function internalHosts(zone: string, name: string): Promise<number> {
    const { isWhole, isAuthentic, records } = await transfer(target, {
      name: zone,
      signing: { key: keyOf(name) },
    });
    expect({ isWhole, isAuthentic }).toEqual({ isWhole: true, isAuthentic: true });
    return records.filter(({ owner }) => owner.toString() === `${INTERNAL_HOST}.${zone}`).length;
  }

  async function expectSignedRefusal(zone: string, name: string): Promise<void> {
    const signing = { key: keyOf(name) };
    const answers = [
      await query(target, { name: zone, type: 'SOA', signing }),
      await query(target, { name: zone, type: 'SOA', signing, tcp: true }),
      (await transfer(target, { name: zone, signing })).answers[0],
      (await transfer(target, { name: zone, type: 'IXFR', serial: 1, signing })).answers[0],
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject({ message: { rcode: RCODE.REFUSED }, tsig: { status: 'signed' } });
    }
  }

  test('a key for one zone gets no other', async () => {
    expect((await soa(A, 'one-zone.'))?.message.rcode).toBe(RCODE.NOERROR);
    await expectSignedRefusal(B, 'one-zone.');
  });

  test('a key for one address range is refused outside of it, and works in it', async () => {
    await expectSignedRefusal(A, 'elsewhere.');
    await expectSignedRefusal(A, 'neighbour.');
    const request = buildRequest({ name: A, type: 'SOA', signing: { key: keyOf('neighbour.') } });
    const octets = await exchangeFrom('127.0.0.2', target, request.octets);
    expect(request.read(octets as Uint8Array)).toMatchObject({
      message: { rcode: RCODE.NOERROR },
      tsig: { status: 'signed' },
    });
  });

  test.runIf(hasIpv6)('a key for an IPv6 address works there alone', async () => {
    await expectSignedRefusal(A, 'sixth.');
    const answer = await soa(A, 'sixth.', { ...target, host: '::1' });
    expect(answer).toMatchObject({ message: { rcode: RCODE.NOERROR }, tsig: { status: 'signed' } });
  });

  test('a key with a grant for each of two zones gets the view of each', async () => {
    expect(await internalHosts(A, 'by-zone.')).toBeGreaterThan(0);
    expect(await internalHosts(B, 'by-zone.')).toBe(0);
    expect(await internalHosts(B, 'whole-view.')).toBeGreaterThan(0);
  });

  test('a key granted two views of one zone gets none, and the log says why', async () => {
    await expectSignedRefusal(A, 'both-views.');
    const line = gateway.logLines.find(({ msg }) => msg.includes('granted several views'));
    expect(line).toMatchObject({ level: 'warn', key: 'both-views.', zone: A });
  });

  test('an address range that was opened gets its view without TSIG, as dig finds', async () => {
    const dig = async (address: string): Promise<string> => {
      const at = ['-b', address, '-p', `${target.port}`, `@${target.host}`];
      return runWell((TOOLS['dig'] as { path: string }).path, [...at, '+tries=1', A, 'AXFR']);
    };
    const open = await dig(OPEN_ADDRESS);
    expect(open).toMatch(/XFR size: \d+ records/);
    expect(open).not.toContain(INTERNAL_HOST);
    expect(await dig('127.0.0.1')).toContain('Transfer failed');
  });

  test('in an opened range a key still gets no more than it is granted', async () => {
    const request = buildRequest({ name: A, type: 'SOA', signing: { key: keyOf('elsewhere.') } });
    const octets = await exchangeFrom(OPEN_ADDRESS, target, request.octets);
    expect(request.read(octets as Uint8Array)).toMatchObject({
      message: { rcode: RCODE.REFUSED },
      tsig: { status: 'signed' },
    });
  });

  describe('with neither', () => {
    /** What must not differ: all octets but for the id, the question's name and what TSIG makes of them. */
    function comparable(octets: Uint8Array | undefined, name: string): string {
      if (octets === undefined) return 'silence';
      const { tsigOffset } = readMessage(octets);
      const copy = octets.slice(0, tsigOffset);
      const question = Name.parse(name).wire;
      expect(Buffer.from(copy.subarray(12, 12 + question.length))).toEqual(Buffer.from(question));
      copy.fill(0, 0, 2).fill(0, 12, 12 + question.length);
      return `${octets.length} ${Buffer.from(copy).toString('hex')}`;
    }

    const types = ['SOA', 'AXFR', 'IXFR', 'A', 'NS', 'DNSKEY', 'TXT'] as const;
    const cases = (['udp', 'tcp'] as const).flatMap((transport) =>
      [undefined, 1232].flatMap((udpSize) => types.map((type) => ({ transport, udpSize, type }))),
    );

    test.each([
      ['without TSIG', undefined],
      ['with a key for elsewhere', 'elsewhere.'],
    ])('a zone that is held and one that is not are refused alike, %s', async (_, name) => {
      const signing = name === undefined ? {} : { signing: { key: keyOf(name) } };
      for (const { transport, udpSize, type } of cases) {
        const answers: string[] = [];
        for (const prefix of ['', 'www.']) {
          for (const zone of [A, ABSENT]) {
            const asked = `${prefix}${zone}`;
            const size = udpSize === undefined ? {} : { udpSize };
            const request = buildRequest({ name: asked, type, serial: 1, ...size, ...signing });
            const octets = await exchangeFrom('127.0.0.1', target, request.octets, transport);
            expect(request.read(octets as Uint8Array).message.rcode).toBe(RCODE.REFUSED);
            answers.push(comparable(octets, asked));
          }
        }
        expect(answers[1], `${type} over ${transport}`).toBe(answers[0]);
        expect(answers[3], `www, ${type} over ${transport}`).toBe(answers[2]);
      }
    });
  });

  test('a TSIG key that is deleted is a key that nobody knows', async () => {
    await gateway.command(['tsig', 'delete', 'one-zone.']);
    await waitForRcode(target, A, keyOf('one-zone.'), RCODE.NOTAUTH);
    expect((await soa(A, 'one-zone.'))?.tsig).toMatchObject({ status: 'refused', tsigError: 17 });
  });

  test('a zone is refused in a view that it was taken out of, and goes on in the other', async () => {
    await gateway.command(['view', 'unassign', B, 'internal']);
    await waitForRcode(target, B, keyOf('whole-view.'), RCODE.REFUSED);
    await expectSignedRefusal(B, 'whole-view.');
    expect(await internalHosts(B, 'by-zone.')).toBe(0);
  });

  test('a zone that was deleted is refused in every view, as one that never was', async () => {
    await gateway.command(['zone', 'delete', A, '--yes']);
    await waitForRcode(target, A, keyOf('whole-view.'), RCODE.REFUSED);
    await expectSignedRefusal(A, 'whole-view.');
    await expectSignedRefusal(ABSENT, 'whole-view.');
    const request = buildRequest({ name: A, type: 'SOA' });
    const octets = await exchangeFrom(OPEN_ADDRESS, target, request.octets);
    expect(readMessage(octets as Uint8Array).rcode).toBe(RCODE.REFUSED);
    expect(await rcodeOf(target, B, keyOf('by-zone.'))).toBe(RCODE.NOERROR);
  });
});
