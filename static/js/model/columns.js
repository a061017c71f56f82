// @ts-check

// The spans of one lane as typed columns: growing at first, then a ring that forgets the oldest.
// A span ends where the next begins, so only starts are kept; the last one is open.
// Every BLOCK spans are also summed up, so that a crowded pixel costs one look, not thousands.

import { GONE, RUNNING, STATES } from "../wire.js";

/** Spans per summary. A pixel then costs at most two ragged ends of this many spans. */
export const BLOCK = 64;

/** Most lanes are requests with a handful of spans. */
const FIRST_CAPACITY = 16;

export class Spans {
  #starts = new Float64Array(FIRST_CAPACITY);
  #states = new Uint8Array(FIRST_CAPACITY);
  #infos = new Uint32Array(FIRST_CAPACITY);
  #whos = new Uint32Array(FIRST_CAPACITY);
  /** Time per state and block, and the longest run in the block. */
  #sums = new Float64Array(STATES.length);
  #longestRuns = new Float64Array(1);
  #head = 0;
  #limit;

  count = 0;

  /** @param {number} limit spans kept at most; a power of two */
  constructor(limit = 1 << 17) {
    if (limit < BLOCK || limit & (limit - 1)) {
      throw new Error(`limit must be a power of two of at least ${BLOCK}, got ${limit}`);
    }
    this.#limit = limit;
  }

  /** Bytes held, for the stated bound on memory. */
  get bytes() {
    return this.#starts.length * 17 + this.#sums.byteLength + this.#longestRuns.byteLength;
  }

  /** @param {number} i */
  startNs(i) {
    return this.#starts[this.#at(i)];
  }

  /**
   * @param {number} i
   * @param {number} nowNs where an open span ends
   */
  endNs(i, nowNs) {
    if (i + 1 < this.count) return this.#starts[this.#at(i + 1)];
    return Math.max(nowNs, this.#starts[this.#at(i)]);
  }

  /** @param {number} i */
  state(i) {
    return this.#states[this.#at(i)];
  }

  /** @param {number} i */
  info(i) {
    return this.#infos[this.#at(i)];
  }

  /** @param {number} i */
  who(i) {
    return this.#whos[this.#at(i)];
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
    if (startNs > lastStart) {
      this.#makeRoom();
      if (this.count) this.#sumUp(this.#at(this.count - 1), startNs - lastStart);
      this.count += 1;
    }
    const at = this.#at(this.count - 1);
    this.#starts[at] = startNs;
    this.#states[at] = state;
    this.#infos[at] = info;
    this.#whos[at] = who;
  }

  /** Forget spans that ended before this time. The open span always stays. */
  dropBefore(ns) {
    const keep = Math.max(this.firstEndingAfter(ns), 0);
    this.#head = this.#at(keep);
    this.count -= keep;
  }

  /** Index of the first span that ends after this time: where drawing starts. */
  firstEndingAfter(ns) {
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#starts[this.#at(middle + 1)] > ns) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Index of the span that holds this time, or -1 before the first. */
  indexAt(ns) {
    return this.count && ns >= this.startNs(0) ? this.firstEndingAfter(ns) : -1;
  }

  /** May summary(i) stand for the spans i … i + BLOCK - 1? */
  isWholeBlock(i) {
    return this.#at(i) % BLOCK === 0 && i + BLOCK < this.count;
  }

  /** Time in one state over the block that begins at i. */
  blockSumNs(i, state) {
    return this.#sums[(this.#at(i) / BLOCK) * STATES.length + state];
  }

  /** The longest run in the block that begins at i. */
  blockLongestRunNs(i) {
    return this.#longestRuns[this.#at(i) / BLOCK];
  }

  #at(i) {
    return (this.#head + i) & (this.#starts.length - 1);
  }

  #sumUp(at, lengthNs) {
    const block = (at / BLOCK) | 0;
    if (at % BLOCK === 0) {
      this.#sums.fill(0, block * STATES.length, (block + 1) * STATES.length);
      this.#longestRuns[block] = 0;
    }
    const state = this.#states[at];
    this.#sums[block * STATES.length + state] += lengthNs;
    if (state === RUNNING && lengthNs > this.#longestRuns[block]) {
      this.#longestRuns[block] = lengthNs;
    }
  }

  #makeRoom() {
    const capacity = this.#starts.length;
    if (this.count < capacity) return;
    if (capacity >= this.#limit) {
      this.#head = this.#at(1);
      this.count -= 1;
      return;
    }
    this.#grow(capacity * 2);
  }

  /** Copying in order puts the head at 0; the sums are made again, for the blocks have moved. */
  #grow(capacity) {
    const { count } = this;
    const starts = new Float64Array(capacity);
    const states = new Uint8Array(capacity);
    const infos = new Uint32Array(capacity);
    const whos = new Uint32Array(capacity);
    for (let i = 0; i < count; i += 1) {
      const at = this.#at(i);
      starts[i] = this.#starts[at];
      states[i] = this.#states[at];
      infos[i] = this.#infos[at];
      whos[i] = this.#whos[at];
    }
    this.#starts = starts;
    this.#states = states;
    this.#infos = infos;
    this.#whos = whos;
    this.#head = 0;
    const blocks = Math.ceil(capacity / BLOCK);
    this.#sums = new Float64Array(blocks * STATES.length);
    this.#longestRuns = new Float64Array(blocks);
    for (let i = 0; i + 1 < count; i += 1) this.#sumUp(i, starts[i + 1] - starts[i]);
  }
}
