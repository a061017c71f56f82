// @ts-check

// Which lanes get a row, and in which order: loops and pins on top, requests as they began with their
// tasks below them when unfolded, then threads, processes and what stays open, then tasks of no request. Pure; knows
// nothing of pixels but the stretch of time in sight.

import { formatFamily } from "../format.js";
import { GONE, IDLE, LOOP_LANE, PROCESS_LANE, TASK_LANE, THREAD_LANE, isRequestKind } from "../wire.js";
import { acceptorOf } from "./choice.js";

/**
 * @typedef {import("../model/lanes.js").Lane} Lane
 * @typedef {{filter: string, grouping: string, pins: ReadonlySet<number>, unfolded: ReadonlySet<number>,
 *   showsTasks: boolean}} Wanted
 * @typedef {{lane: Lane, section: number, isMinor: boolean, depth: number, heading: string}} Entry
 *   section: rows of one section stand together, with air before the next; its first may have a heading;
 *   minor: threads and tasks, which take less room; depth: 1 for a task below its request
 * @typedef {{fixed: Lane[], entries: Entry[], hiddenTasks: number, filtered: number}} Order
 */

/** Nobody wants anything in particular. @type {Wanted} */
export const EVERYTHING = Object.freeze({
  filter: "",
  grouping: "time",
  pins: new Set(),
  unfolded: new Set(),
  showsTasks: false,
});

/**
 * @param {readonly Lane[]} lanes in the order in which they began
 * @param {{startNs: number, endNs: number}} sight
 * @param {Wanted} wanted
 * @returns {Order}
 */
export function orderLanes(lanes, sight, wanted) {
  const accepts = acceptorOf(wanted.filter);
  /** @type {Order} */
  const order = { fixed: [], entries: [], hiddenTasks: 0, filtered: 0 };
  /** @type {Record<"pinned" | "requests" | "workers" | "tasks", Lane[]>} */
  const { pinned, requests, workers, tasks } = { pinned: [], requests: [], workers: [], tasks: [] };
  /** @type {Map<number, Lane[]>} */
  const below = new Map();
  for (const lane of lanes) {
    const isPinned = wanted.pins.has(lane.id);
    if (!isPinned && (lane.startNs > sight.endNs || lane.endNs < sight.startNs)) continue;
    if (lane.kind === LOOP_LANE) order.fixed.push(lane);
    else if (isPinned) pinned.push(lane);
    else if (lane.kind === TASK_LANE && lane.request) {
      if (wanted.unfolded.has(lane.request)) listOf(below, lane.request).push(lane);
    } else if (lane.kind === TASK_LANE && !wanted.showsTasks && !wanted.filter) order.hiddenTasks += 1;
    else if ((lane.kind === THREAD_LANE || lane.kind === PROCESS_LANE) && !isBusy(lane, sight)) continue;
    else if (!accepts(lane)) order.filtered += 1;
    else if (isRequestKind(lane.kind)) requests.push(lane);
    else if (lane.kind === TASK_LANE) tasks.push(lane);
    else workers.push(lane);
  }
  const groups = [
    // Requests come from outside: no line of the program made them.
    ...sections(requests, wanted.grouping === "spawn" ? "time" : wanted.grouping, false),
    ...sections(workers, wanted.grouping === "worker" ? "worker" : "time", true),
    ...sections(tasks, wanted.grouping, true),
  ];
  if (wanted.grouping === "worker") groups.sort((one, other) => one.lanes[0].loop - other.lanes[0].loop);
  order.fixed.push(...pinned);
  const titles = new Map(order.fixed.map((lane) => [lane.loop, lane.label]));
  let headed = 0;
  groups.forEach(({ lanes: members, isMinor }, section) => {
    const { loop, spawn } = members[0];
    let heading = wanted.grouping === "worker" && loop !== headed ? titles.get(loop) ?? `loop ${loop}` : "";
    if (wanted.grouping === "spawn" && spawn) heading = `from ${spawn}`;
    headed = loop;
    for (const lane of members) {
      order.entries.push({ lane, section, isMinor, depth: 0, heading });
      heading = "";
      for (const task of (isRequestKind(lane.kind) && below.get(lane.request)) || []) {
        order.entries.push({ lane: task, section, isMinor, depth: 1, heading: "" });
      }
    }
  });
  return order;
}

/** Lanes of one key together, keys in the order of their first lane; by time all are one. */
function sections(lanes, grouping, isMinor) {
  const found = new Map();
  const keys = { name: (lane) => (lane.request ? lane.label : formatFamily(lane.label)), spawn: (lane) => lane.spawn, worker: (lane) => lane.loop };
  const keyOf = keys[grouping] ?? (() => 0);
  for (const lane of lanes) listOf(found, keyOf(lane)).push(lane);
  return [...found.values()].map((members) => ({ lanes: members, isMinor }));
}

/** Does this thread do anything in sight? A pool's idle threads are no news. */
function isBusy(lane, sight) {
  const { spans } = lane;
  for (let i = spans.firstEndingAfter(sight.startNs); i < spans.count; i += 1) {
    if (spans.startNs(i) > sight.endNs) return false;
    if (spans.state(i) !== IDLE && spans.state(i) !== GONE) return true;
  }
  return false;
}

function listOf(map, key) {
  let list = map.get(key);
  if (!list) map.set(key, (list = []));
  return list;
}
