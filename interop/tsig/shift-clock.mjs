// Preloaded (NODE_OPTIONS=--import=…) into a process whose clock is to differ from the host's, CLOCK_SHIFT_SECONDS ahead.
const shift = Number(process.env.CLOCK_SHIFT_SECONDS ?? 0) * 1000;
const HostDate = Date;

globalThis.Date = class extends HostDate {
  constructor(...given) {
    if (given.length === 0) super(HostDate.now() + shift);
    else super(...given);
  }

  static now() {
    return HostDate.now() + shift;
  }
};
