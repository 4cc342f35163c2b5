import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeName, lowerOctets, Name, nameOctetsAt, nameTextAt } from '../../src/dns/name.js';

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
const octets = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const invalid = (reason: RegExp) =>
  expect.objectContaining({
    code: 'NAME_INVALID',
    message: expect.stringMatching(reason) as string,
  }) as Error;

/** Labels that are often equal but for case, or a prefix of one another, and that hold the octets where escapes begin. */
const label = fc.oneof(
  fc.constantFrom(
    'a',
    'A',
    'b',
    'ab',
    'aB',
    '*',
    '\0',
    '\x01',
    '\x00\x00',
    '.',
    '\\',
    '@',
    '[',
    '`',
    'Z',
    'z',
    '\xff',
  ),
  fc.uint8Array({ minLength: 1, maxLength: 12 }).map((value) => Buffer.from(value).toString('latin1')),
  fc.uint8Array({ minLength: 1, maxLength: 63 }).map((value) => Buffer.from(value).toString('latin1')),
);
const name = fc
  .array(label, { maxLength: 8 })
  .filter((labels) => labels.reduce((sum, each) => sum + each.length + 1, 1) <= 255)
  .map((labels) => Name.fromLabels(labels.map((each) => Uint8Array.from(Buffer.from(each, 'latin1')))));

describe('RFC 1035 §5.1: names in presentation format', () => {
  const origin = Name.parse('Example.');
  it.each([
    ['.', '00', '.'],
    ['a.', '016100', 'a.'],
    ['a', '0161074578616d706c6500', 'a.Example.'],
    ['@', '074578616d706c6500', 'Example.'],
    ['\\@', '0140074578616d706c6500', '\\@.Example.'],
    ['a@b.', '0361406200', 'a\\@b.'],
    ['a\\.b.', '03612e6200', 'a\\.b.'],
    ['a\\\\.b.', '02615c016200', 'a\\\\.b.'],
    ['\\065.', '014100', 'A.'],
    ['\\000\\255.', '0200ff00', '\\000\\255.'],
    ['\\046.', '012e00', '\\..'],
    ['a\\ b.', '0361206200', 'a\\032b.'],
    ['\\"\\(\\)\\;\\$.', '052228293b2400', '\\"\\(\\)\\;\\$.'],
    ['$a.', '02246100', '\\$a.'],
    ['*.a_b-c/d.', '012a07615f622d632f6400', '*.a_b-c/d.'],
    ['a+b!.', '04612b622100', 'a\\043b\\033.'],
    ['\\a\\.', '02612e074578616d706c6500', 'a\\..Example.'],
  ])('%s', (text, wire, written) => {
    const parsed = Name.parse(text, origin);
    expect(hex(parsed.wire)).toBe(wire);
    expect(parsed.toString()).toBe(written);
    expect(JSON.stringify({ parsed })).toBe(JSON.stringify({ parsed: written }));
  });

  it.each([
    ['', /empty/],
    ['..', /label is empty/],
    ['.a.', /label is empty/],
    ['a..b.', /label is empty/],
    ['a..', /label is empty/],
    ['\\256.', /three digits/],
    ['\\25', /three digits/],
    ['\\2a5.', /three digits/],
    ['\\25a.', /three digits/],
    ['a\\', /backslash/],
    ['a b.', /escaped/],
    ['a\tb.', /escaped/],
    ['a\nb.', /escaped/],
    ['"a".', /escaped/],
    ['a;b.', /escaped/],
    ['(a).', /escaped/],
    ['a\x7f.', /escaped/],
    ['é.', /\\DDD/],
    ['\\é.', /\\DDD/],
    ['\u0161.', /\\DDD/],
    ['\u{1f600}.', /\\DDD/],
    ['\ufeffa.', /\\DDD/],
  ])('%j is refused', (text, reason) => {
    expect(() => Name.parse(text, origin)).toThrow(invalid(reason));
  });

  it('a relative name without an origin is refused', () => {
    expect(() => Name.parse('a')).toThrow(invalid(/relative/));
    expect(() => Name.parse('@')).toThrow(invalid(/relative/));
    expect(() => Name.parse('a\\.')).toThrow(invalid(/relative/));
  });

  it('a long name is cut in the error', () => {
    expect(() => Name.parse(`${'a'.repeat(5000)}.`)).toThrow(invalid(/^name "a{80}…": /));
  });
});

