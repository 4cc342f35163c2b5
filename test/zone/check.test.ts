import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { checkZone } from '../../src/zone/check.js';
import type { ZoneProblem } from '../../src/zone/problem.js';
import { APEX, rowsOf } from './zone-text.js';

const zone = Name.parse('example.');

async function check(
  text: string,
  views: readonly (string | null)[] = ['internal', 'external'],
): Promise<ZoneProblem[]> {
  const problems: ZoneProblem[] = [];
  for await (const problem of checkZone([rowsOf('example.', text)], { zone, views })) problems.push(problem);
  return problems;
}

const brief = (problems: readonly ZoneProblem[]): string[] =>
  problems.map(({ severity, view, owner, type, rule }) => [severity, view, owner, type, rule].join(' '));

describe('problems are judged in each view', () => {
  it('finds none in a sound zone with split answers', async () => {
    expect(
      await check(`${APEX}
        [internal] www 60 A 192.0.2.1
        [external] www 60 A 192.0.2.2
        mail 60 MX 10 www.example.`),
    ).toEqual([]);
  });

  it('tells once what all views have', async () => {
    expect(brief(await check(`${APEX}\n a 60 CNAME b.\n a 60 A 192.0.2.1\n b 60 A x`))).toEqual([
      'error  b.example. A rdata-invalid',
      'error  a.example. CNAME cname-beside-data',
    ]);
  });

  it('names the one view of a zone that has one', async () => {
    expect(brief(await check(`${APEX}\n b 60 A x`, ['internal']))).toEqual([
      'error internal b.example. A rdata-invalid',
    ]);
    expect(brief(await check(`${APEX}\n b 60 A x`, [null]))).toEqual(['error  b.example. A rdata-invalid']);
  });

  it('names each view that has it, when not all do', async () => {
    const problems = await check(
      `${APEX}
      a 60 A 192.0.2.1
      [internal,lab] a 60 CNAME b.`,
      ['internal', 'external', 'lab'],
    );
    expect(brief(problems)).toEqual([
      'error internal a.example. CNAME cname-beside-data',
      'error lab a.example. CNAME cname-beside-data',
    ]);
  });

  it('finds rows whose views overlap, in the views where they do', async () => {
    const problems = await check(
      `${APEX}\n [internal] a 60 A 192.0.2.1\n [internal,external] a 60 A 192.0.2.2`,
    );
    expect(brief(problems)).toEqual(['error internal a.example. A views-overlap']);
    expect(problems[0]?.message).toBe(
      'zone example. (view internal): a.example. A: several rows of this owner and type are seen by the same view; ' +
        'make their views distinct, or put their data into one row',
    );
    expect(brief(await check(`${APEX}\n a 60 A 192.0.2.1\n [external] a 60 A 192.0.2.2`))).toEqual([
      'error external a.example. A views-overlap',
    ]);
  });

  it('finds a SOA that one view does not see, and the apex that none does', async () => {
    expect(
      brief(
        await check(`
          [internal] @ 60 SOA a. b. 1 2 3 4 5
          @ 60 NS ns.other.test.`),
      ),
    ).toEqual(['error external example. SOA soa-missing']);
    expect(brief(await check(''))).toEqual([
      'error  example. SOA soa-missing',
      'error  example. NS ns-missing',
    ]);
  });

  it('warns alone of faulty rows that no judged view sees, and errs on those seen by nobody at all', async () => {
    expect(brief(await check(`${APEX}\n [lab] a 60 A x`))).toEqual(['warning  a.example. A rdata-invalid']);
    expect(brief(await check(`${APEX}\n [] a 60 A 192.0.2.1`))).toEqual(['error  a.example. A views-empty']);
  });
});

