// @ts-check

// Which lanes exist, in the order in which they began, and the rule by which a row changes one.
// Bounded: what ended before the kept time is forgotten; of what is too much the old is thinned.

import { Spans } from "./columns.js";
import { BLOCK, Pool } from "./pool.js";
import { chooseDoomed, measures } from "./thinning.js";
import { GONE, LOOP_LANE, RUNNING, TASK_LANE, isRequestKind } from "../wire.js";

/** About 5,000 requests in sight at once; more cannot be told apart on any screen. */
export const MAX_LANES = 6000;
/** Half a million spans in 11 MB, taken once: a busy minute in full, and the hour before it thinned. */
const BLOCKS = 1 << 14;
const FEW_BLOCKS = 1 << 10;
/** So much is made free at once: seldom, and yet in a few milliseconds. */
const FREE_LANES = 1 / 16;
const FREE_BLOCKS = 1 / 64;
/** How much of its age two neighbours, or a group of spans, may lie apart and still be thinned. */
const COARSEST_LANES = 1 / 256;
const COARSEST_SPANS = 1 / 8;

export class Lane {
  endNs = Infinity;
  /** The line that made it, of a task of no request: "app.py:31 in main", as far as it is known. */
  spawn = "";
  /** When the timer of its present wait is due, as far as that was told; else 0. */
  deadlineNs = 0;
  /** The longest run that is over: a lane that once stalled the loop is shown tall. */
  longestRunNs = 0;

  /**
   * @param {number} id
   * @param {number} kind
   * @param {number} loop
   * @param {string} label
   * @param {number} request
   * @param {number} startNs
   * @param {Pool} [pool] where its spans are
   */
  constructor(id, kind, loop, label, request, startNs, pool) {
    this.id = id;
    this.kind = kind;
    this.loop = loop;
    this.label = label;
    this.request = request;
    this.startNs = startNs;
    this.spans = new Spans(pool);
  }

  /** Lane enters a state; GONE ends it, and a later row takes it up again. */
  enter(ns, state, info, who) {
    if (this.spans.openState === RUNNING) {
      this.longestRunNs = Math.max(this.longestRunNs, ns - this.spans.startNs(this.spans.count - 1));
    }
    this.spans.push(ns, state, info, who);
    this.endNs = state === GONE ? ns : Infinity;
  }

  /** Index of the last slice that is something: what it does now, or did last. */
  get lastSlice() {
    const last = this.spans.count - 1;
    return last > 0 && this.spans.state(last) === GONE ? last - 1 : last;
  }

  /** Did it, or does it now, run so long that it held the loop? */
  hasStalled(stallNs, nowNs) {
    if (this.longestRunNs >= stallNs) return true;
    const { spans } = this;
    return spans.openState === RUNNING && nowNs - spans.startNs(spans.count - 1) >= stallNs;
  }

  /** @param {number} ns */
  isAliveAt(ns) {
    return this.startNs <= ns && ns < this.endNs;
  }
}

export class Lanes {
  #byId = new Map();
  /** Requests of which several tasks have lanes of their own, and how many. */
  #tasksOf = new Map();
  /** @type {Lane[]} oldest first */
  all = [];
  /** Lanes forgotten to stay within the bounds, though they ended not long ago. */
  dropped = 0;
  /** Lanes that made room because they ended long ago and were shorter than their neighbours. */
  faded = 0;
  /** Spans that are no more because neighbours were merged. */
  merged = 0;
  pool;
  /** What ended after `promisedNs` should still be here; a run of `stallNs` is never merged. */
  #known = { nowNs: 0, promisedNs: 0, stallNs: Infinity };

