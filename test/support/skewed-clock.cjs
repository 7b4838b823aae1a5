// Put in front of a program: its wall clock is an hour ahead; its monotonic one is not.
const now = Date.now
const hour = 3_600_000
const Real = Date
globalThis.Date = class extends Real {
  constructor(...args) {
    if (args.length === 0) super(now() + hour)
    else super(...args)
  }
  static now() {
    return now() + hour
  }
}
