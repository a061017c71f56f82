// @ts-check

// The requests: those that finished, newest last and bounded; those under way, read from their lanes;
// and what a split means in words.

import { formatMs } from "../format.js";
import * as wire from "../wire.js";

export const MAX_REQUESTS = 1000;

/** The parts of a split in a fixed order, the order in which a request first comes to them; with the
    words for each. */
export const PARTS = Object.freeze([
  { field: "outside_ms", state: "outside", words: "at the door" },
  { field: "ready_ms", state: "ready", words: "waiting for its turn" },
  { field: "running_ms", state: "running", words: "of your code" },
  { field: "waiting_ms", state: "waiting", words: "waiting for something" },
  { field: "thread_queue_ms", state: "thread_queue", words: "waiting for a thread" },
  { field: "thread_ms", state: "thread", words: "in a thread" },
  { field: "process_ms", state: "process", words: "in a process" },
]);

export class Requests {
  /** @type {import("../wire.js").FinishedRequest[]} */
  finished = [];
  /** How many were added since the page's model began: tells a view what is new. */
  added = 0;
  /** @type {Map<number, import("../wire.js").FinishedRequest>} */
  #byId = new Map();

  /** @param {import("../wire.js").FinishedRequest} request */
  add(request) {
    this.finished.push(request);
    this.#byId.set(request.id, request);
    this.added += 1;
    if (this.finished.length > MAX_REQUESTS * 1.25) {
      this.finished = this.finished.slice(-MAX_REQUESTS);
      this.#byId = new Map(this.finished.map((each) => [each.id, each]));
    }
  }

  /**
   * It did more after its answer.
   * @param {import("../wire.js").Afterwards} more
   */
  addMore(more) {
    const known = this.#byId.get(more.id);
    if (!known) return;
    const request = { ...known, ...more };
    this.finished[this.finished.lastIndexOf(known)] = request;
    this.#byId.set(request.id, request);
  }

  /** @param {number} id */
  get(id) {
    return this.#byId.get(id);
  }
}

/**
 * The parts that took any time, each with its share of the whole.
 * @param {import("../wire.js").Split} split
 */
export function shares(split) {
  const parts = PARTS.map((part) => ({ ...part, ms: split[part.field] ?? 0 }));
  const total = parts.reduce((sum, part) => sum + part.ms, 0);
  return parts
    .filter((part) => part.ms > 0)
    .map((part) => ({ ...part, share: total ? part.ms / total : 0 }));
}

/**
 * "2.00 ms of your code, 480 ms waiting for its turn": what it did first, then why it took so long.
 * @param {import("../wire.js").Split} split
 */
export function splitInWords(split) {
  const parts = shares(split)
    .filter((part) => part.ms >= 0.01)
    .sort((one, other) => Number(other.state === "running") - Number(one.state === "running") || other.ms - one.ms);
  if (!parts.length) return "no time at all";
  return parts.map((part) => `${formatMs(part.ms)} ${part.words}`).join(", ");
}

/**
 * The same, and how long it may have waited before the loop took it, which nobody knows.
 * @param {import("../wire.js").FinishedRequest} request
 */
export function requestInWords({ split, outside_most_ms: mostMs }) {
  const words = splitInWords(split);
  return mostMs ? `${words}; it may have waited at the door before, up to ${formatMs(mostMs)}, not counted here` : words;
}

/**
 * How long it waited for the loop, or may have: with this it stands among the slow ones.
 * @param {import("../wire.js").FinishedRequest} request
 */
function lateMsOf({ split, outside_most_ms: mostMs }) {
  return split.ready_ms + (split.outside_ms ?? mostMs ?? 0);
}

/** Of which state a split's part is, by the lane's. Due is a kind of ready: it wants its turn. */
const FIELDS = Object.freeze({
  [wire.OUTSIDE]: "outside_ms",
  [wire.READY]: "ready_ms",
  [wire.DUE]: "ready_ms",
  [wire.RUNNING]: "running_ms",
  [wire.WAITING]: "waiting_ms",
  [wire.THREAD_QUEUE]: "thread_queue_ms",
  [wire.THREAD]: "thread_ms",
  [wire.PROCESS]: "process_ms",
});

/**
 * A request that is not finished at this moment, with its split so far, read from its lane.
 * @param {import("./lanes.js").Lane} lane
 * @param {number} ns
 * @returns {import("../wire.js").FinishedRequest}
 */
export function openRequestAt(lane, ns) {
  const split = splitWithin(lane, -Infinity, ns);
  const space = lane.label.indexOf(" ");
  return {
    id: lane.request,
    kind: "http",
    loop: lane.loop,
    method: lane.label.slice(0, space),
    route: lane.label.slice(space + 1),
    status: 0,
    scenario: "",
    start_ns: lane.startNs,
    end_ns: Infinity,
    total_ms: Math.max(ns - lane.startNs, 0) / 1e6,
    split,
  };
}

/**
 * Where the time went between two moments, read from a lane.
 * @param {import("./lanes.js").Lane} lane
 * @param {number} fromNs
 * @param {number} toNs
 * @returns {import("../wire.js").Split}
 */
