// @ts-check

// The spans of one lane, in blocks of a pool's columns. A span ends where the next begins, so only starts
// are kept; the last one is open. What is old can be thinned: neighbours then are one span, which knows
// how much of it ran.

import { GONE, RUNNING, STATES } from "../wire.js";
import { BLOCK, Pool } from "./pool.js";
import { RAN_UNIT_NS } from "./sums.js";
import { GROUP, Group, MERGED } from "./thinning.js";

const SHIFT = Math.log2(BLOCK);

/** One for all lanes: only one is thinned at a time. */
const group = new Group();

export class Spans {
  #pool;
  /** @type {number[]} oldest first */
  #blocks = [];
  /** Spans of the first block that are forgotten. */
  #head = 0;
  count = 0;

  /** @param {Pool} [pool] */
  constructor(pool = new Pool(1)) {
    this.#pool = pool;
  }

  /** Whose columns they are in. */
  get pool() {
    return this.#pool;
  }

  /** Where in the pool's columns span i is: whoever reads many fields of many spans looks once. @param {number} i */
  slot(i) {
    const k = this.#head + i;
    return (this.#blocks[k >> SHIFT] << SHIFT) | (k & (BLOCK - 1));
  }

  /** @param {number} i */
  startNs(i) {
    return this.#pool.starts[this.slot(i)];
  }

  /**
   * @param {number} i
   * @param {number} nowNs where an open span ends
   */
  endNs(i, nowNs) {
    if (i + 1 < this.count) return this.#pool.starts[this.slot(i + 1)];
    return Math.max(nowNs, this.#pool.starts[this.slot(i)]);
  }

  /** Of a merged span: what took most of its time, runs aside. @param {number} i */
  state(i) {
    return this.#pool.states[this.slot(i)] & ~MERGED;
  }

  /** @param {number} i */
  info(i) {
    const at = this.slot(i);
    return this.#pool.states[at] & MERGED ? 0 : this.#pool.infos[at];
  }

  /** @param {number} i */
  who(i) {
    const at = this.slot(i);
    return this.#pool.states[at] & MERGED ? 0 : this.#pool.whos[at];
  }

  /** Slices that were merged into this span; 0: it is itself. @param {number} i */
  merged(i) {
    const at = this.slot(i);
    return this.#pool.states[at] & MERGED ? this.#pool.infos[at] : 0;
  }

  /** How much of a merged span ran; of any other its state tells. @param {number} i */
  ranNs(i) {
    const at = this.slot(i);
    return this.#pool.states[at] & MERGED ? this.#pool.whos[at] * RAN_UNIT_NS : 0;
  }

  /** The state that holds until further notice; GONE when there is none. */
  get openState() {
    return this.count ? this.state(this.count - 1) : GONE;
  }

  /** Enter a state. At the very time the open span began, that span is corrected instead. */
  push(startNs, state, info, who) {
    const lastStart = this.count ? this.startNs(this.count - 1) : -Infinity;
    if (startNs < lastStart) {
      throw new Error(`a row at ${startNs} ns comes after one at ${lastStart} ns`);
    }
    if (startNs === lastStart) return this.#write(this.slot(this.count - 1), startNs, state, info, who);
    if (this.#isFull) {
      // To take one may thin this very lane: only then look at its blocks.
      const block = this.#pool.take();
      this.#blocks.push(block);
    }
    if (this.count) this.#sumUp(this.slot(this.count - 1), startNs);
    this.#append(startNs, state, info, who);
  }

  /** Forget spans that ended before this time. The open span always stays. */
  dropBefore(ns) {
    // Most lanes have nothing that old, and are asked again and again.
    if (this.count && this.startNs(0) > ns) return;
    const keep = this.firstEndingAfter(ns);
    this.#head += keep;
    this.count -= keep;
    this.#pool.give(this.#blocks.splice(0, this.#head >> SHIFT));
    this.#head &= BLOCK - 1;
  }

  /** Forget all of it: the lane is gone. */
  clear() {
    this.#pool.give(this.#blocks);
    this.#blocks = [];
    this.#head = 0;
    this.count = 0;
  }

  /**
   * Merge where spans lie close: of two blocks one is left, and the other is given back.
   * @param {import("./thinning.js").IsDense} isDense are two blocks of so long to be thinned?
   * @param {number} stallNs runs of this length stay as they are
   * @param {number} [most] blocks to give back
   * @returns {number} spans that are no more
   */
  thin(isDense, stallNs, most = Infinity) {
    const before = this.count;
    let given = 0;
    // Whole blocks only, and never the open span.
    for (let j = this.#head ? 1 : 0; given < most && (j + 2) * BLOCK - this.#head < this.count; ) {
      const i = j * BLOCK - this.#head;
      const endNs = this.startNs(i + GROUP);
      if (isDense(this.startNs(i), endNs) && this.#thinPair(j, endNs, stallNs)) {
        this.#pool.give(this.#blocks.splice(j + 1, 1));
        this.count -= BLOCK;
        given += 1;
        j += 1;
      } else {
        j += 2;
      }
    }
    return before - this.count;
  }

  /** Index of the first span that ends after this time: where drawing starts. */
  firstEndingAfter(ns) {
    let low = 0;
    let high = this.count - 1;
    const { starts } = this.#pool;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (starts[this.slot(middle + 1)] > ns) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Index of the span that holds this time, or -1 before the first. */
  indexAt(ns) {
    return this.count && ns >= this.startNs(0) ? this.firstEndingAfter(ns) : -1;
  }

  /**
   * Sum up spans from i on, whole blocks by their sums: of a crowded pixel nobody looks at each span.
   * @param {number} i
   * @param {number} lastNs none begins later
   * @param {number} endNs none ends later
   * @param {import("./sums.js").Sums} into
   * @returns {number} the first span that is not among them
   */
  gather(i, lastNs, endNs, into) {
    const { starts, states, whos, sums, longestRuns } = this.#pool;
    const { ns } = into;
    // The open span has no end yet.
    const open = this.#head + this.count - 1;
    let k = this.#head + i;
    let block = this.#blocks[k >> SHIFT];
    let at = (block << SHIFT) | (k & (BLOCK - 1));
    while (k < open && starts[at] <= lastNs) {
      const isWhole = (k & (BLOCK - 1)) === 0 && k + BLOCK <= open;
      const after = this.#blocks[(k >> SHIFT) + 1];
      if (isWhole && starts[after << SHIFT] <= endNs) {
        for (let s = 0, from = block * STATES.length; s < STATES.length; s += 1) ns[s] += sums[from + s];
        into.longestRunNs = Math.max(into.longestRunNs, longestRuns[block]);
        if (into.first === GONE) into.first = states[at] & ~MERGED;
        k += BLOCK;
        block = after;
        at = block << SHIFT;
        continue;
      }
      const isLast = (k & (BLOCK - 1)) === BLOCK - 1;
      const nextAt = isLast ? after << SHIFT : at + 1;
      if (starts[nextAt] > endNs) break;
      into.add(states[at], starts[nextAt] - starts[at], whos[at]);
      if (isLast) block = after;
      at = nextAt;
      k += 1;
    }
    return k - this.#head;
  }

  get #isFull() {
    return this.#head + this.count === this.#blocks.length * BLOCK;
  }

  /** @returns {boolean} do the spans of blocks j and j + 1 fit into the first of them now? */
  #thinPair(j, endNs, stallNs) {
    const { starts, states, infos, whos } = this.#pool;
    const i = j * BLOCK - this.#head;
    for (let k = 0; k < GROUP; k += 1) {
      const at = this.slot(i + k);
      group.set(k, starts[at], states[at], infos[at], whos[at]);
    }
    if (!group.thin(endNs, stallNs, RAN_UNIT_NS)) return false;
    for (let k = 0; k < BLOCK; k += 1) {
      const at = this.slot(i + k);
      this.#write(at, group.starts[k], group.states[k], group.infos[k], group.whos[k]);
      this.#sumUp(at, k + 1 < BLOCK ? group.starts[k + 1] : endNs);
    }
    return true;
  }

  #append(startNs, state, info, who) {
    this.#write(this.slot(this.count), startNs, state, info, who);
    this.count += 1;
  }

  #write(at, startNs, state, info, who) {
    const { starts, states, infos, whos } = this.#pool;
    starts[at] = startNs;
    states[at] = state;
    infos[at] = info;
    whos[at] = who;
  }

  /** The span there ends at this time. */
  #sumUp(at, endNs) {
    const { starts, states, whos, sums, longestRuns } = this.#pool;
    const block = at >> SHIFT;
    if ((at & (BLOCK - 1)) === 0) {
      sums.fill(0, block * STATES.length, (block + 1) * STATES.length);
      longestRuns[block] = 0;
    }
    const lengthNs = endNs - starts[at];
    const isMerged = states[at] & MERGED;
    const ranNs = isMerged ? whos[at] * RAN_UNIT_NS : 0;
    const state = states[at] & ~MERGED;
    sums[block * STATES.length + state] += lengthNs - ranNs;
    sums[block * STATES.length + RUNNING] += ranNs;
    if (state === RUNNING && lengthNs > longestRuns[block]) longestRuns[block] = lengthNs;
  }
}
