import { createServer, type Server } from 'node:net';
import { inspect } from 'node:util';
import forge from 'node-forge';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BarbicanClient } from '../../src/barbican/client.js';
import type { BarbicanSettings } from '../../src/barbican/settings.js';
import type { Clock } from '../../src/clock.js';
import { ZonesealError } from '../../src/errors.js';
import {
  FakeOpenstack,
  type Fault,
  hang,
  PASSWORD,
  PAYLOAD,
  reset,
  respond,
  SECRET,
  SECRET_ID,
  TOKEN_MARK,
  trickle,
  truncate,
} from './fake-openstack.js';

const credentials = {
  kind: 'password',
  username: 'user',
  password: PASSWORD,
  project: 'dns',
  userDomain: 'Default',
  projectDomain: 'Default',
} as const;

let fake: FakeOpenstack;
const clients: BarbicanClient[] = [];
/** Every error that was seen, to be searched for secrets. */
const seen: unknown[] = [];

beforeEach(async () => {
  fake = await FakeOpenstack.start();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await fake.close();
});

function connect(settings: Partial<BarbicanSettings> = {}, clock?: Clock): BarbicanClient {
  const client = new BarbicanClient(
    {
      keystoneUrl: fake.keystoneUrl,
      credentials,
      requestTimeout: 2000,
      totalTimeout: 10_000,
      attempts: 3,
      ...settings,
    },
    clock,
  );
  clients.push(client);
  return client;
}

/** Short where the fault is that nothing comes, long where a busy machine must not make one. */
const patience = (fault: Fault): Partial<BarbicanSettings> =>
  fault === hang || fault === trickle ? { requestTimeout: 300 } : {};

async function refusal(promise: Promise<unknown>): Promise<ZonesealError> {
  const outcome: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  seen.push(outcome);
  expect(outcome).toBeInstanceOf(ZonesealError);
  return outcome as ZonesealError;
}

const secret = {
  name: 'one',
  type: 'private',
  contentType: 'application/octet-stream',
  payload: PAYLOAD,
} as const;

describe('faults that pass', () => {
  it.each<[string, Fault]>([
    ['a reset', reset],
    ['a hung server', hang],
    ['an answer that trickles', trickle],
    ['an answer that breaks off', truncate],
    ['a 500', respond(500, { code: 500 })],
    ['a 502 of a proxy', respond(502, '<html>Bad Gateway</html>')],
    ['a 503', respond(503)],
    ['a 429', respond(429)],
  ])('%s from Barbican, twice', async (_, fault) => {
    fake.barbicanFaults.push(fault, fault);
    const client = connect(patience(fault));
    expect((await client.readSecret(SECRET_ID)).name).toBe('one');
    expect(client.state.barbican).toMatchObject({ breaker: 'closed', retries: 2, running: 0, waiting: 0 });
    expect(client.state.barbican.outcomes.get('read-secret')).toEqual(new Map([['ok', 1]]));
  });

  it.each<[string, Fault]>([
    ['a reset', reset],
    ['a hung server', hang],
    ['a 503', respond(503)],
  ])('%s from Keystone, twice', async (_, fault) => {
    fake.keystoneFaults.push(fault, fault);
    const client = connect(patience(fault));
    await client.readSecret(SECRET_ID);
    expect(client.state.keystone).toMatchObject({ tokens: 1, retries: 2 });
  });

  it('a 401 once: a new token, and the request again', async () => {
    const client = connect();
    await client.readSecret(SECRET_ID);
    fake.barbicanFaults.push(respond(401, { error: { code: 401 } }));
    await client.readSecret(SECRET_ID);
    expect([fake.issued, client.state.barbican.retries]).toEqual([2, 0]);
  });

  it('a secret is not stored twice: what may have arrived is not sent again', async () => {
    fake.barbicanFaults.push(reset);
    expect(await refusal(connect().storeSecret(secret))).toMatchObject({ code: 'KEYSTORE_UNAVAILABLE' });
    expect(fake.count('POST /v1/secrets')).toBe(1);
  });
});

