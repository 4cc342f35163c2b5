const CLASSES = 'alnum alpha blank cntrl digit graph lower print punct space upper xdigit'.split(' ');
const ESCAPE = '\\';

/**
 * The index after a bracket expression whose opening bracket stands at `open`: perhaps `^`, then at least one character,
 * range, class `[:alpha:]`, collating element `[.x.]` or equivalence `[=x=]`. Undefined when it is broken.
 */
function bracketEnd(text: string, open: number): number | undefined {
  let at = open + (text[open + 1] === '^' ? 2 : 1);
  const first = at;
  let low: string | undefined; // the character that a hyphen would make the beginning of a range
  while (at < text.length) {
    const char = text[at] as string;
    if (char === ']' && at > first) return at + 1;
    if (char === '[' && ':.='.includes(text[at + 1] ?? ' ')) {
      const kind = text[at + 1] as string;
      const close = text.indexOf(`${kind}]`, at + 2);
      const content = text.slice(at + 2, close);
      if (close < 0 || content === '' || (kind === ':' && !CLASSES.includes(content))) return undefined;
      at = close + 2;
      low = undefined;
    } else if (char === '-' && low !== undefined && text[at + 1] !== ']') {
      const high = text[at + 1];
      const isElement = high === '[' && ':.='.includes(text[at + 2] ?? ' ');
      if (high === undefined || high < low || isElement) return undefined;
      at += 2;
      low = undefined;
    } else {
      low = char;
      at++;
    }
  }
  return undefined;
}

/** The index after a bound such as `{2}`, `{2,}` or `{2,5}`, numbers up to 255; undefined when it is broken. */
function boundEnd(text: string, open: number): number | undefined {
  const match = /^\{([0-9]{1,3})(?:,([0-9]{1,3})?)?\}/.exec(text.slice(open));
  if (match === null) return undefined;
  const low = Number(match[1]);
  const high = Number(match[2] ?? 255);
  return low <= high && high <= 255 ? open + match[0].length : undefined;
}

/**
 * The number of groups of an extended regular expression (POSIX 1003.2 §2.8); undefined when it is none: nothing to
 * repeat or repeated twice, an empty branch, a reference to no group, brackets or parentheses left open.
 */
export function countRegexGroups(text: string): number | undefined {
  let groups = 0;
  let depth = 0;
  let hasAtom = false;
  let isRepeated = false; // the last atom has all the repetition it may have
  let isOpened = false; // nothing stands after the opening parenthesis, so that the group may end
  for (let at = 0; at < text.length; ) {
    const char = text[at] as string;
    const isBound = char === '{' && /[0-9]/.test(text[at + 1] ?? '');
    if (isBound || char === '*' || char === '+' || char === '?') {
      if (!hasAtom || isRepeated) return undefined;
      const end = isBound ? boundEnd(text, at) : at + 1;
      if (end === undefined) return undefined;
      at = end;
      isRepeated = true;
      continue;
    }
    isRepeated = char === '^' || char === '$'; // anchors cannot be repeated at all
    if (char === '(' || char === '|') {
      if (char === '|' && !hasAtom) return undefined;
      if (char === '(') {
        groups++;
        depth++;
      }
      isOpened = char === '(';
      hasAtom = false;
      at++;
      continue;
    }
    if (char === ')' && depth > 0) {
      if (!hasAtom && !isOpened) return undefined;
      depth--;
      at++;
    } else if (char === '[') {
      const end = bracketEnd(text, at);
      if (end === undefined) return undefined;
      at = end;
    } else if (char === ESCAPE) {
      const escaped = text[at + 1];
      if (escaped === undefined || (/[1-9]/.test(escaped) && Number(escaped) > groups)) return undefined;
      at += 2;
    } else at++;
    hasAtom = true;
    isOpened = false;
  }
  return depth === 0 && hasAtom ? groups : undefined;
}
