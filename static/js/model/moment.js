// @ts-check

// The loop at one moment, now or in the past: who is at the door, ready, running, waiting for what.
// A pure reading of the lanes; the boxes draw it.

import * as wire from "../wire.js";

/**
 * @typedef {{lane: import("./lanes.js").Lane, sinceNs: number}} Place
 * @typedef {{reason: string, state: number, lanes: import("./lanes.js").Lane[], due: number}} Group
 * @typedef {{label: string, request: number, lengthNs: number, isOver: boolean}} Run
 * @typedef {object} Moment
 * @property {Place[]} door oldest first
 * @property {Place[]} ready oldest first
 * @property {Run | null} running the run that is on, or the last one if it ended just now
 * @property {Group[]} waiting largest first
 * @property {number} waitingCount
 */

/** Runs are shorter than a blink: one keeps the slot for as long as it takes to read its name. */
const LINGER_NS = 0.8e9;
/** How many spans to look back for it. */
const LOOK_BACK = 64;

const OFF_LOOP_REASON = Object.freeze({
  [wire.THREAD_QUEUE]: "thread token",
  [wire.THREAD]: "worker thread",
  [wire.PROCESS]: "process",
});

/**
 * @param {import("./lanes.js").Lanes} lanes
 * @param {(index: number) => string} text
 * @param {number} loop
 * @param {number} ns
 * @returns {Moment}
 */
export function momentAt(lanes, text, loop, ns) {
  const moment = { door: [], ready: [], running: null, waiting: [], waitingCount: 0 };
  /** @type {Map<string, Group>} */
  const groups = new Map();
  for (const lane of lanes.all) {
    if (lane.loop !== loop || !lane.isAliveAt(ns)) continue;
    const i = lane.spans.indexAt(ns);
    if (i < 0) continue;
    if (lane.kind === wire.LOOP_LANE) moment.running = runAt(lane.spans, i, text, ns);
    else place(moment, groups, lane, i, text);
  }
  moment.door.sort(bySince);
  moment.ready.sort(bySince);
  moment.waiting = [...groups.values()].sort((one, other) => other.lanes.length - one.lanes.length);
  return moment;
}

function place(moment, groups, lane, i, text) {
  const state = lane.spans.state(i);
  const sinceNs = lane.spans.startNs(i);
  if (lane.kind !== wire.REQUEST_LANE && lane.kind !== wire.TASK_LANE) {
    return;
  } else if (state === wire.OUTSIDE) {
    moment.door.push({ lane, sinceNs });
  } else if (state === wire.READY) {
    moment.ready.push({ lane, sinceNs });
  } else if (state === wire.DUE || state === wire.WAITING || state in OFF_LOOP_REASON) {
    const reason = OFF_LOOP_REASON[state] ?? reasonOf(lane, i, text);
    const shown = state === wire.DUE ? wire.WAITING : state;
    const group = groups.get(reason) ?? { reason, state: shown, lanes: [], due: 0 };
    groups.set(reason, group);
    // Due ones first: they are the next to go on.
    if (state === wire.DUE) {
      group.lanes.unshift(lane);
      group.due += 1;
    } else {
      group.lanes.push(lane);
    }
    moment.waitingCount += 1;
  }
}

/** @returns {Run | null} */
function runAt(spans, i, text, ns) {
  for (let k = i; k >= Math.max(i - LOOK_BACK, 0); k -= 1) {
    const sinceNs = spans.startNs(k);
    const isOver = k < i;
    const endNs = isOver ? spans.endNs(k, ns) : ns;
    if (ns - endNs > LINGER_NS) return null;
    // The loop's own callbacks come and go between the requests: only a request lingers.
    if (spans.state(k) === wire.RUNNING && (!isOver || spans.who(k))) {
      const request = spans.who(k);
      const { what, place } = wire.readInfo(text(spans.info(k)));
      return { label: place || what, request, lengthNs: endNs - sinceNs, isOver };
    }
  }
  return null;
}

/** What it waits for, without the place; a due span that has no reason inherits the wait's. */
function reasonOf(lane, i, text) {
  let info = text(lane.spans.info(i));
  if (!info && i > 0 && lane.spans.state(i) === wire.DUE) info = text(lane.spans.info(i - 1));
  return wire.readInfo(info).what || "short wait";
}

function bySince(one, other) {
  return one.sinceNs - other.sinceNs || one.lane.id - other.lane.id;
}