describe('faults that last', () => {
  it.each<[string, Fault, string, RegExp]>([
    ['a reset', reset, 'KEYSTORE_UNAVAILABLE', /connection was (reset|closed)/],
    ['a hung server', hang, 'KEYSTORE_UNAVAILABLE', /no whole answer came in time/],
    ['an answer that trickles', trickle, 'KEYSTORE_UNAVAILABLE', /no whole answer came in time/],
    ['an answer that breaks off', truncate, 'KEYSTORE_UNAVAILABLE', /broke off|connection was/],
    ['a 500', respond(500, '<html>'), 'KEYSTORE_UNAVAILABLE', /status 500/],
    ['a web page', respond(200, '<html>login</html>'), 'KEYSTORE_ANSWER_INVALID', /web page/],
    ['JSON of another form', respond(200, { secrets: 1 }), 'KEYSTORE_ANSWER_INVALID', /lacks what is wanted/],
    ['a web page that says 404', respond(404, '<html>'), 'KEYSTORE_ANSWER_INVALID', /no such API/],
    ['a 404', respond(404, { code: 404 }), 'KEY_MISSING', /no such secret/],
    ['a 403', respond(403, { code: 403 }), 'KEYSTORE_FORBIDDEN', /role/],
    ['a 401', respond(401, { error: {} }), 'KEYSTORE_FORBIDDEN', /nor a new one/],
    ['a 418', respond(418, {}), 'KEYSTORE_ANSWER_INVALID', /unexpected status/],
    [
      'a compressed answer',
      respond(200, {}, { 'content-encoding': 'gzip' }),
      'KEYSTORE_ANSWER_INVALID',
      /compressed/,
    ],
    ['an endless answer', respond(200, 'x'.repeat(2_000_000)), 'KEYSTORE_UNAVAILABLE', /too large/],
    ['a time that is none', respond(200, { ...SECRET, created: 'x' }), 'KEYSTORE_ANSWER_INVALID', /created/],
  ])('%s from Barbican', async (_, fault, code, reason) => {
    fake.alwaysBarbican = fault;
    const error = await refusal(connect(patience(fault)).readSecret(SECRET_ID));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(reason);
    expect(error.fields).toMatchObject({ service: 'barbican', operation: 'read-secret' });
  });

  it.each<[string, Fault, string, RegExp]>([
    ['a hung server', hang, 'KEYSTORE_UNAVAILABLE', /no whole answer came in time/],
    [
      'a web page',
      respond(201, '<html>', { 'x-subject-token': TOKEN_MARK }),
      'KEYSTORE_ANSWER_INVALID',
      /web page/,
    ],
    ['no token', respond(201, { token: {} }), 'KEYSTORE_ANSWER_INVALID', /no token/],
    ['a 404', respond(404, { error: { code: 404 } }), 'KEYSTORE_ANSWER_INVALID', /no such API/],
    ['a 401', respond(401, { error: { code: 401 } }), 'KEYSTORE_FORBIDDEN', /user user, its password/],
    ['a 503', respond(503, {}), 'KEYSTORE_UNAVAILABLE', /status 503/],
  ])('%s from Keystone', async (_, fault, code, reason) => {
    fake.alwaysKeystone = fault;
    const error = await refusal(connect(patience(fault)).readSecret(SECRET_ID));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(reason);
    expect(error.fields).toMatchObject({ service: 'keystone' });
    expect(fake.count('GET /v1')).toBe(0);
  });

  it('a 401 that stays costs one more token, not a third', async () => {
    fake.alwaysBarbican = respond(401, { error: {} });
    await refusal(connect().readSecret(SECRET_ID));
    expect([fake.issued, fake.count('GET /v1')]).toEqual([2, 2]);
  });

  it('refused credentials are not tried again for ten seconds, since Keystone may lock accounts', async () => {
    let now = 1_000_000;
    const clock = { milliseconds: () => now, seconds: () => Math.floor(now / 1000) };
    fake.keystoneFaults.push(respond(401, {}));
    const client = connect({}, clock);
    for (let i = 0; i < 3; i++) await refusal(client.readSecret(SECRET_ID));
    expect(fake.count('POST /identity')).toBe(1);
    now += 10_001;
    await client.readSecret(SECRET_ID);
    expect(fake.issued).toBe(1);
  });

  it('a redirect is not followed, and the token goes nowhere', async () => {
    const elsewhere = await FakeOpenstack.start();
    fake.alwaysBarbican = respond(302, '', { location: `${elsewhere.url}/v1/secrets/${SECRET_ID}` });
    expect((await refusal(connect().readSecret(SECRET_ID))).message).toMatch(/redirects/);
    fake.alwaysKeystone = respond(307, '', { location: elsewhere.keystoneUrl });
    expect((await refusal(connect().readSecret(SECRET_ID))).message).toMatch(/redirects/);
    expect(elsewhere.requests).toEqual([]);
    await elsewhere.close();
  });

  it('a payload of another content type than asked for is refused', async () => {
    fake.barbicanFaults.push(respond(200, SECRET), respond(200, '<html>'));
    expect((await refusal(connect().fetchPayload(SECRET_ID))).code).toBe('KEYSTORE_ANSWER_INVALID');
  });

  it('an empty payload and none at all', async () => {
    const { content_types: _, ...without } = SECRET;
    fake.barbicanFaults.push(respond(200, SECRET), respond(204), respond(200, without));
    const client = connect();
    expect((await refusal(client.fetchPayload(SECRET_ID))).code).toBe('KEY_UNREADABLE');
    expect((await refusal(client.fetchPayload(SECRET_ID))).code).toBe('KEY_MISSING');
  });

  it('a list whose total grows on and on ends', async () => {
    fake.alwaysBarbican = respond(200, { secrets: [], total: 1_000_000_000 });
    for await (const listed of connect().listSecrets()) expect(listed).toBeUndefined();
    expect(fake.count('GET /v1/secrets?')).toBe(1);
  });
});

