import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { releaseLock, takeLock } from '../../src/store/folder-lock.js';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zoneseal-lock-'));
  path = join(folder, 'lock');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the lock of a folder', () => {
  it('has one holder, and tells the others who it is', () => {
    expect(takeLock(path, '/first')).toBeUndefined();
    expect(takeLock(path, '/second')).toMatchObject({ pid: process.pid, socketFolder: '/first' });
    releaseLock(path);
    expect(takeLock(path, '/third')).toBeUndefined();
    expect(readdirSync(folder)).toEqual(['lock']);
  });

  it.each([
    ['a process that is gone', JSON.stringify({ pid: 0x3fff_ffff, started: '1', socketFolder: '/' })],
    [
      'an older process with the same number',
      JSON.stringify({ pid: process.pid, started: '1', socketFolder: '/' }),
    ],
    ['no one: it is damaged', '{"pid":'],
    ['no one: it is empty', ''],
  ])('is taken over from %s', (_, text) => {
    writeFileSync(path, text);
    expect(takeLock(path, '/new')).toBeUndefined();
    expect(takeLock(path, '/newer')).toMatchObject({ socketFolder: '/new' });
    expect(readdirSync(folder)).toEqual(['lock']);
  });
});
