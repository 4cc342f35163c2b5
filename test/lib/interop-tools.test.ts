import { machine } from 'node:os';
import { expect, it } from 'vitest';
import { GROUPS, multiarch, TOOLS } from '../../interop/lib/tools.js';

it('libraries of a machine are where Debian puts them', () => {
  expect(['x86_64', 'aarch64', 'armv7l', 'ppc64le'].map(multiarch)).toEqual([
    'x86_64-linux-gnu',
    'aarch64-linux-gnu',
    'arm-linux-gnueabihf',
    'powerpc64le-linux-gnu',
  ]);
  expect(TOOLS['pdns-sqlite']?.path).toBe(`/usr/lib/${multiarch(machine())}/pdns/libgsqlite3backend.so`);
});

it('programs of BIND are in the packages that `dpkg -S` tells', () => {
  const packages = ['named', 'rndc', 'named-compilezone', 'dnssec-signzone', 'dig', 'delv'].map(
    (tool) => TOOLS[tool]?.debian,
  );
  expect(packages).toEqual([
    'bind9',
    'bind9-utils',
    'bind9-utils',
    'bind9-utils',
    'bind9-dnsutils',
    'bind9-dnsutils',
  ]);
});

it('what a group needs is known', () => {
  expect(
    Object.values(GROUPS)
      .flat()
      .filter((tool) => TOOLS[tool] === undefined),
  ).toEqual([]);
});
