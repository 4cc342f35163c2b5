/** What somebody wants a slot for; may become urgent while it waits. */
export interface SlotClaim {
  isUrgent: boolean;
}

interface Waiting {
  readonly claim: SlotClaim;
  readonly begin: () => void;
}

/** Slots given out of turn one after another; then the eldest has the next, so that what nobody waits for is done too. */
const URGENT_IN_A_ROW = 7;

/** A bounded number of things at once; the others wait in order, those first that a client waits for. */
export class Slots {
  #free: number;
  readonly #waiting: Waiting[] = [];
  #urgentInARow = 0;

  constructor(count: number) {
    this.#free = count;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves to the call that gives the slot back; further calls of it do nothing. */
  async take(claim: SlotClaim = { isUrgent: false }): Promise<() => void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((begin) => this.#waiting.push({ claim, begin }));
    let given = false;
    return () => {
      if (given) return;
      given = true;
      const next = this.#next();
      if (next === undefined) this.#free++;
      else next.begin();
    };
  }

  #next(): Waiting | undefined {
    const urgent = this.#waiting.findIndex(({ claim }) => claim.isUrgent);
    const isOutOfTurn = urgent > 0 && this.#urgentInARow < URGENT_IN_A_ROW;
    this.#urgentInARow = isOutOfTurn ? this.#urgentInARow + 1 : 0;
    return this.#waiting.splice(isOutOfTurn ? urgent : 0, 1)[0];
  }
}
