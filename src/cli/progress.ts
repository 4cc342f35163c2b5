import cliProgress from 'cli-progress';

/** How far a long piece of work is. */
export interface Progress {
  /** Begins a piece of work; ends the one before it. @param total how many steps it has, where that is known */
  begin(what: string, total?: number): void;
  /** Steps done of the piece at hand. */
  update(done: number): void;
  end(): void;
}

const SILENT: Progress = { begin: () => undefined, update: () => undefined, end: () => undefined };

/** Bars on standard error while that is a terminal, and no records are being written to the same terminal. */
export function makeProgress(options: {
  readonly quiet: boolean;
  readonly recordsToStdout?: boolean;
}): Progress {
  if (options.quiet || !process.stderr.isTTY) return SILENT;
  if (options.recordsToStdout === true && process.stdout.isTTY) return SILENT;
  return new TerminalProgress();
}

class TerminalProgress implements Progress {
  #bar: cliProgress.SingleBar | undefined;
  #total = 0;

  begin(what: string, total?: number): void {
    this.end();
    this.#total = total ?? 0;
    const counts =
      total === undefined ? '{value}' : '{bar} {percentage} % | {value} of {total} | {eta_formatted} left';
    this.#bar = new cliProgress.SingleBar({
      format: `${what} ${counts}`,
      stream: process.stderr,
      clearOnComplete: true,
      // nothing that an interrupt would leave behind in the terminal
      hideCursor: false,
      linewrap: true,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 30,
      fps: 10,
      gracefulExit: false,
      emptyOnZero: true,
    });
    this.#bar.start(this.#total, 0);
  }

  update(done: number): void {
    this.#bar?.update(done);
  }

  end(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
