import fc from 'fast-check';

/** The zone of these histories. */
export const ZONE = 'z.';

// names with shared ancestors, cuts above and below others, wildcards, and empty non-terminals
const LABELS = ['a', 'b', 'c', '*', 'Sub', '\\000'];
const owners = fc
  .array(fc.constantFrom(...LABELS), { minLength: 0, maxLength: 3 })
  .map((labels) => [...labels, ZONE].join('.').replace(/^z\.$/, ZONE));
const TYPES: Readonly<Record<string, readonly string[]>> = {
  A: ['192.0.2.1', '192.0.2.2'],
  TXT: ['"one"', '"two"'],
  MX: ['10 a.z.', '20 b.z.'],
  NS: ['a.z.', 'ns.a.z.', 'elsewhere.example.'],
  DS: [`1 13 2 ${'ab'.repeat(32)}`],
  CNAME: ['b.z.'],
  DNAME: ['example.'],
};

export type Edit =
  | {
      readonly kind: 'put';
      readonly owner: string;
      readonly type: string;
      readonly data: string[];
      readonly views: string[] | null;
      readonly ttl: number;
    }
  | { readonly kind: 'drop'; readonly owner: string; readonly type: string }
  | { readonly kind: 'clear'; readonly owner: string };

export const edits: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 5,
    arbitrary: owners.chain((owner) =>
      fc.constantFrom(...Object.keys(TYPES), 'A', 'A', 'NS').chain((type) =>
        fc.record({
          kind: fc.constant('put' as const),
          owner: fc.constant(owner),
          type: fc.constant(type),
          data: fc.subarray([...(TYPES[type] as string[])], { minLength: 1 }),
          views: fc.constantFrom<string[] | null>(null, null, ['internal'], ['external']),
          ttl: fc.constantFrom<number>(60, 300),
        }),
      ),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('drop' as const),
      owner: owners,
      type: fc.constantFrom(...Object.keys(TYPES)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('clear' as const), owner: owners }) },
);
/** Transactions, and the time that passes before each. */
export const DAY = 86_400;
/** A change of the SOA beside its serial: its fields, its TTL, and the TTL of denial records with them. */
const soas = fc.record({
  refresh: fc.constantFrom(3600, 7200),
  expire: fc.constantFrom(86_400, 604_800),
  minimum: fc.constantFrom(300, 60, 900),
  ttl: fc.constantFrom(3600, 120),
});
export interface Soa {
  readonly refresh: number;
  readonly expire: number;
  readonly minimum: number;
  readonly ttl: number;
}

/** What another version of the policy says otherwise; nothing: the same in another version. */
const policyChanges = fc.constantFrom<object>(
  {},
  { validity: '20d' },
  { refresh: '3d' },
  { serial: 'increment' },
  { nsec3: { optOut: true, salt: 'cd', iterations: 0 } },
  { denial: 'nsec' },
  { denial: 'nsec3' },
  { zonemd: true },
  { zonemd: false },
);
const seldom = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });
export const histories = fc.array(
  fc.record({
    transaction: fc.array(edits, { minLength: 0, maxLength: 4 }),
    seconds: fc.constantFrom(0, 10, 10, 3600, 2 * DAY, 6 * DAY, 30 * DAY),
    soa: seldom(soas),
    policyChange: seldom(policyChanges),
  }),
  { minLength: 1, maxLength: 12 },
);
