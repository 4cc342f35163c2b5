import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChangeListener } from '../../src/store/change-listener.js';
import type { Database } from '../../src/store/database.js';
import { openDatabase } from '../../src/store/open.js';

// a name that is too long for a socket, which goes elsewhere then
const folder = join(
  mkdtempSync(join(tmpdir(), 'zoneseal-store-')),
  'a-data-folder-of-quite-some-length'.repeat(3),
);
const dist = pathToFileURL(join(import.meta.dirname, '../../dist/store/open.js')).href;
const children: ChildProcess[] = [];
let database: Database;

beforeAll(async () => {
  database = await openDatabase({ embedded: folder });
  await database.execute('create table kept (a int)');
});

afterAll(async () => {
  await database?.close();
  for (const child of children) child.kill('SIGKILL');
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

/** Runs a program with `database` open in a process of its own, until it prints `text`. */
async function runUntil(body: string, text: string): Promise<ChildProcess> {
  const program = `const { openDatabase } = await import('${dist}');
    const database = await openDatabase({ embedded: ${JSON.stringify(folder)} });
    ${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  let output = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes(text)) resolve();
    });
    child.once('exit', (code) => reject(new Error(`ended with ${code} after ${output}`)));
  });
  return child;
}

const count = async (): Promise<number | undefined> =>
  (await database.query<{ n: number }>('select count(*) as n from kept'))[0]?.n;

describe('the embedded database', () => {
  it('keeps others out of its folder', () => {
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const { socketFolder } = JSON.parse(readFileSync(join(folder, 'lock'), 'utf8')) as {
      socketFolder: string;
    };
    expect(socketFolder).not.toBe(folder);
    expect(statSync(socketFolder).mode & 0o777).toBe(0o700);
  });

  it('lets one transaction at a time in, and takes those back whose client goes away', async () => {
    const order: string[] = [];
    await Promise.all([
      database.transaction(async (t) => {
        await t.execute('insert into kept values (1)');
        await sleep(50);
        await t.execute('insert into kept values (2)');
        order.push('transaction');
      }),
      sleep(20)
        .then(() => count())
        .then((n) => order.push(`count ${n}`)),
    ]);
    expect(order).toEqual(['transaction', 'count 2']);
    const client = await database.connect();
    await client.query('begin');
    await client.query('insert into kept values (3)');
    client.release(true);
    expect(await count()).toBe(2);
    await expect(database.query('selec')).rejects.toMatchObject({ code: 'DATABASE_FAILED' });
  });

  it('does not mix up statements of many clients', async () => {
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, i) =>
        i % 2
          ? database.query('select $1::int as a', [i])
          : database.query('select $1::text as b, 1 as c', [`x${i}`]),
      ),
    );
    expect(answers).toEqual(Array.from({ length: 300 }, (_, i) => [i % 2 ? { a: i } : { b: `x${i}`, c: 1 }]));
  });

  it('tells those who listen, whoever writes', async () => {
    const heard: (string | undefined)[] = [];
    const listener = new ChangeListener(database, { onChange: (what) => heard.push(what) });
    while (!listener.connected) await sleep(10);
    await database.query("select pg_notify('zoneseal', '17')");
    while (heard.length < 2) await sleep(10);
    expect(heard).toEqual([undefined, '17']);
    await listener.close();
  });

  it('is reached from a second process through the first', async () => {
    const child = await runUntil(
      "await database.execute('insert into kept values (4)'); await database.close(); console.log('done');",
      'done',
    );
    await new Promise((resolve) =>
      child.exitCode === null ? child.once('exit', resolve) : resolve(undefined),
    );
    expect(await count()).toBe(3);
  });

  it('goes over to a process that is left, after the one that had it was killed', async () => {
    await database.close();
    expect(existsSync(join(folder, 'lock'))).toBe(false);
    const child = await runUntil(
      "await database.execute('insert into kept values (5)'); console.log('done'); setInterval(() => {}, 1000);",
      'done',
    );
    database = await openDatabase({ embedded: folder });
    expect(await count()).toBe(4);
    const inTransaction = database.transaction(async (t) => {
      await t.execute('insert into kept values (6)');
      child.kill('SIGKILL');
      await sleep(200);
      await t.execute('insert into kept values (7)');
    });
    await expect(inTransaction).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(await count()).toBe(4);
  });
});