describe('the circuit breaker', () => {
  it('opens after failures in a row, refuses without a request, lets one through, and closes', async () => {
    fake.alwaysBarbican = reset;
    const client = connect({ attempts: 1, breakAfter: 3, breakFor: 200 });
    for (let i = 0; i < 3; i++) await refusal(client.readSecret(SECRET_ID));
    expect(client.state.barbican.breaker).toBe('open');
    const before = fake.requests.length;
    expect((await refusal(client.readSecret(SECRET_ID))).message).toMatch(/failed 3 times in a row/);
    expect(fake.requests.length).toBe(before);
    fake.alwaysBarbican = undefined;
    await new Promise((resolve) => setTimeout(resolve, 250));
    await client.readSecret(SECRET_ID);
    expect(client.state.barbican.breaker).toBe('closed');
  });

  it('is not opened by answers that are no failures of the service', async () => {
    fake.alwaysBarbican = respond(404, { code: 404 });
    const client = connect({ breakAfter: 2 });
    for (let i = 0; i < 5; i++)
      expect((await refusal(client.readSecret(SECRET_ID))).code).toBe('KEY_MISSING');
    expect(client.state.barbican.breaker).toBe('closed');
  });
});

describe('limits', () => {
  it('the total time ends all attempts', async () => {
    fake.alwaysBarbican = hang;
    const begun = performance.now();
    const error = await refusal(
      connect({ requestTimeout: 400, totalTimeout: 500, attempts: 10 }).readSecret(SECRET_ID),
    );
    expect(error.code).toBe('KEYSTORE_UNAVAILABLE');
    expect(performance.now() - begun).toBeLessThan(4000);
  });

  it('so many at once, so many waiting, and the rest is refused', async () => {
    fake.alwaysBarbican = (_, response) => setTimeout(() => respond(200, SECRET)(_, response), 100);
    const client = connect({ concurrency: 2, queue: 3 });
    await client.readSecret(SECRET_ID);
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => client.readSecret(SECRET_ID)));
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(5);
    const reasons = results.flatMap((result) =>
      result.status === 'rejected' ? [String(result.reason)] : [],
    );
    expect(reasons[0]).toMatch(/too many requests wait/);
  });

  it('a server that takes the connection and never speaks TLS', async () => {
    const mute: Server = createServer();
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const { port } = mute.address() as { port: number };
    const keystoneUrl = `https://127.0.0.1:${port}`;
    const client = connect({ keystoneUrl, connectTimeout: 100, requestTimeout: 5000, attempts: 1 });
    expect((await refusal(client.readSecret(SECRET_ID))).message).toMatch(/no connection was made in time/);
    mute.close();
  });

  it('nobody there', async () => {
    const client = connect({ attempts: 2 });
    await fake.close();
    expect((await refusal(client.readSecret(SECRET_ID))).message).toMatch(/refuses the connection/);
    fake = await FakeOpenstack.start();
  });
});

