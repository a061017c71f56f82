// @ts-check

// The loop at one moment, now or in the past: who is at the door, due, ready, running, waiting for
// what. A pure reading of the lanes; the boxes draw it, the words tell it.

import * as wire from "../wire.js";

/**
 * @typedef {object} Being a request or task, where it is at this moment
 * @property {import("./lanes.js").Lane} lane
 * @property {number} state
 * @property {number} sinceNs
 * @property {number} untilNs when its wait ends, as far as that is known; else Infinity
 * @property {string} place "app.py:31 in slow", or empty
 * @typedef {{reason: string, state: number, isTasks: boolean, beings: Being[]}} Group isTasks: of no request
 * @typedef {object} Run
 * @property {string} what @property {string} place
 * @property {number} request @property {number} sinceNs @property {number} untilNs
 * @typedef {object} Moment
 * @property {number} ns
 * @property {boolean} isKnown does anything tell what the loop did then?
 * @property {Being[]} door oldest first, as are those that are due; requests before tasks
 * @property {Being[]} due
 * @property {Being[]} ready first in line first
 * @property {number} doorCount those of whom nothing is known but that they are there included
 * @property {number} readyCount
 * @property {Run | null} running
 * @property {boolean} isBetween nobody runs, and yet the loop does not sleep: it is between two steps
 * @property {Run[]} before the runs before it, latest first
 * @property {Group[]} waiting in a fixed order, the app's own tasks last
 * @property {number} waitingCount
 */

/** Whoever polls for no longer than this has not slept. */
const BETWEEN_NS = 1e5;
/** What the app does for itself is one line, unless one asks for more. */
const OWN_TASKS = "other tasks";
/** How many runs of the past are told. */
const RUNS_BEFORE = 3;
/** How many spans to look back for them. */
const LOOK_BACK = 400;

const OFF_LOOP_REASON = Object.freeze({
  [wire.THREAD_QUEUE]: "thread token",
  [wire.THREAD]: "worker thread",
  [wire.PROCESS]: "process",
});
/** Off the loop comes last; the other reasons by name. An order by size would never stand still. */
const LAST = Object.freeze(["thread token", "worker thread", "process"]);

/**
 * @param {import("./lanes.js").Lanes} lanes
 * @param {(index: number) => string} text
 * @param {number} loop
 * @param {number} ns
 * @param {number} [latestNs] up to here the lanes tell what happened
 * @param {boolean} [showsTasks] tell the app's own tasks apart by what they wait for
 * @returns {Moment}
 */
export function momentAt(lanes, text, loop, ns, latestNs = ns, showsTasks = true) {
  /** @type {Moment} */
  const moment = {
    ns, isKnown: false, door: [], due: [], ready: [], doorCount: 0, readyCount: 0,
    running: null, isBetween: false, before: [], waiting: [], waitingCount: 0,
  };
  /** @type {Map<string, Group>} */
  const groups = new Map();
  let runner = 0;
  const reason = (lane, i) => (lane.request || showsTasks ? reasonOf(lane, i, text) : OWN_TASKS);
  for (const lane of lanes.all) {
    if (lane.loop !== loop || !lane.isAliveAt(ns)) continue;
    const i = lane.spans.indexAt(ns);
    if (i < 0) continue;
    if (lane.kind === wire.LOOP_LANE) readLoop(moment, lane.spans, i, text, latestNs);
    else if (lane.request && lane.spans.state(i) === wire.RUNNING) runner = lane.request;
    else if (isOnLoop(lane)) {
      place(moment, groups, beingAt(lane, i, text, latestNs), reason(lane, i));
    }
  }
  // Whose request a step serves is known only from some way into it; its own lane knows it whole.
  if (moment.running && !moment.running.request) moment.running.request = runner;
  moment.ready.sort(bySince);
  for (const queue of [moment.door, moment.due]) queue.sort(requestsFirst);
  [moment.doorCount, moment.readyCount] = [moment.door.length, moment.ready.length];
  if (moment.ready.length && moment.isKnown && !moment.running) moment.isBetween = true;
  moment.waiting = [...groups.values()].sort(inOrder);
  for (const group of moment.waiting) group.beings.sort(byEnd);
  return moment;
}

/**
 * What the lanes cannot tell of now. A request that the loop has read stands at the door in its lane
 * until its task's first step; who of those there has been read is not known, so none is shown by name.
 * @param {Moment} moment
 * @param {{door: number, unbegun?: number}} loop
 */
export function countNameless(moment, { door, unbegun = 0 }) {
  moment.doorCount = Math.max(moment.door.length - unbegun, 0) + door;
  moment.readyCount = moment.ready.length + unbegun;
  if (unbegun) moment.door = [];
}

/**
 * How many of those that stand at the door in their lanes the loop has read, as `countNameless` counts.
 * @param {import("./history.js").History} history
 * @param {import("./lanes.js").Lane} lane one of them
 * @returns {"none" | "some" | "all"}
 */
