// @ts-check

// Which lanes exist, in the order in which they began, and the rule by which a row changes one.
// Bounded: lanes that ended before the kept time are forgotten, and beyond MAX_LANES the oldest ended.

import { Spans } from "./columns.js";
import { GONE, LOOP_LANE, RUNNING, TASK_LANE } from "../wire.js";

/** About 5,000 requests in sight at once; more cannot be told apart on any screen. */
export const MAX_LANES = 6000;
/** Some 60 MB with the room to grow: the bound of an hour's memory, however busy the hour. */
export const MAX_SPANS = 2_000_000;

export class Lane {
  endNs = Infinity;
  /** When the timer of its present wait is due, as far as that was told; else 0. */
  deadlineNs = 0;
  /** The longest run that is over: a lane that once stalled the loop is shown tall. */
  longestRunNs = 0;
  spans = new Spans();

  /**
   * @param {number} id
   * @param {number} kind
   * @param {number} loop
   * @param {string} label
   * @param {number} request
   * @param {number} startNs
   */
  constructor(id, kind, loop, label, request, startNs) {
    this.id = id;
    this.kind = kind;
    this.loop = loop;
    this.label = label;
    this.request = request;
    this.startNs = startNs;
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

  /** @param {number} id */
  get(id) {
    return this.#byId.get(id);
  }

  /**
   * A lane that is announced again has got its name, or its loop.
   * @param {Lane} lane
   */
  add(lane) {
    const known = this.#byId.get(lane.id);
    if (known) {
      known.label = lane.label;
      known.loop = lane.loop;
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
   * Forget what ended before this time; and beyond the bounds the oldest ended lanes, and spans.
   * @param {number} ns
   * @param {number} nowNs
   * @param {number} promisedNs what ended after this should still be here: if not, it is counted
   */
  prune(ns, nowNs, promisedNs) {
    let spans = this.#prune(ns, promisedNs);
    // Each time the older half of what is left: rarely more than once.
    for (let keepNs = (nowNs - ns) / 2; spans > MAX_SPANS && keepNs > 1e9; keepNs /= 2) {
      spans = this.#prune(nowNs - keepNs, promisedNs);
    }
  }

  /** @returns {number} spans that are left */
  #prune(ns, promisedNs) {
    let surplus = this.all.length - MAX_LANES;
    let spans = 0;
    this.all = this.all.filter((lane) => {
      const isOld = lane.endNs < ns;
      const isSurplus = surplus > 0 && lane.endNs !== Infinity;
      if (!isOld && !isSurplus) {
        lane.spans.dropBefore(ns);
        spans += lane.spans.count;
        return true;
      }
      if (lane.endNs > promisedNs) this.dropped += 1;
      surplus -= 1;
      this.#byId.delete(lane.id);
      this.#countTask(lane, -1);
      return false;
    });
    return spans;
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

/** Began earlier, or at the same time and was numbered earlier. */
function isBefore(one, other) {
  return one.startNs < other.startNs || (one.startNs === other.startNs && one.id < other.id);
}
