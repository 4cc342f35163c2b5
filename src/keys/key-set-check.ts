import { ALGORITHMS, algorithmToText } from '../dnssec/algorithm.js';
import { DNSKEY_REVOKE, DNSKEY_SEP, DNSKEY_ZONE, dnskeyRdata, keyTag } from '../dnssec/dnskey.js';
import { type KeySetProblem, signingKeys, type ZoneKey } from './key-set.js';

type Problem = Omit<KeySetProblem, 'view' | 'severity'> & Partial<Pick<KeySetProblem, 'view' | 'severity'>>;

/**
 * What a key set lacks or contradicts, for the views that its zone is served in. Every algorithm that is published
 * has to sign every RRset of every view (RFC 4035 §2.2), and a validator has to find the keys that do. Keys that sign and are not published
 * are no fault: an algorithm signs before its DNSKEY is there (RFC 6781 §4.1.4).
 * @param views the zone's views; none stands for one without keys of its own
 */
export function checkKeySet(keys: readonly ZoneKey[], views: readonly string[]): KeySetProblem[] {
  const problems: Problem[] = [
    ...keys.flatMap(keyProblems),
    ...pairProblems(keys),
    ...strayViews(keys, views),
  ];
  const algorithms = new Set(keys.filter((key) => key.published).map((key) => key.algorithm));
  if (algorithms.size === 0) {
    problems.push({
      rule: 'no-published-key',
      message: 'no key is published; publish a KSK and a ZSK, or a CSK',
    });
  }
  for (const algorithm of [...algorithms].sort((a, b) => a - b)) {
    problems.push(...missingKeySigner(keys, algorithm));
    problems.push(...missingZoneSigner(keys, algorithm, views));
  }
  return problems.map((problem) => ({ severity: 'error', view: null, ...problem }));
}

function keyProblems(key: ZoneKey): Problem[] {
  const problems: Problem[] = [];
  const about = { algorithm: key.algorithm, keyTag: key.keyTag };
  const add = (rule: string, message: string, severity: 'error' | 'warning' = 'error') =>
    problems.push({ rule, severity, ...about, message: `key ${key.keyTag}: ${message}` });
  if (!ALGORITHMS.has(key.algorithm))
    add('algorithm-unsupported', `algorithm ${key.algorithm} is not supported`);
  if ((key.flags & DNSKEY_ZONE) === 0)
    add('not-a-zone-key', 'the ZONE flag (256) is missing; validators ignore the key');
  const entryPoint = (key.flags & DNSKEY_SEP) !== 0;
  if (entryPoint !== (key.role !== 'ZSK')) {
    add('flags-of-role', `flags ${key.flags} do not fit a ${key.role}`, 'warning');
  }
  if (keyTag(dnskeyRdata(key)) !== key.keyTag) {
    add('key-tag-wrong', `its DNSKEY has key tag ${keyTag(dnskeyRdata(key))}; import the key anew`);
  }
  if (key.view !== null && key.role !== 'ZSK') {
    add(
      'view-of-key-signing-key',
      `a ${key.role} cannot be for one view; the DNSKEY RRset is the same in all`,
    );
  }
  if (key.parent === true && key.role === 'ZSK') {
    add('zsk-at-parent', 'a ZSK has no DS at the parent; name a KSK or CSK in CDS');
  }
  if ((key.flags & DNSKEY_REVOKE) !== 0 && key.role === 'ZSK') {
    add('revoked-zsk', 'a ZSK has no use for the REVOKE flag; remove the key instead', 'warning');
  }
  return problems;
}

function pairProblems(keys: readonly ZoneKey[]): Problem[] {
  const problems: Problem[] = [];
  keys.forEach((key, i) => {
    for (const other of keys.slice(0, i)) {
      if (other.algorithm !== key.algorithm || other.keyTag !== key.keyTag) continue;
      const same = Buffer.compare(dnskeyRdata(other), dnskeyRdata(key)) === 0;
      problems.push({
        rule: same ? 'key-twice' : 'key-tag-shared',
        severity: same ? 'error' : 'warning',
        algorithm: key.algorithm,
        keyTag: key.keyTag,
        message: same
          ? `key ${key.keyTag} is in the key set twice; remove one`
          : `two keys of algorithm ${algorithmToText(key.algorithm)} share the tag ${key.keyTag}; validators try both`,
      });
    }
  });
  return problems;
}

function strayViews(keys: readonly ZoneKey[], views: readonly string[]): Problem[] {
  return keys
    .filter((key) => key.view !== null && !views.includes(key.view))
    .map((key) => ({
      rule: 'view-unknown',
      severity: 'warning',
      view: key.view,
      keyTag: key.keyTag,
      algorithm: key.algorithm,
      message: `key ${key.keyTag} is for view ${key.view}, in which the zone is not served`,
    }));
}

/** At least one published KSK or CSK of the algorithm signs the DNSKEY RRset. */
function missingKeySigner(keys: readonly ZoneKey[], algorithm: number): Problem[] {
  const signers = signingKeys(keys, null).keySigning.filter((key) => key.algorithm === algorithm);
  if (signers.some((key) => key.published && (key.flags & DNSKEY_REVOKE) === 0)) return [];
  const name = algorithmToText(algorithm);
  const message = `algorithm ${name} is published, but no published KSK or CSK of it signs the DNSKEY RRset`;
  return [{ rule: 'no-key-signing-key', algorithm, message }];
}

/** In each view at least one published ZSK or CSK of the algorithm signs the zone's data. */
function missingZoneSigner(keys: readonly ZoneKey[], algorithm: number, views: readonly string[]): Problem[] {
  const name = algorithmToText(algorithm);
  const lacking = (views.length === 0 ? [null] : views).filter((view) => {
    const signers = signingKeys(keys, view).zoneSigning.filter((key) => key.algorithm === algorithm);
    return !signers.some((key) => key.published && (key.flags & DNSKEY_REVOKE) === 0);
  });
  return lacking.map((view) => ({
    rule: 'no-zone-signing-key',
    view,
    algorithm,
    message: `algorithm ${name} is published, but no published ZSK or CSK of it signs ${view === null ? 'the zone' : `in view ${view}`}`,
  }));
}
