import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { clientConfig } from '../../src/store/database.js';

describe('the settings of a connection', () => {
  it.each([
    'postgresql://zoneseal@db.example/zoneseal',
    'postgresql://zoneseal@db.example:5433/zoneseal?sslmode=verify-full',
    'postgresql:///zoneseal?host=/run/postgresql&user=zoneseal',
  ])('keep the password that stands beside %s', (url) => {
    const password = 'p@ss w/rd?&=%41+"';
    for (const ca of [undefined, 'PEM']) {
      const client = new pg.Client(clientConfig({ url, password, ...(ca === undefined ? {} : { ca }) }));
      expect(client).toMatchObject({ user: 'zoneseal', database: 'zoneseal', password });
      if (ca !== undefined) expect(client).toMatchObject({ ssl: { ca, rejectUnauthorized: true } });
    }
  });

  it('without a password leave it to the environment and the password file of PostgreSQL', () => {
    const url = 'postgresql://zoneseal@db.example/zoneseal';
    expect(clientConfig({ url })).toMatchObject({ connectionString: url });
  });
});
