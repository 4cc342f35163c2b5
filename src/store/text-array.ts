/**
 * Reads PostgreSQL's text form of a one-dimensional array of texts (`{a,"b c",NULL}`), which is most of what a zone's
 * rows are. Elements that are NULL are left out; the tables allow none.
 * @throws SyntaxError
 */
export function parseTextArray(text: string): string[] {
  if (text === '{}') return [];
  if (!text.startsWith('{') || !text.endsWith('}')) throw new SyntaxError('no one-dimensional array');
  if (!text.includes('"') && !text.includes('\\')) {
    const inside = text.slice(1, -1);
    const plain = inside.includes(',') ? inside.split(',') : [inside];
    return plain.includes('NULL') ? plain.filter((element) => element !== 'NULL') : plain;
  }
  const elements: string[] = [];
  let at = 1;
  while (at < text.length) {
    if (text[at] === '"') {
      let element = '';
      for (at++; text[at] !== '"'; at++) {
        if (at >= text.length) throw new SyntaxError('an element of an array is not closed');
        if (text[at] === '\\') at++;
        element += text[at] ?? '';
      }
      elements.push(element);
      at += 2; // the quote and what separates
    } else {
      let end = text.indexOf(',', at);
      if (end < 0) end = text.length - 1;
      const element = text.slice(at, end);
      if (element !== 'NULL') elements.push(element);
      at = end + 1;
    }
  }
  return elements;
}
