import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findRunningGateway, removeRunningGateway, writeRunningGateway } from '../src/running-gateway.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zoneseal-running-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const barbican = {
  keystoneUrl: 'http://127.0.0.1:1/identity/v3',
  barbicanUrl: 'http://127.0.0.1:1',
  username: 'user',
  userDomain: 'Default',
  password: 'password',
  project: 'project',
  projectDomain: 'Default',
};

it('a running gateway is found by what it wrote, which its user alone can read', () => {
  writeRunningGateway(folder, { pid: process.pid, barbican });
  expect(statSync(join(folder, 'gateway.json')).mode & 0o777).toBe(0o600);
  expect(findRunningGateway(folder)).toEqual({ pid: process.pid, barbican });
  removeRunningGateway(folder);
  expect(findRunningGateway(folder)).toBeUndefined();
});

it('what a killed gateway left behind, or a damaged file, is no running gateway', () => {
  writeRunningGateway(folder, { pid: 0x7fff_fffe });
  expect(findRunningGateway(folder)).toBeUndefined();
  writeFileSync(join(folder, 'gateway.json'), '{"pid":');
  expect(findRunningGateway(folder)).toBeUndefined();
});

// when a process started is told by Linux alone
it.runIf(process.platform === 'linux')(
  "a process that has a killed gateway's number, this one or another, is no running gateway",
  () => {
    for (const pid of [process.pid, process.ppid]) {
      writeRunningGateway(folder, { pid, barbican });
      expect(findRunningGateway(folder)?.pid).toBe(pid);
      const written = JSON.parse(readFileSync(join(folder, 'gateway.json'), 'utf8')) as object;
      for (const earlier of [
        { ...written, started: '1' },
        { pid, barbican },
      ]) {
        writeFileSync(join(folder, 'gateway.json'), JSON.stringify(earlier));
        expect(findRunningGateway(folder)).toBeUndefined();
      }
    }
  },
);
