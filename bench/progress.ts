const isTerminal = process.stderr.isTTY;
const CLEAR_LINE = '\r\u001b[2K';
const EVERY_MS = 1000;

/** Tells how far a run has come. */
export function say(text: string): void {
  process.stderr.write(`${isTerminal ? CLEAR_LINE : ''}${text}\n`);
}

/** Does something that takes long; on a terminal, with a line meanwhile that says for how long it has been at it, and how far it is. */
export async function during<T>(what: string, work: () => Promise<T>, far?: () => string): Promise<T> {
  if (!isTerminal) return work();
  const begun = performance.now();
  const timer = setInterval(() => {
    const seconds = ((performance.now() - begun) / 1000).toFixed(0);
    process.stderr.write(`${CLEAR_LINE}  ${what}: ${seconds} s${far === undefined ? '' : `, ${far()}`}`);
  }, EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    process.stderr.write(CLEAR_LINE);
  }
}
