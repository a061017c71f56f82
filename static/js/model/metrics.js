// @ts-check

// What the server said of a loop over time, one sample a tenth of a second: how busy, how late, how
// many ready, how many requests finished and how long they took. Typed columns, bounded; never
// interpolated: of a time that nobody told there is no sample.

export const SAMPLE_NS = 100e6;
/** An hour. */
const MAX_SAMPLES = 36_000;
const FIRST_CAPACITY = 1024;

/** In the order in which they are drawn. */
export const METRICS = Object.freeze(["busy", "lag", "ready", "rate", "latency"]);
const COLUMNS = Object.freeze([...METRICS, "slow"]);

export class Samples {
  #times = new Float64Array(FIRST_CAPACITY);
  #columns = Object.fromEntries(COLUMNS.map((name) => [name, new Float32Array(FIRST_CAPACITY)]));
  /** Totals of the requests that finished in the sample that is being filled. @type {number[]} */
  #took = [];
  #limit;
  count = 0;

  /** @param {number} [limit] */
  constructor(limit = MAX_SAMPLES) {
    this.#limit = limit;
  }

  /** @param {number} i */
  ns(i) {
    return this.#times[i];
  }

  /** @param {string} name @param {number} i */
  value(name, i) {
    return this.#columns[name][i];
  }

  /**
   * @param {number} ns
   * @param {import("../wire.js").LoopNow} loop
   * @param {readonly number[]} tookMs of the requests that finished since the last time
   */
  add(ns, loop, tookMs) {
    const startNs = Math.floor(ns / SAMPLE_NS) * SAMPLE_NS;
    const isNew = !this.count || startNs > this.#times[this.count - 1];
    if (isNew) {
      this.#makeRoom();
      this.#took = [];
      this.#times[this.count] = startNs;
      this.count += 1;
    }
    const i = this.count - 1;
    const { busy, lag, ready, rate, latency, slow } = this.#columns;
    this.#took.push(...tookMs);
    const took = [...this.#took].sort((one, other) => one - other);
    busy[i] = loop.utilisation;
    // The worst of a sample is what one looks for.
    lag[i] = isNew ? loop.lag_ms : Math.max(lag[i], loop.lag_ms);
    ready[i] = isNew ? loop.ready : Math.max(ready[i], loop.ready);
    rate[i] = took.length / (SAMPLE_NS / 1e9);
    latency[i] = took.length ? took[(took.length - 1) >> 1] : NaN;
    slow[i] = took.length ? took[Math.ceil(took.length * 0.95) - 1] : NaN;
  }

  /** @param {number} ns */
  toldAt(ns) {
    const i = this.indexAt(ns);
    return i < 0 ? null : { busy: this.#columns.busy[i], lag: this.#columns.lag[i] };
  }

  /** Index of the sample that holds this time, or -1. @param {number} ns */
  indexAt(ns) {
    const i = this.firstAfter(ns - SAMPLE_NS);
    return i < this.count && this.#times[i] <= ns ? i : -1;
  }

  /** Index of the first sample that begins after this time. @param {number} ns */
  firstAfter(ns) {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#times[middle] > ns) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #makeRoom() {
    const capacity = this.#times.length;
    if (this.count < capacity) return;
    // Full: an eighth goes at once, so that the copy is paid for by many samples.
    const drop = capacity >= this.#limit ? Math.ceil(this.count / 8) : 0;
    const size = Math.min(capacity * 2, Math.max(this.#limit, FIRST_CAPACITY));
    const moved = (old, made) => (made.set(old.subarray(drop, this.count)), made);
    this.#times = moved(this.#times, new Float64Array(size));
    for (const name of COLUMNS) this.#columns[name] = moved(this.#columns[name], new Float32Array(size));
    this.count -= drop;
  }
}

export class Metrics {
  /** @type {Map<number, Samples>} by loop */
  #byLoop = new Map();

  /** @param {number} loop */
  of(loop) {
    return this.#byLoop.get(loop) ?? null;
  }

  /** @param {import("../wire.js").Frame} frame */
  add(frame) {
    for (const loop of frame.loops) {
      if (loop.state === "ended") continue;
      let samples = this.#byLoop.get(loop.id);
      if (!samples) this.#byLoop.set(loop.id, (samples = new Samples()));
      const took = frame.requests.filter((request) => request.loop === loop.id).map(({ total_ms: ms }) => ms);
      samples.add(frame.t_ns, loop, took);
    }
  }
}
