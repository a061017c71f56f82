// @ts-check

// What the server said of a loop over time, one sample a tenth of a second: how busy, how late, how
// many ready, how many requests finished and how long they took. Typed columns, bounded; never
// interpolated: of a time that nobody told there is no sample.

import { GONE, LOST, RUNNING, STATES } from "../wire.js";
import { sumStates } from "./totals.js";

export const SAMPLE_NS = 100e6;
/** The server, too, says how busy a loop was over the last second. */
const BUSY_NS = 1e9;
/** An hour. */
const MAX_SAMPLES = 36_000;

/** In the order in which they are drawn. */
export const METRICS = Object.freeze(["busy", "lag", "ready", "rate", "latency"]);
const COLUMNS = Object.freeze([...METRICS, "slow"]);

export class Samples {
  #times;
  /** @type {Record<string, Float32Array>} */
  #columns;
  /** Totals of the requests that finished in the sample that is being filled. @type {number[]} */
  #took = [];
  count = 0;

  /** @param {number} [limit] room for so many is taken at once: 1.2 MB for an hour */
  constructor(limit = MAX_SAMPLES) {
    this.#times = new Float64Array(limit);
    this.#columns = Object.fromEntries(COLUMNS.map((name) => [name, new Float32Array(limit)]));
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
   * @param {Pick<import("../wire.js").LoopNow, "utilisation" | "lag_ms" | "ready">} loop
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

  /** Full: an eighth goes at once, so that moving the others is paid for by many samples. */
  #makeRoom() {
    if (this.count < this.#times.length) return;
    const drop = Math.ceil(this.count / 8);
    for (const column of [this.#times, ...Object.values(this.#columns)]) column.copyWithin(0, drop);
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

  /**
   * What a snapshot tells of the time before it: how busy each loop was, and its requests. How late
   * timers were, and how many were ready, nobody told us.
   * @param {import("../wire.js").Frame} snapshot
   * @param {import("./lanes.js").Lanes} lanes with the snapshot's rows
   */
  recall(snapshot, lanes) {
    for (const { id, state } of snapshot.loops) {
      const spans = lanes.loopLane(id)?.spans;
      if (state === "ended" || !spans?.count) continue;
      const samples = new Samples();
      const ended = snapshot.requests.filter(({ loop }) => loop === id).sort((one, other) => one.end_ns - other.end_ns);
      let k = 0;
      const firstNs = Math.ceil(spans.startNs(0) / SAMPLE_NS) * SAMPLE_NS;
      while (k < ended.length && ended[k].end_ns < firstNs) k += 1;
      for (let ns = firstNs; ns + SAMPLE_NS <= snapshot.t_ns; ns += SAMPLE_NS) {
        const took = [];
        while (k < ended.length && ended[k].end_ns < ns + SAMPLE_NS) took.push(ended[k++].total_ms);
        const busy = busyOf(spans, Math.max(ns + SAMPLE_NS - BUSY_NS, spans.startNs(0)), ns + SAMPLE_NS, snapshot.t_ns);
        samples.add(ns, { utilisation: busy, lag_ms: NaN, ready: NaN }, took);
      }
      this.#byLoop.set(id, samples);
    }
  }

  /** @param {import("../wire.js").Frame} frame */
  add(frame) {
    // A loop that is not told of any more is not asked for either.
    for (const id of this.#byLoop.keys()) {
      if (!frame.loops.some((loop) => loop.id === id)) this.#byLoop.delete(id);
    }
    for (const loop of frame.loops) {
      if (loop.state === "ended") continue;
      let samples = this.#byLoop.get(loop.id);
      if (!samples) this.#byLoop.set(loop.id, (samples = new Samples()));
      const took = frame.requests.filter((request) => request.loop === loop.id).map(({ total_ms: ms }) => ms);
      samples.add(frame.t_ns, loop, took);
    }
  }
}

/** Share of the known time that the loop ran. */
function busyOf(spans, startNs, endNs, nowNs) {
  const sums = new Float64Array(STATES.length);
  sumStates(spans, startNs, endNs, nowNs, sums);
  const knownNs = sums.reduce((sum, ns, state) => (state === GONE || state === LOST ? sum : sum + ns), 0);
  return knownNs ? sums[RUNNING] / knownNs : NaN;
}