describe('RFC 1035 §2.3.4: labels of 63 and names of 255 octets', () => {
  const l63 = 'a'.repeat(63);
  const l61 = 'a'.repeat(61);

  it('a label of 63 octets passes, one of 64 does not', () => {
    expect(Name.parse(`${l63}.`).wire).toHaveLength(65);
    expect(() => Name.parse(`${l63}a.`)).toThrow(invalid(/63 octets/));
    expect(() => Name.parse(`${l63}a`, Name.root)).toThrow(invalid(/63 octets/));
    expect(Name.parse(`${'\\097'.repeat(63)}.`).wire).toHaveLength(65);
    expect(() => Name.fromLabels([new Uint8Array(64)])).toThrow(invalid(/1 to 63/));
    expect(() => Name.fromLabels([new Uint8Array(0)])).toThrow(invalid(/1 to 63/));
  });

  it('a name of 255 octets passes, one of 256 does not', () => {
    const longest = `${l63}.${l63}.${l63}.${l61}`;
    expect(Name.parse(`${longest}.`).wire).toHaveLength(255);
    expect(Name.parse(longest, Name.root).wire).toHaveLength(255);
    expect(() => Name.parse(`${longest}a.`)).toThrow(invalid(/255 octets/));
    expect(() => Name.parse(`${longest}a`, Name.root)).toThrow(invalid(/255 octets/));
    expect(() => Name.parse(longest, Name.parse('a.'))).toThrow(invalid(/255 octets/));
    expect(() => Name.parse('a', Name.parse(`${longest}.`))).toThrow(invalid(/255 octets/));
    expect(() => Name.parse(`${longest}.`).prepend(Uint8Array.of(97))).toThrow(invalid(/255 octets/));
    expect(Name.parse('a.'.repeat(127)).labelCount).toBe(127);
    expect(() => Name.parse('a.'.repeat(128))).toThrow(invalid(/255 octets/));
    expect(() => Name.parse(`${'a.'.repeat(127)}a`, Name.root)).toThrow(invalid(/255 octets/));
  });

  it.each([
    ['', /cut off/],
    ['0161', /cut off/],
    ['05616100', /cut off/],
    ['c00c', /compression pointer/],
    ['0161c000', /compression pointer/],
    ['40', /63 octets/],
    ['80', /63 octets/],
    ['00ff', /follow the root/],
    [`${`3f${'61'.repeat(63)}`.repeat(4)}00`, /255 octets/],
  ])('wire %s is refused', (wire, reason) => {
    expect(() => Name.fromWire(octets(wire))).toThrow(invalid(reason));
  });

  it('nothing beyond the room for a name is written, and nothing before it', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300, unit: fc.constantFrom('a', '.', '\\', '1', 'bb') }), (text) => {
        const out = new Uint8Array(512).fill(0xee);
        try {
          const length = encodeName(text, Name.root, out, 100);
          expect(nameOctetsAt(out, 100)).toBe(length);
        } catch (error) {
          expect(error).toMatchObject({ code: 'NAME_INVALID' });
        }
        expect(out.subarray(0, 100).every((octet) => octet === 0xee)).toBe(true);
        expect(out.subarray(356).every((octet) => octet === 0xee)).toBe(true);
      }),
    );
  });
});

describe('presentation and wire', () => {
  it('go round', () => {
    fc.assert(
      fc.property(name, (each) => {
        const text = each.toString();
        expect(text).toMatch(/^[\x21-\x7e]+$/);
        expect(hex(Name.parse(text).wire)).toBe(hex(each.wire));
        expect(nameTextAt(each.wire, 0)).toBe(text);
        expect(hex(Name.fromLabels(each.labels()).wire)).toBe(hex(each.wire));
        expect(each.labels()).toHaveLength(each.labelCount);
      }),
    );
  });

  it('relative to an origin is the labels of both', () => {
    fc.assert(
      fc.property(name, name, (first, origin) => {
        const relative = first.toString().slice(0, -1);
        fc.pre(relative !== '' && first.wire.length + origin.wire.length - 1 <= 255);
        expect(Name.parse(relative, origin).labels()).toEqual([...first.labels(), ...origin.labels()]);
      }),
    );
  });

  it('a name read from a Buffer is a copy', () => {
    const message = Buffer.from('ff016100ff', 'hex');
    const read = Name.readWire(message, 1);
    message.fill(0xff);
    expect(hex(read.wire)).toBe('016100');
    expect(Object.getPrototypeOf(read.wire)).toBe(Uint8Array.prototype);
  });
});

describe('RFC 4343: case does not matter, but is kept', () => {
  it('in equality, keys and suffixes', () => {
    fc.assert(
      fc.property(name, name, (a, b) => {
        const upper = Name.fromWire(
          a.wire.map((octet) => (octet >= 0x61 && octet <= 0x7a ? octet - 0x20 : octet)),
        );
        expect(upper.equals(a)).toBe(true);
        expect(upper.key).toBe(a.key);
        expect(upper.compare(a)).toBe(0);
        expect(hex(upper.sortKey())).toBe(hex(a.sortKey()));
        expect(upper.isAtOrBelow(a) && a.isAtOrBelow(upper)).toBe(true);
        expect(hex(a.toLower().wire)).toBe(hex(lowerOctets(a.wire)));
        const same = hex(lowerOctets(a.wire)) === hex(lowerOctets(b.wire));
        expect(a.equals(b)).toBe(same);
        expect(a.key === b.key).toBe(same);
        expect(a.compare(b) === 0).toBe(same);
      }),
    );
  });

  it('is folded for ASCII letters alone', () => {
    expect(Name.parse('\\193.').equals(Name.parse('\\225.'))).toBe(false);
    expect(Name.parse('\\@[.').equals(Name.parse('`{.'))).toBe(false);
    expect(Name.parse('AZ.').toLower().toString()).toBe('az.');
  });
});