  /** @param {boolean} [isWhole] a recording does not grow while one looks: its spans have all the room they need */
  constructor(isWhole = false) {
    this.pool = isWhole ? new Pool(FEW_BLOCKS) : new Pool(BLOCKS, () => this.#thinSpans());
  }

  /** @param {number} id */
  get(id) {
    return this.#byId.get(id);
  }

  /**
   * A lane that is announced again has got its name, its loop, or the line that made it.
   * @param {Lane} lane
   */
  add(lane) {
    const known = this.#byId.get(lane.id);
    if (known) {
      known.label = lane.label;
      known.loop = lane.loop;
      known.spawn = lane.spawn;
      // A request that turns out to be a stream.
      known.kind = lane.kind;
      return;
    }
    this.#byId.set(lane.id, lane);
    this.#countTask(lane, 1);
    let at = this.all.length;
    while (at > 0 && isBefore(lane, this.all[at - 1])) at -= 1;
    this.all.splice(at, 0, lane);
  }

  /**
   * Before rows are entered: what thinning goes by.
   * @param {{nowNs: number, promisedNs: number, stallNs: number}} known
   */
  know(known) {
    this.#known = known;
  }

  /** Forget what ended before this time, and thin the lanes that ended when there are too many. @param {number} ns */
  prune(ns) {
    const doomed = this.#chooseDoomed();
    this.all = this.all.filter((lane) => {
      if (lane.endNs >= ns && !doomed.has(lane)) {
        lane.spans.dropBefore(ns);
        return true;
      }
      if (lane.endNs > this.#known.promisedNs) this.dropped += 1;
      else if (lane.endNs >= ns) this.faded += 1;
      lane.spans.clear();
      this.#byId.delete(lane.id);
      this.#countTask(lane, -1);
      return false;
    });
  }
  /** A request goes with its tasks. @returns {ReadonlySet<Lane>} */
  #chooseDoomed() {
    if (this.all.length <= MAX_LANES) return NOBODY;
    const requests = new Set(this.all.filter(({ kind }) => isRequestKind(kind)).map(({ request }) => request));
    const isPart = ({ kind, request }) => kind === TASK_LANE && requests.has(request);
    const doomed = chooseDoomed(this.all.filter((lane) => lane.endNs !== Infinity && !isPart(lane)), {
      wanted: this.all.length - MAX_LANES * (1 - FREE_LANES),
      measures: this.#measures(COARSEST_LANES),
      weightOf: (lane) => (lane.longestRunNs >= this.#known.stallNs ? Infinity : lane.endNs - lane.startNs),
      sizeOf: (lane) => 1 + (isRequestKind(lane.kind) ? this.tasksOf(lane.request) : 0),
    });
    const gone = new Set([...doomed].filter(({ kind }) => isRequestKind(kind)).map(({ request }) => request));
    for (const lane of this.all) {
      if (lane.kind === TASK_LANE && gone.has(lane.request) && lane.endNs !== Infinity) doomed.add(lane);
    }
    return doomed;
  }

  /** The columns are full: a few blocks are made free. */
  #thinSpans() {
    let wanted = this.pool.blocks * FREE_BLOCKS;
    for (const isDense of this.#measures(COARSEST_SPANS)) {
      for (const { spans } of this.all) {
        const merged = spans.thin(isDense, this.#known.stallNs, wanted);
        this.merged += merged;
        wanted -= merged / BLOCK;
        if (wanted <= 0) return;
      }
    }
  }

  #measures(coarsest) {
    return measures(this.#known.promisedNs, this.#known.nowNs, coarsest);
  }

  /** The lane of a loop. @param {number} loop */
  loopLane(loop) {
    return this.all.find((lane) => lane.kind === LOOP_LANE && lane.loop === loop);
  }

  /** How many tasks of this request have lanes of their own? @param {number} request */
  tasksOf(request) {
    return this.#tasksOf.get(request) ?? 0;
  }

  /** @param {number} request */
  ofRequest(request) {
    return this.all.findLast((lane) => lane.request === request && lane.kind !== TASK_LANE);
  }

  #countTask(lane, change) {
    if (lane.kind !== TASK_LANE || !lane.request) return;
    const count = this.tasksOf(lane.request) + change;
    if (count > 0) this.#tasksOf.set(lane.request, count);
    else this.#tasksOf.delete(lane.request);
  }
}

/** @type {ReadonlySet<Lane>} */
const NOBODY = new Set();

/** Began earlier, or at the same time and was numbered earlier. */
function isBefore(one, other) {
  return one.startNs < other.startNs || (one.startNs === other.startNs && one.id < other.id);
}
