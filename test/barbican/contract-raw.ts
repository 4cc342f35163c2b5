import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ContractTarget } from './contract-target.js';
import { type RawAnswer, RawApi } from './raw-api.js';

/** What the API does, seen without the client. */
export function describeRaw(target: () => ContractTarget): void {
  let api: RawApi;
  const made: string[] = [];
  beforeAll(async () => {
    api = await RawApi.login(target(), 'signer');
  });
  afterAll(async () => {
    for (const path of made) await api.request('DELETE', path);
  });
  const binary = {
    payload: 'AAH/',
    payload_content_type: 'application/octet-stream',
    payload_content_encoding: 'base64',
  };
  const store = async (fields: object): Promise<{ path: string; answer: RawAnswer }> => {
    const answer = await api.request('POST', '/v1/secrets', { json: { name: 'raw', ...fields } });
    const path =
      answer.status === 201 ? new URL((answer.json as { secret_ref: string }).secret_ref).pathname : '';
    if (path !== '') made.push(path);
    return { path, answer };
  };

  it.each<[string, object, number]>([
    ['an empty object', {}, 201],
    ['no payload', { secret_type: 'private' }, 201],
    ['base64 with line breaks', { ...binary, payload: 'AAEC\nAwQF' }, 201],
    ['base64 that is none', { ...binary, payload: '!!!!' }, 201],
    ['base64 without its padding', { ...binary, payload: 'abc' }, 400],
    ['octets without an encoding', { ...binary, payload_content_encoding: undefined }, 400],
    ['octets in another encoding', { ...binary, payload_content_encoding: 'hex' }, 400],
    ['text in base64', { ...binary, payload_content_type: 'text/plain' }, 400],
    ['an empty payload', { ...binary, payload: '' }, 400],
    ['a payload of spaces', { ...binary, payload: '   ' }, 400],
    ['a payload without a type', { payload: 'x' }, 400],
    ['a type without a payload', { payload_content_type: 'text/plain' }, 400],
    ['an unknown content type', { ...binary, payload_content_type: 'application/x-pem-file' }, 400],
    ['text with its charset', { payload: 'x', payload_content_type: 'text/plain; charset=utf-8' }, 201],
    ['an unknown secret type', { ...binary, secret_type: 'key' }, 400],
    ['a negative length', { ...binary, bit_length: -1 }, 400],
    ['a length that is text', { ...binary, bit_length: 'x' }, 400],
    ['a long name', { ...binary, name: 'n'.repeat(256) }, 400],
    ['a name that is no text', { ...binary, name: 5 }, 400],
    ['fields that it does not know', { ...binary, colour: 'red' }, 201],
    ['an expiration past', { ...binary, expiration: '2020-01-01T00:00:00' }, 400],
    ['an expiration that is none', { ...binary, expiration: 'soon' }, 400],
    ['20,000 characters', { payload: 'x'.repeat(20_000), payload_content_type: 'text/plain' }, 201],
    ['20,001 characters', { payload: 'x'.repeat(20_001), payload_content_type: 'text/plain' }, 413],
    ['20,001 characters of base64', { ...binary, payload: 'A'.repeat(20_004) }, 413],
    ['a body over 25,000 octets', { ...binary, payload: 'A'.repeat(26_000) }, 400],
  ])('storing %s: status %3$i', async (_, fields, status) => {
    const { answer } = await store(fields);
    expect(answer.status).toBe(status);
    if (status === 201)
      expect(answer.headers['location']).toBe((answer.json as { secret_ref: string }).secret_ref);
    else
      expect(answer.json).toMatchObject({
        code: status,
        title: expect.any(String),
        description: expect.any(String),
      });
  });

  it.each<[string, string, object, number]>([
    ['no JSON', 'POST', { body: '{', type: 'application/json' }, 400],
    ['a list', 'POST', { body: '[1]', type: 'application/json' }, 400],
    ['JSON as text', 'POST', { body: '{}', type: 'text/plain' }, 415],
    ['DELETE of all', 'DELETE', {}, 405],
  ])('%s: status', async (_, method, options, status) => {
    expect((await api.request(method, '/v1/secrets', options)).status).toBe(status);
  });

  it.each<[accept: string | undefined, described: number, payload: number, type: string | undefined]>([
    [undefined, 200, 200, 'application/octet-stream'],
    ['*/*', 200, 200, '*/*'],
    ['application/json', 200, 406, undefined],
    ['application/octet-stream', 200, 200, 'application/octet-stream'],
    ['application/pkcs8', 200, 200, 'application/pkcs8'],
    ['text/plain', 406, 406, undefined],
    ['text/html', 406, 406, undefined],
    ['application/json, text/plain, */*', 406, 406, undefined],
    ['application/octet-stream, text/plain', 406, 406, undefined],
    ['application/octet-stream;q=0.9', 406, 406, undefined],
  ])('Accept %s: describing %i, payload %i', async (accept, described, payload, type) => {
    const { path } = await store(binary);
    const options = accept === undefined ? {} : { accept };
    expect((await api.request('GET', path, options)).status).toBe(described);
    const answer = await api.request('GET', `${path}/payload`, options);
    expect(answer.status).toBe(payload);
    if (type !== undefined) {
      expect(answer.headers['content-type']).toBe(type);
      expect(answer.body).toEqual(Buffer.of(0, 1, 255));
    }
    const json = accept === undefined || accept === '*/*' || accept === 'application/json';
    expect((await api.request('GET', `${path}/metadata`, options)).status).toBe(json ? 200 : 500);
  });

  it('text loses the white space around it and is given as text or as octets', async () => {
    const { path } = await store({ payload: ' a\tb \n\n', payload_content_type: 'text/plain' });
    const text = await api.request('GET', `${path}/payload`, { accept: 'text/plain' });
    expect([text.body.toString(), text.headers['content-type']]).toEqual([
      'a\tb',
      'text/plain; charset=UTF-8',
    ]);
    const plain = await api.request('GET', `${path}/payload`, { accept: 'application/octet-stream' });
    expect([plain.status, plain.body.toString()]).toEqual([200, 'a\tb']);
  });

  it('base64 that is none is an empty payload: 204, and yet a content type', async () => {
    const { path } = await store({ ...binary, payload: '!!!!' });
    expect((await api.request('GET', `${path}/payload`, { accept: 'application/octet-stream' })).status).toBe(
      204,
    );
    expect((await api.request('GET', path)).json).toMatchObject({
      content_types: { default: 'application/octet-stream' },
    });
  });

  it('a secret without a payload has no content type, takes one payload, and then no other', async () => {
    const { path } = await store({});
    expect((await api.request('GET', path)).json).not.toHaveProperty('content_types');
    expect((await api.request('GET', `${path}/payload`, { accept: 'text/plain' })).status).toBe(404);
    const put = (type: string, body: string) => api.request('PUT', path, { type, body });
    expect((await put('application/json', '{}')).status).toBe(415);
    expect((await put('text/plain', '')).status).toBe(400);
    expect((await put('application/octet-stream', 'abc')).status).toBe(204);
    expect((await put('application/octet-stream', 'abc')).status).toBe(409);
    expect(
      (await api.request('GET', `${path}/payload`, { accept: 'application/octet-stream' })).body.toString(),
    ).toBe('abc');
  });

  it('times are UTC without a zone, without a fraction that is zero', async () => {
    const { path } = await store({ ...binary, expiration: '2099-01-01T02:00:00+02:00' });
    const described = (await api.request('GET', path)).json as Record<string, string>;
    expect(described['expiration']).toBe('2099-01-01T00:00:00');
    expect(described['created']).toMatch(/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]{6})?$/);
  });

  it.each<[string, string, number]>([
    ['GET', '', 404],
    ['DELETE', '', 404],
    ['GET', '/payload', 404],
    ['GET', '/metadata', 404],
    ['GET', '/acl', 404],
  ])('%s of a secret that there is not%s: %i', async (method, part, status) => {
    const answer = await api.request(method, `/v1/secrets/${randomUUID()}${part}`, {
      accept: 'application/json',
    });
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({ code: 404, title: 'Not Found' });
  });

  it('lists: pages of 10 and at most 100, links without filters, LIKE, sorting', async () => {
    const tag = randomUUID().slice(0, 8);
    for (let i = 0; i < 12; i++) await store({ name: `${tag}_${String(i).padStart(2, '0')}` });
    await store({ name: `${tag}X00` });
    const list = async (query: string) => (await api.request('GET', `/v1/secrets?${query}`)).json as RawList;
    const all = await list(`name=${tag}%25`);
    expect([all.total, all.secrets.length]).toEqual([13, 10]);
    expect(new URL(all.next as string).search).toBe('?limit=10&offset=10');
    expect((await list(`name=${tag}`)).total).toBe(0);
    expect((await list(`name=${tag}_00`)).secrets.map((it) => it.name)).toEqual([`${tag}_00`, `${tag}X00`]);
    expect((await list(`name=${tag.toUpperCase()}%25`)).total).toBe(13);
    const page = await list(`name=${tag}%25&limit=3&offset=2&sort=name:desc`);
    expect(page.secrets.map((it) => it.name)).toEqual([`${tag}_09`, `${tag}_08`, `${tag}_07`]);
    expect(page).toHaveProperty('previous');
    expect((await list(`name=${tag}%25&limit=0`)).secrets).toHaveLength(1);
    expect((await list(`name=${tag}%25&limit=x&offset=-1`)).secrets).toHaveLength(10);
    expect((await list(`name=${tag}%25&limit=1000`)).secrets).toHaveLength(13);
    expect((await list(`name=${tag}%25&offset=1000`)).secrets).toHaveLength(0);
    for (const query of ['sort=colour', 'sort=name:up', 'created=soon']) {
      expect((await api.request('GET', `/v1/secrets?${query}`)).status).toBe(400);
    }
  });

  it('user metadata: text only, keys lower-cased, one by one too', async () => {
    const { path } = await store({});
    const metadata = `${path}/metadata`;
    const put = (json: unknown) => api.request('PUT', metadata, { json });
    expect((await put({ metadata: { Zone: 'a', 'key-Tag': '5' } })).status).toBe(201);
    expect((await api.request('GET', metadata)).json).toEqual({ metadata: { zone: 'a', 'key-tag': '5' } });
    expect((await put({ metadata: { a: 5 } })).status).toBe(400);
    expect((await put({ metadata: { 'a.b': 'x' } })).status).toBe(400);
    expect((await put({ zone: 'x' })).status).toBe(400);
    const post = (json: unknown) => api.request('POST', metadata, { json });
    expect((await post({ key: 'New', value: 'v' })).json).toEqual({ key: 'new', value: 'v' });
    expect((await post({ key: 'new', value: 'v' })).status).toBe(409);
    expect((await api.request('GET', `${metadata}/new`)).json).toEqual({ key: 'new', value: 'v' });
    expect((await api.request('PUT', `${metadata}/new`, { json: { key: 'new', value: 'w' } })).status).toBe(
      200,
    );
    expect((await api.request('DELETE', `${metadata}/new`)).status).toBe(204);
    expect((await api.request('GET', `${metadata}/new`)).status).toBe(404);
  });

  it('the ACL: default, set, changed in part, taken away', async () => {
    const { path } = await store({});
    const acl = async () => ((await api.request('GET', `${path}/acl`)).json as { read: object }).read;
    const change = async (method: string, json: unknown) =>
      (await api.request(method, `${path}/acl`, { json })).status;
    expect(await acl()).toEqual({ 'project-access': true });
    expect(await change('PUT', { read: { 'project-access': false } })).toBe(200);
    expect(await acl()).toMatchObject({ 'project-access': false, users: [] });
    expect(await change('PATCH', { read: { users: ['0'.repeat(32)] } })).toBe(200);
    expect(await acl()).toMatchObject({ 'project-access': false, users: ['0'.repeat(32)] });
    expect(await change('PUT', { write: { users: [] } })).toBe(400);
    expect(await change('PUT', { read: { 'project-access': 'no' } })).toBe(400);
    expect((await api.request('DELETE', `${path}/acl`)).status).toBe(200);
    expect(await acl()).toEqual({ 'project-access': true });
  });

  it('consumers are noted, and do not keep anyone from deleting', async () => {
    const { path } = await store({});
    const consumer = { service: 'dns', resource_type: 'zone', resource_id: '1' };
    const ask = (method: string, json?: unknown) =>
      api.request(method, `${path}/consumers`, json === undefined ? {} : { json });
    expect((await ask('POST', { service: 'dns' })).status).toBe(400);
    for (let i = 0; i < 2; i++)
      expect(await ask('POST', consumer)).toMatchObject({ status: 200, json: { consumers: [consumer] } });
    expect((await ask('GET')).json).toMatchObject({ consumers: [consumer], total: 1 });
    expect((await api.request('GET', path)).json).not.toHaveProperty('consumers');
    expect((await ask('DELETE', { ...consumer, service: 'x' })).status).toBe(404);
    expect((await ask('DELETE', consumer)).json).toMatchObject({ consumers: [] });
    expect((await ask('POST', consumer)).status).toBe(200);
    expect((await api.request('DELETE', path)).status).toBe(204);
  });

  it('orders: RSA is made, EC is accepted and fails', async () => {
    const order = async (algorithm: string, bits: number) => {
      const meta = {
        name: 'order',
        algorithm,
        bit_length: bits,
        payload_content_type: 'application/octet-stream',
      };
      const answer = await api.request('POST', '/v1/orders', { json: { type: 'asymmetric', meta } });
      expect(answer.status).toBe(202);
      const { pathname } = new URL((answer.json as { order_ref: string }).order_ref);
      for (let i = 0; i < 200; i++) {
        const { status } = (await api.request('GET', pathname)).json as { status: string };
        if (status !== 'PENDING') return status;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return 'PENDING';
    };
    expect(await order('rsa', 2048)).toBe('ACTIVE');
    expect(await order('ec', 256)).toBe('ERROR');
  });

  it('GET / is 300, with no address to go to', async () => {
    const answer = await api.request('GET', '/', { token: '' });
    expect(answer.status).toBe(300);
    expect(answer.headers['location']).toBeUndefined();
  });

  it.each([undefined, 'no such token'])('token %s: 401 in the form of Keystone', async (token) => {
    const answer = await api.request('GET', '/v1/secrets', { token: token ?? '' });
    expect(answer.status).toBe(401);
    expect(answer.json).toMatchObject({ error: { code: 401, title: 'Unauthorized' } });
    expect(answer.headers['www-authenticate']).toMatch(/^Keystone uri=/);
  });

  it('an unscoped token: 500', async () => {
    const unscoped = await RawApi.login(target(), 'signer', false);
    expect((await unscoped.request('GET', '/v1/secrets')).status).toBe(500);
  });

  it('microversions: the header says which; 1.1 has consumers', async () => {
    const { path } = await store({});
    const get = (microversion: string) => api.request('GET', path, { microversion });
    expect((await api.request('GET', path)).headers['openstack-api-version']).toBe('key-manager 1.0');
    expect((await get('key-manager 1.1')).json).toHaveProperty('consumers', []);
    expect((await get('key-manager latest')).headers['openstack-api-version']).toBe('key-manager 1.1');
    expect((await get('identity 3.14')).headers['openstack-api-version']).toBe('key-manager 1.0');
    expect((await get('key-manager 9.9')).status).toBe(406);
  });
}

interface RawList {
  readonly secrets: readonly { readonly name: string }[];
  readonly total: number;
  readonly next?: string;
}