describe('RFC 4034 §6.1: canonical order', () => {
  const ordered = [
    'example.',
    'a.example.',
    'yljkjljk.a.example.',
    'Z.a.example.',
    'zABC.a.EXAMPLE.',
    'z.example.',
    '\\001.z.example.',
    '*.z.example.',
    '\\200.z.example.',
  ];

  it("is that of the RFC's example", () => {
    const names = ordered.map((text) => Name.parse(text));
    const shuffled = names.toReversed().toSorted((a, b) => a.compare(b));
    expect(shuffled.map(String)).toEqual(names.map(String));
  });

  it.each([
    ['a.', 'a.a.'],
    ['a.', '\\000.a.'],
    ['\\000.a.', '\\000\\000.a.'],
    ['\\000\\000.a.', '\\000\\001.a.'],
    ['\\000\\001.a.', '\\001.a.'],
    ['\\001.a.', '\\001\\000.a.'],
    ['z.a.', 'a\\000.'],
    ['z.a.', 'aa.'],
    ['\\255.a.', 'b.'],
    ['.', '\\000.'],
  ])('%s before %s', (first, second) => {
    const [a, b] = [Name.parse(first), Name.parse(second)];
    expect(a.compare(b)).toBeLessThan(0);
    expect(Buffer.compare(a.sortKey(), b.sortKey())).toBe(-1);
  });

  it('is the bytewise order of the sort keys', () => {
    fc.assert(
      fc.property(name, name, (a, b) => {
        const order = Buffer.compare(a.sortKey(), b.sortKey());
        expect(Math.sign(a.compare(b))).toBe(order);
        expect(Math.sign(b.compare(a))).toBe(order === 0 ? 0 : -order);
      }),
      { numRuns: 2000 },
    );
  });

  it('has everything below a name between its sort key and the next at its level', () => {
    fc.assert(
      fc.property(name, name, (a, b) => {
        const key = a.sortKey();
        const starts = Buffer.compare(b.sortKey().subarray(0, key.length), key) === 0;
        expect(b.isAtOrBelow(a)).toBe(starts);
      }),
      { numRuns: 1000 },
    );
  });

  it('compares labels, lower-cased, from the right', () => {
    const folded = (each: Name) =>
      each
        .labels()
        .map((part) => hex(lowerOctets(part)))
        .reverse();
    fc.assert(
      fc.property(name, name, (a, b) => {
        const [left, right] = [folded(a), folded(b)];
        const at = left.findIndex((part, i) => part !== right[i]);
        const expected =
          at < 0 || right[at] === undefined
            ? left.length - right.length
            : (left[at] as string) < right[at]
              ? -1
              : 1;
        expect(Math.sign(a.compare(b))).toBe(Math.sign(expected));
      }),
    );
  });
});

describe('the tree of names', () => {
  const parse = (text: string) => Name.parse(text);

  it.each([
    ['a.b.c.', 1, 'b.c.'],
    ['a.b.c.', 2, 'c.'],
    ['a.b.c.', 3, '.'],
    ['a.b.c.', 9, '.'],
    ['a.b.c.', 0, 'a.b.c.'],
    ['.', 1, '.'],
  ])('the parent of %s, %i up, is %s', (text, labels, parent) => {
    expect(parse(text).parent(labels).toString()).toBe(parent);
  });

  it.each([
    ['a.b.', 'b.', true],
    ['A.B.', 'b.', true],
    ['b.', 'b.', true],
    ['ab.', 'b.', false],
    ['b.', 'a.b.', false],
    ['x.', '.', true],
    ['.', '.', true],
    ['.', 'a.', false],
    ['a\\001b.', 'b.', false],
    ['x\\003www.', 'www.', false],
    ['x\\003www.c.', 'www.c.', false],
  ])('%s at or below %s: %s', (below, above, expected) => {
    expect(parse(below).isAtOrBelow(parse(above))).toBe(expected);
  });

  it('a name is below each of its parents and they are its suffixes', () => {
    fc.assert(
      fc.property(name, fc.nat(9), (each, up) => {
        const parent = each.parent(up);
        expect(each.isAtOrBelow(parent)).toBe(true);
        expect(parent.labels()).toEqual(each.labels().slice(Math.min(up, each.labelCount)));
        expect(Name.fromWire(parent.wire).equals(parent)).toBe(true);
      }),
    );
  });

  it('knows the root, wildcards and labels', () => {
    expect(Name.root.isRoot && Name.root.labelCount === 0).toBe(true);
    expect(parse('a.').isRoot).toBe(false);
    expect(parse('*.a.').isWildcard).toBe(true);
    expect(parse('a.*.b.').isWildcard || parse('**.a.').isWildcard || parse('a.').isWildcard).toBe(false);
    expect(parse('a.b.').prepend(Buffer.from('C.')).toString()).toBe('C\\..a.b.');
  });
});
