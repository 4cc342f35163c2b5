/** A set of the views being judged: bit n stands for the nth. */
export type ViewMask = bigint;

/** Numbers the views being judged, and knows which of them see a row. */
export class ViewSet {
  readonly views: readonly (string | null)[];
  /** All views being judged. */
  readonly all: ViewMask;
  readonly #masks = new Map<string, ViewMask>();

  constructor(views: readonly (string | null)[]) {
    this.views = views;
    this.all = (1n << BigInt(views.length)) - 1n;
  }

  /** The views that see a row tagged so. */
  maskOf(rowViews: readonly string[] | null): ViewMask {
    if (rowViews === null) return this.all;
    const key = rowViews.join('\0');
    let mask = this.#masks.get(key);
    if (mask === undefined) {
      mask = 0n;
      for (const [i, view] of this.views.entries())
        if (view === null || rowViews.includes(view)) mask |= 1n << BigInt(i);
      this.#masks.set(key, mask);
    }
    return mask;
  }

  /**
   * The views of a mask as problems name them: null, once, when it is all of several; else each one.
   */
  namesOf(mask: ViewMask): (string | null)[] {
    if (mask === this.all && this.views.length !== 1) return [null];
    return this.views.filter((_, i) => ((mask >> BigInt(i)) & 1n) === 1n);
  }
}