export function splitWithin({ spans }, fromNs, toNs) {
  const split = Object.fromEntries(PARTS.map(({ field }) => [field, 0]));
  for (let i = Math.max(spans.indexAt(fromNs), 0); i < spans.count && spans.startNs(i) < toNs; i += 1) {
    const field = FIELDS[spans.state(i)];
    const ns = Math.min(spans.endNs(i, toNs), toNs) - Math.max(spans.startNs(i), fromNs);
    if (field && ns > 0) split[field] += ns / 1e6;
  }
  return /** @type {any} */ (split);
}

/**
 * Those that are there at this moment: finished ones newest first, behind those under way.
 * @param {import("./history.js").History} history
 * @param {number} ns
 * @param {number} leastMs an open request younger than this is not listed: it would only flicker
 */
export function requestsAt(history, ns, leastMs = 100) {
  const open = [];
  for (const lane of history.lanes.all) {
    if (lane.startNs > ns) break;
    if (lane.kind !== wire.REQUEST_LANE || lane.endNs <= ns) continue;
    if (ns - lane.startNs >= leastMs * 1e6) open.push(openRequestAt(lane, ns));
  }
  const finished = history.requests.finished.filter(({ end_ns: endNs }) => endNs <= ns);
  return [...open, ...finished.reverse()];
}

/**
 * @typedef {"newest" | "name" | "status" | "total" | "turn"} SortKey turn: time waiting for its turn
 *
 * Those that all words of the filter fit: part of the name, a number, a status, or ">100" for slower
 * than that many milliseconds.
 * @param {readonly import("../wire.js").FinishedRequest[]} requests
 * @param {string} filter
 */
export function filtered(requests, filter) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return requests;
  return requests.filter((request) => words.every((word) => fits(request, word)));
}

/**
 * @param {readonly import("../wire.js").FinishedRequest[]} requests
 * @param {SortKey} key
 * @param {boolean} isDown
 */
export function sorted(requests, key, isDown) {
  if (key === "newest") return isDown ? requests : [...requests].reverse();
  const value = {
    name: ({ route, method }) => `${route} ${method}`,
    status: ({ status }) => status,
    total: ({ total_ms: ms }) => ms,
    turn: lateMsOf,
  }[key];
  const sign = isDown ? -1 : 1;
  return [...requests].sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    return sign * (a < b ? -1 : a > b ? 1 : 0) || other.id - one.id;
  });
}

/**
 * Per route: how many, and how long, at the usual percentiles; the route that took longest first.
 * @param {readonly import("../wire.js").FinishedRequest[]} requests
 */
export function routesOf(requests) {
  /** @type {Map<string, import("../wire.js").FinishedRequest[]>} */
  const groups = new Map();
  for (const request of requests) {
    if (request.end_ns === Infinity) continue;
    const name = `${request.method} ${request.route}`;
    const group = groups.get(name);
    if (group) group.push(request);
    else groups.set(name, [request]);
  }
  const routes = [...groups].map(([name, all]) => {
    const times = all.map(({ total_ms: ms }) => ms).sort((one, other) => one - other);
    const split = Object.fromEntries(
      PARTS.map(({ field }) => [field, all.reduce((sum, request) => sum + (request.split[field] ?? 0), 0) / all.length]),
    );
    const mostMs = Math.max(...all.map(({ outside_most_ms: ms }) => ms ?? 0));
    return {
      name, count: all.length, split, mostMs,
      p50: percentile(times, 0.5), p95: percentile(times, 0.95), max: times.at(-1) ?? 0,
    };
  });
  return routes.sort((one, other) => other.p95 - one.p95 || (one.name < other.name ? -1 : 1));
}

/**
 * The smallest value that at least this share of all do not exceed.
 * @param {readonly number[]} ascending
 * @param {number} share
 */
export function percentile(ascending, share) {
  return ascending[Math.max(Math.ceil(share * ascending.length) - 1, 0)] ?? NaN;
}

/**
 * The stall that cost it most, when waiting for its turn is what took long.
 * @param {import("../wire.js").FinishedRequest} request
 * @param {Iterable<import("../wire.js").Stall>} stalls
 */
export function culpritOf(request, stalls) {
  const { loop, id, start_ns: beganNs, total_ms: totalMs, outside_most_ms: mostMs } = request;
  const lateMs = lateMsOf(request);
  if (lateMs < 0.2 * totalMs) return null;
  const startNs = beganNs - (mostMs ?? 0) * 1e6;
  const endNs = beganNs + totalMs * 1e6;
  /** @type {import("../wire.js").Culprit | null} */
  let worst = null;
  let worstNs = lateMs * 0.3e6;
  for (const stall of stalls) {
    const overlapNs =
      Math.min(endNs, stall.start_ns + stall.duration_ms * 1e6) - Math.max(startNs, stall.start_ns);
    if (stall.loop !== loop || stall.request === id || overlapNs <= worstNs || !stall.culprit) continue;
    worst = stall.culprit;
    worstNs = overlapNs;
  }
  return worst;
}

function fits({ id, method, route, status, total_ms: totalMs }, word) {
  const bound = /^([<>])(\d+(?:\.\d+)?)$/.exec(word);
  if (bound) return bound[1] === ">" ? totalMs > Number(bound[2]) : totalMs < Number(bound[2]);
  return `#${id} ${method} ${route} ${status || "open"}`.toLowerCase().includes(word);
}
