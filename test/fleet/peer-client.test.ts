import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { RCODE } from '../../src/dns/message.js';
import { answerTsigFailure, type TsigKey, verifyRequest } from '../../src/dns/tsig.js';
import { PeerClient } from '../../src/fleet/peer-client.js';
import type { PeerKey, PeerTarget } from '../../src/fleet/ports.js';
import { tsigKey } from '../transfer/fixture.js';
import { answerTo, FakePeer } from './fake-peer.js';

const OLD = tsigKey('peer.key.');
const NEW: TsigKey = { ...OLD, secret: Buffer.from('the secret that is to be, 32 octets') };
const SECRETS = new Map([
  ['old', OLD],
  ['new', NEW],
]);

let peer: FakePeer;
let fetched: string[];

beforeEach(async () => {
  peer = await FakePeer.start();
  fetched = [];
});
afterEach(() => peer.close());

function client(): PeerClient {
  return new PeerClient({
    keys: {
      key: ({ secretRef }) => {
        fetched.push(secretRef);
        const key = SECRETS.get(secretRef);
        return key === undefined ? Promise.reject(new Error('away')) : Promise.resolve(key);
      },
    },
    clock: systemClock,
    answerSeconds: 2,
    secretSeconds: 1,
    sourceIpv4: undefined,
    sourceIpv6: undefined,
  });
}

function target(references: Pick<PeerKey, 'secretRef' | 'previousSecretRef'>): PeerTarget {
  const key: PeerKey = { id: '1', name: 'peer.key.', algorithm: 'hmac-sha256', ...references };
  return { peerId: '1', peer: 'ns1', address: '127.0.0.1', port: peer.port, key };
}

/** A peer that has one secret. */
function knows(key: TsigKey): void {
  peer.answering = (request, octets) => {
    const check = verifyRequest(octets, request, () => key, systemClock.seconds());
    if (check.status === 'ok') return [answerTo(request, octets, { key, serial: 7 })];
    if (check.status === 'none') return [];
    const answer = answerTo(request, octets, { rcode: RCODE.NOTAUTH });
    return [answerTsigFailure(answer, check, systemClock.seconds())];
  };
}

const { signal } = new AbortController();
const CHANGING = { secretRef: 'new', previousSecretRef: 'old' };

describe('a message to a peer whose key is being changed', () => {
  it('is made with the new secret', async () => {
    knows(NEW);
    expect(await client().soaSerial(target(CHANGING), 'example.com.', signal)).toEqual({
      kind: 'serial',
      serial: 7,
    });
    expect(fetched).toEqual(['new']);
  });

  it('and with the old one where the peer does not accept that', async () => {
    knows(OLD);
    expect(await client().soaSerial(target(CHANGING), 'example.com.', signal)).toMatchObject({ serial: 7 });
    expect(await client().notify(target(CHANGING), 'example.com.', undefined, signal)).toEqual({
      kind: 'accepted',
    });
    expect(fetched).toEqual(['new', 'old', 'new', 'old']);
  });

  it('or where the new one cannot be had', async () => {
    knows(OLD);
    const references = { secretRef: 'nowhere', previousSecretRef: 'old' };
    expect(await client().soaSerial(target(references), 'example.com.', signal)).toMatchObject({ serial: 7 });
  });

  it('is refused with what the new one got, where neither is accepted', async () => {
    knows(tsigKey('peer.key.', 'hmac-sha256'));
    SECRETS.set('wrong', { ...OLD, secret: Buffer.alloc(32, 1) });
    const references = { secretRef: 'wrong', previousSecretRef: 'new' };
    expect(await client().soaSerial(target(references), 'example.com.', signal)).toEqual({
      kind: 'refused',
      problem: 'SOA: NOTAUTH (BADSIG)',
    });
  });
});

describe('a message to a peer whose key is not being changed', () => {
  it('is sent once', async () => {
    knows(OLD);
    expect((await client().soaSerial(target({ secretRef: 'new' }), 'example.com.', signal)).kind).toBe(
      'refused',
    );
    expect(peer.requests).toHaveLength(1);
  });
});