describe('tokens', () => {
  it('all who need one at once share one request', async () => {
    const client = connect({ concurrency: 50 });
    await Promise.all(Array.from({ length: 50 }, () => client.readSecret(SECRET_ID)));
    expect(fake.issued).toBe(1);
  });

  it('a new one is had before the old one expires, by the lifetime and not by the wall clock of Keystone', async () => {
    let now = 5_000_000;
    const clock = { milliseconds: () => now, seconds: () => Math.floor(now / 1000) };
    fake.tokenLifetime = 100;
    const client = connect({}, clock);
    await client.readSecret(SECRET_ID);
    now += 79_000;
    await client.readSecret(SECRET_ID);
    expect(fake.issued).toBe(1);
    expect(client.state.keystone.expiresIn).toBeCloseTo(21, 0);
    now += 2000;
    await client.readSecret(SECRET_ID);
    expect(fake.issued).toBe(2);
  });

  it('while Keystone is away the token serves to its end', async () => {
    let now = 5_000_000;
    const clock = { milliseconds: () => now, seconds: () => Math.floor(now / 1000) };
    fake.tokenLifetime = 100;
    const client = connect({ attempts: 1 }, clock);
    await client.readSecret(SECRET_ID);
    fake.alwaysKeystone = reset;
    now += 90_000;
    await client.readSecret(SECRET_ID);
    now += 11_000;
    expect((await refusal(client.readSecret(SECRET_ID))).fields).toMatchObject({ service: 'keystone' });
  });
});

describe('TLS', () => {
  const { key, cert } = selfSigned();

  it('a certificate of a private CA is accepted when the CA is given, and named as the reason when it is not', async () => {
    const secure = await FakeOpenstack.start({ key, cert });
    const settings = { keystoneUrl: secure.keystoneUrl };
    const error = await refusal(connect(settings).readSecret(SECRET_ID));
    expect(error.message).toMatch(/certificate is not accepted \([A-Z_]+\); give the CA/);
    expect(error.fields['transient']).toBeUndefined();
    expect((await connect({ ...settings, ca: cert }).readSecret(SECRET_ID)).name).toBe('one');
    await secure.close();
  });
});

function selfSigned(): { key: string; cert: string } {
  const keys = forge.pki.rsa.generateKeyPair(2048);
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = keys.publicKey;
  certificate.serialNumber = '01';
  certificate.validity.notBefore = new Date(Date.now() - 3_600_000);
  certificate.validity.notAfter = new Date(Date.now() + 3_600_000);
  const name = [{ name: 'commonName', value: 'private CA' }];
  certificate.setSubject(name);
  certificate.setIssuer(name);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: true },
    { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
  ]);
  certificate.sign(keys.privateKey, forge.md.sha256.create());
  return { key: forge.pki.privateKeyToPem(keys.privateKey), cert: forge.pki.certificateToPem(certificate) };
}

describe('settings', () => {
  it.each<[string, Partial<BarbicanSettings>]>([
    ['an address that is none', { keystoneUrl: 'keystone' }],
    ['another scheme', { keystoneUrl: 'ftp://keystone.example/' }],
    ['a password in the address', { keystoneUrl: 'https://user:pw@keystone.example/' }],
    ['a query in the address', { barbicanUrl: 'https://barbican.example/?x=1' }],
    ['a microversion that is none', { microversion: 'newest' }],
  ])('%s', (_, settings) => {
    expect(() => connect(settings)).toThrow(expect.objectContaining({ code: 'KEYSTORE_CONFIG_INVALID' }));
  });
});

describe('secrets', () => {
  it('none of the errors above holds the password, a token or the payload, however deep one looks', () => {
    expect(seen.length).toBeGreaterThan(30);
    const marks = [
      PASSWORD,
      TOKEN_MARK,
      PAYLOAD.toString(),
      PAYLOAD.toString('base64'),
      PAYLOAD.toString('hex'),
    ];
    for (const error of seen) {
      const shown =
        inspect(error, { depth: 20, showHidden: true, maxStringLength: null }) + JSON.stringify(error);
      for (const mark of marks) expect(shown).not.toContain(mark);
    }
  });

  it('nor does what a client shows of itself', async () => {
    const client = connect();
    await client.fetchPayload(SECRET_ID);
    const shown =
      inspect(client, { depth: 20, showHidden: true }) +
      JSON.stringify(client) +
      inspect(client.state, { depth: 20 });
    for (const mark of [PASSWORD, TOKEN_MARK]) expect(shown).not.toContain(mark);
  });
});