describe('data in one view below a cut of another', () => {
  it('is a warning, once for a cut, with the first name', async () => {
    const problems = await check(`${APEX}
      [external] sub 60 NS ns.other.test.
      [internal] sub 60 A 192.0.2.1
      [internal] a.sub 60 A 192.0.2.1
      [internal] b.sub 60 A 192.0.2.1
      [external] tub 60 NS ns.other.test.
      a.tub 60 A 192.0.2.1`);
    expect(brief(problems)).toEqual([
      'warning internal a.sub.example.  below-cut-of-other-view',
      'warning internal a.tub.example.  below-cut-of-other-view',
    ]);
    expect(problems[0]?.message).toContain(
      'lies below the zone cut sub.example., which view external has and this view has not',
    );
  });

  it('is none when both have the cut, or the data is the cut’s own', async () => {
    expect(
      await check(`${APEX}
        sub 60 NS ns.sub.example.
        ns.sub 60 A 192.0.2.1
        [internal] x.sub 60 A 192.0.2.1
        [external] tub 60 NS ns.tub.example.
        [external] ns.tub 60 A 192.0.2.1`),
    ).toEqual([]);
  });
});

describe('targets that are aliases (RFC 2181 §10.3)', () => {
  it('are warnings for MX, NS and SRV, whichever comes first', async () => {
    const problems = await check(`${APEX}
      a 60 CNAME b.other.test.
      m 60 MX 10 a.example.
      n 60 MX 10 a.example.
      s 60 SRV 0 0 1 z.example.
      t 60 NS A.example.
      z 60 CNAME b.other.test.
      x 60 MX 10 outside.test.
      y 60 MX 0 .`);
    expect(brief(problems)).toEqual([
      'warning  m.example. MX target-is-alias',
      'warning  s.example. SRV target-is-alias',
      'warning  t.example. NS target-is-alias',
    ]);
    expect(problems[0]?.message).toContain('points to a.example., which is an alias (as 1 more do)');
  });

  it('count names below a DNAME', async () => {
    expect(brief(await check(`${APEX}\n d 60 DNAME other.test.\n m 60 MX 10 x.y.d.example.`))).toEqual([
      'warning  m.example. MX target-is-alias',
    ]);
    expect(brief(await check(`${APEX}\n d 60 DNAME other.test.\n m 60 MX 10 d.example.`))).toEqual([]);
  });

  it('are judged in each view', async () => {
    expect(
      brief(
        await check(`${APEX}
          [internal] a 60 CNAME b.other.test.
          [external] a 60 A 192.0.2.1
          m 60 MX 10 a.example.`),
      ),
    ).toEqual(['warning internal m.example. MX target-is-alias']);
  });

  it('are none where the alias is below a cut', async () => {
    expect(
      await check(`${APEX}\n s 60 NS ns.other.test.\n a.s 60 CNAME b.\n m 60 MX 10 a.s.example.`),
    ).toEqual([]);
  });
});

describe('servers named in the zone without an address there', () => {
  it('are warnings at the apex and for children that need glue', async () => {
    const problems = await check(`${APEX}
      @ 3600 NS ns.example.
      @ 3600 NS ok.example.
      ok 60 AAAA 2001:db8::1
      s 60 NS ns.s.example.
      s 60 NS ok.s.example.
      ok.s 60 A 192.0.2.1
      t 60 NS sibling.s.example.`);
    expect(brief(problems)).toEqual([
      'warning  example. NS ns-without-address',
      'warning  s.example. NS ns-without-address',
    ]);
    expect(problems[0]?.message).toContain(
      'points to ns.example., which has no address in the zone; add its A or AAAA',
    );
  });

  it('are judged in each view, wildcards and aliases apart', async () => {
    expect(
      brief(
        await check(`${APEX}
          @ 3600 NS ns.example.
          @ 3600 NS any.w.example.
          @ 3600 NS alias.example.
          [internal] ns 60 A 192.0.2.1
          *.w 60 A 192.0.2.1
          alias 60 CNAME x.`),
      ),
    ).toEqual(['warning  example. NS target-is-alias', 'warning external example. NS ns-without-address']);
  });
});