export function readAtDoor({ lanes, loops }, { loop }) {
  const unbegun = loops.find(({ id }) => id === loop)?.unbegun ?? 0;
  if (!unbegun) return "none";
  const isThere = ({ spans }) => spans.count > 0 && spans.state(spans.count - 1) === wire.OUTSIDE;
  const outside = lanes.all.filter((lane) => lane.loop === loop && isOnLoop(lane) && isThere(lane));
  return unbegun < outside.length ? "some" : "all";
}

/**
 * Requests and tasks take turns on the loop; threads and processes do not. A request's tasks with lanes
 * of their own are the request, and not counted again.
 */
export function isOnLoop(lane) {
  return lane.kind === wire.REQUEST_LANE || (lane.kind === wire.TASK_LANE && !lane.request);
}

/**
 * What a span waits for, without the place; a due span that has no reason inherits the wait's.
 * @param {import("./lanes.js").Lane} lane
 * @param {number} i
 * @param {(index: number) => string} text
 */
export function reasonOf(lane, i, text) {
  const state = lane.spans.state(i);
  if (state in OFF_LOOP_REASON) return OFF_LOOP_REASON[state];
  let info = text(lane.spans.info(i));
  if (!info && i > 0 && state === wire.DUE) info = text(lane.spans.info(i - 1));
  return wire.readInfo(info).what || "short wait";
}

/** @returns {Being} */
function beingAt(lane, i, text, latestNs) {
  const { spans } = lane;
  const isOpen = i === spans.count - 1;
  return {
    lane,
    state: spans.state(i),
    sinceNs: spans.startNs(i),
    untilNs: isOpen ? deadlineOf(lane, spans.startNs(i)) : spans.endNs(i, latestNs),
    place: wire.readInfo(text(spans.info(i))).place,
  };
}

/** The deadline that was told for this wait; one of an earlier wait says nothing. */
function deadlineOf(lane, sinceNs) {
  return lane.deadlineNs > sinceNs ? lane.deadlineNs : Infinity;
}

function place(moment, groups, being, reason) {
  const { state, lane } = being;
  if (state === wire.OUTSIDE) moment.door.push(being);
  else if (state === wire.DUE) moment.due.push(being);
  else if (state === wire.READY) moment.ready.push(being);
  else if (state === wire.WAITING || state in OFF_LOOP_REASON) {
    const isTasks = !lane.request;
    const key = `${isTasks} ${reason}`;
    const group = groups.get(key) ?? { reason, state, isTasks, beings: [] };
    groups.set(key, group);
    group.beings.push(being);
    moment.waitingCount += 1;
  }
}

function readLoop(moment, spans, i, text, latestNs) {
  moment.isKnown = spans.state(i) !== wire.LOST && !spans.merged(i);
  if (spans.state(i) === wire.RUNNING) moment.running = runOf(spans, i, text, latestNs);
  moment.isBetween = isBetween(spans, i);
  for (let k = i - 1; k >= Math.max(i - LOOK_BACK, 0) && moment.before.length < RUNS_BEFORE; k -= 1) {
    // The loop's own callbacks come and go between the requests.
    if (spans.state(k) === wire.RUNNING && spans.who(k)) {
      moment.before.push(runOf(spans, k, text, latestNs));
    }
  }
}

/**
 * Is an idle span of the loop so short that it is no sleep, but what the loop does between two steps?
 * @param {import("./columns.js").Spans} spans
 * @param {number} i
 */
export function isBetween(spans, i) {
  const isOver = i < spans.count - 1;
  return isOver && spans.state(i) === wire.IDLE && !spans.merged(i) && spans.startNs(i + 1) - spans.startNs(i) <= BETWEEN_NS;
}

/** @returns {Run} */
function runOf(spans, i, text, latestNs) {
  const { what, place: at } = wire.readInfo(text(spans.info(i)));
  return {
    what, place: at, request: spans.who(i), sinceNs: spans.startNs(i), untilNs: spans.endNs(i, latestNs),
  };
}

function bySince(one, other) {
  return one.sinceNs - other.sinceNs || one.lane.id - other.lane.id;
}

/** Not in line yet, so the order is ours: the app's own tasks last. */
function requestsFirst(one, other) {
  return Number(!one.lane.request) - Number(!other.lane.request) || bySince(one, other);
}

/** The next to go on first; who has no known end, by age. */
function byEnd(one, other) {
  if (one.untilNs === other.untilNs) return bySince(one, other);
  return one.untilNs - other.untilNs;
}

/** For a group's place among the others. */
export function inOrder(one, other) {
  if (one.isTasks !== other.isTasks) return one.isTasks ? 1 : -1;
  return LAST.indexOf(one.reason) - LAST.indexOf(other.reason) || (one.reason < other.reason ? -1 : 1);
}
