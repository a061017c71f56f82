// @ts-check

// What neighbouring spans did, taken together: time per state, and what must not get lost in it.

import { GONE, RUNNING, STATES } from "../wire.js";
import { MERGED } from "./thinning.js";

/** Of a merged span the running time stands in place of `who`, in these units: it fits for an hour. */
export const RAN_UNIT_NS = 1000;

export class Sums {
  /** Per state. */
  ns = new Float64Array(STATES.length);
  longestRunNs = 0;
  /** The first of them that is something. */
  first = GONE;
  /** Did one of them run for a request? Of whole blocks that is not known. */
  isServed = false;

  clear() {
    // By hand: a built-in for a dozen numbers takes longer to be called.
    for (let s = 0; s < STATES.length; s += 1) this.ns[s] = 0;
    this.longestRunNs = 0;
    this.first = GONE;
    this.isServed = false;
  }

  /** One more, as the columns have it. */
  add(state, lengthNs, who) {
    if (state & MERGED) {
      const ranNs = who * RAN_UNIT_NS;
      this.ns[state & ~MERGED] += lengthNs - ranNs;
      this.ns[RUNNING] += ranNs;
      state &= ~MERGED;
    } else {
      this.ns[state] += lengthNs;
      if (state === RUNNING && who) this.isServed = true;
    }
    if (state === RUNNING && lengthNs > this.longestRunNs) this.longestRunNs = lengthNs;
    if (this.first === GONE) this.first = state;
  }
}
