const RANGE = /^([0-9]{1,10})-([0-9]{1,10})(?:\/([0-9]{1,10}))?$/;
const SPECIFIER = /^\{([+-]?[0-9]{1,10})(?:,([0-9]{1,3})(?:,([doxXnN]))?)?\}/;
const MAX_NUMBER = 0x7fff_ffff;
const MAX_WIDTH = 127;

/** The numbers a $GENERATE counts through: from start to stop inclusive. */
export interface GenerateRange {
  readonly start: number;
  readonly stop: number;
  readonly step: number;
}

/** `start-stop` or `start-stop/step`. @throws Error whose message is the reason */
export function parseGenerateRange(text: string): GenerateRange {
  const match = RANGE.exec(text);
  const [start, stop, step] = [Number(match?.[1]), Number(match?.[2]), Number(match?.[3] ?? 1)];
  if (match === null || start > stop || step < 1 || stop > MAX_NUMBER || step > MAX_NUMBER) {
    throw new Error(`"${text}" is not a range of the form start-stop or start-stop/step`);
  }
  return { start, stop, step };
}

/** How many numbers a range has. */
export function generateCount(range: GenerateRange): number {
  return Math.floor((range.stop - range.start) / range.step) + 1;
}

type Piece = string | { readonly offset: number; readonly width: number; readonly base: string };

/**
 * Text with `$` where a number goes: `${offset}`, `${offset,width}`, `${offset,width,base}` with base d, o, x, X, or n
 * and N for hexadecimal digits in reverse with dots between; `$$` and `\$` are a dollar sign.
 * @throws Error whose message is the reason
 */
export function parseGenerateTemplate(text: string): (value: number) => string {
  const pieces: Piece[] = [];
  let literal = '';
  for (let at = 0; at < text.length; ) {
    if (text[at] === '\\') {
      literal += text.slice(at, at + 2);
      at += 2;
    } else if (text[at] !== '$') {
      literal += text[at++];
    } else if (text[at + 1] === '$') {
      literal += '$';
      at += 2;
    } else {
      pieces.push(literal);
      literal = '';
      at = pushNumber(pieces, text, at + 1);
    }
  }
  pieces.push(literal);
  return (value) =>
    pieces.map((piece) => (typeof piece === 'string' ? piece : formatNumber(piece, value))).join('');
}

function pushNumber(pieces: Piece[], text: string, at: number): number {
  if (text[at] !== '{') {
    pieces.push({ offset: 0, width: 0, base: 'd' });
    return at;
  }
  const match = SPECIFIER.exec(text.slice(at));
  const width = Number(match?.[2] ?? 0);
  if (match === null || width > MAX_WIDTH) {
    throw new Error(
      `"$${text.slice(at)}" does not begin with a \${offset,width,base} (width to ${MAX_WIDTH}, base doxXnN)`,
    );
  }
  pieces.push({ offset: Number(match[1]), width, base: match[3] ?? 'd' });
  return at + match[0].length;
}

function formatNumber(piece: Exclude<Piece, string>, value: number): string {
  const number = value + piece.offset;
  if (number < 0 || number > MAX_NUMBER)
    throw new Error(`${value} with offset ${piece.offset} is out of range`);
  switch (piece.base) {
    case 'd':
      return number.toString(10).padStart(piece.width, '0');
    case 'o':
      return number.toString(8).padStart(piece.width, '0');
    case 'x':
      return number.toString(16).padStart(piece.width, '0');
    case 'X':
      return number.toString(16).toUpperCase().padStart(piece.width, '0');
    default:
      return nibbles(number, piece.width, piece.base);
  }
}

/** Hexadecimal digits, the lowest first, dots between; the width counts dots, and one at the end is kept if it fits. */
function nibbles(number: number, width: number, base: string): string {
  const digits = number.toString(16).split('').reverse();
  while (digits.length * 2 - 1 < width - 1) digits.push('0');
  const text = digits.join('.') + (width === digits.length * 2 ? '.' : '');
  return base === 'N' ? text.toUpperCase() : text;
}
