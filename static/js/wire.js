// @ts-check

// The contract with the dashboard process (ARCHITECTURE.md, "The wire"): names, numbers and shapes.
// Decodes and checks; keeps nothing.

export const PROTOCOL = 1;

export const STATES = Object.freeze([
  "gone",
  "idle",
  "running",
  "ready",
  "due",
  "waiting",
  "thread_queue",
  "thread",
  "process",
  "outside",
  "lost",
]);

export const GONE = 0;
export const IDLE = 1;
export const RUNNING = 2;
export const READY = 3;
export const DUE = 4;
export const WAITING = 5;
export const THREAD_QUEUE = 6;
export const THREAD = 7;
export const PROCESS = 8;
export const OUTSIDE = 9;
export const LOST = 10;

/** Not on the wire: a running span at least as long as the stall threshold. */
export const BLOCKED = 11;

export const LANE_KINDS = Object.freeze(["loop", "request", "task", "thread", "process"]);

export const LOOP_LANE = 0;
export const REQUEST_LANE = 1;
export const TASK_LANE = 2;
export const THREAD_LANE = 3;
export const PROCESS_LANE = 4;

/**
 * @typedef {{file: string, line: number, function: string}} Culprit
 *
 * @typedef {object} LoopNow
 * @property {number} id
 * @property {number} pid
 * @property {string} title
 * @property {string} kind
 * @property {"idle"|"running"|"blocked"|"ended"} state
 * @property {number} blocked_ms
 * @property {Culprit | null} culprit
 * @property {number} ready
 * @property {number} waiting
 * @property {number} utilisation
 * @property {number} lag_ms
 * @property {number} recording_cost
 * @property {Record<string, number>} waits
 * @property {{label: string, request: number, since_ns: number} | null} running
 *
 * @typedef {object} Split
 * @property {number | null} outside_ms
 * @property {number} running_ms
 * @property {number} ready_ms
 * @property {number} waiting_ms
 * @property {number} thread_queue_ms
 * @property {number} thread_ms
 * @property {number} process_ms
 *
 * @typedef {object} FinishedRequest
 * @property {number} id
 * @property {number} loop
 * @property {string} method
 * @property {string} route
 * @property {number} status 0: it never got an answer
 * @property {string} scenario
 * @property {number} start_ns
 * @property {number} end_ns
 * @property {number} total_ms
 * @property {Split} split
 *
 * @typedef {object} Stall
 * @property {number} id
 * @property {number} loop
 * @property {number} start_ns
 * @property {number} duration_ms
 * @property {boolean} over
 * @property {Culprit | null} culprit
 * @property {{count: number, delay_ms: number, worst?: string, worst_ms?: number}} victims
 *
 * @typedef {object} Rows columns of equal length
 * @property {number} t0
 * @property {number[]} t
 * @property {number[]} lane
 * @property {number[]} state
 * @property {number[]} info
 * @property {number[]} who
 *
 * @typedef {[number, number, number, number, number, number]} LaneRow id, kind, loop, label, request, t
 *
 * @typedef {object} Frame
 * @property {number} seq
 * @property {number} t_ns
 * @property {number} missed
 * @property {number} thinned
 * @property {number} undrawn
 * @property {number} [skipped]
 * @property {LoopNow[]} loops
 * @property {string[]} strings
 * @property {LaneRow[]} lanes
 * @property {Rows | null} rows
 * @property {FinishedRequest[]} requests
 * @property {Stall[]} stalls
 * @property {{requests: number, finished: number, open: number}} counts
 * @property {string[]} notices
 *
 * @typedef {object} Hello
 * @property {number} protocol
 * @property {string} version
 * @property {string} run
 * @property {number} origin_unix_ms
 * @property {number} t_ns
 * @property {string[]} states
 * @property {string[]} lane_kinds
 * @property {number} stall_threshold_ns
 * @property {number} keep_ns
 * @property {number} frame_hz
 * @property {{url: string} | null} demo
 * @property {boolean} resumed
 * @property {number} [skipped] frames that this viewer was too slow for, before this snapshot
 * @property {Frame | null} snapshot
 */

/**
 * @param {string} text
 * @returns {Hello}
 */
export function readHello(text) {
  const hello = JSON.parse(text);
  if (hello.protocol !== PROTOCOL) {
    throw new Error(`the dashboard speaks protocol ${hello.protocol}, this page ${PROTOCOL}: reload`);
  }
  sameNames("states", hello.states, STATES);
  sameNames("lane_kinds", hello.lane_kinds, LANE_KINDS);
  return hello;
}

/**
 * @param {string} text
 * @returns {Frame}
 */
export function readFrame(text) {
  const frame = JSON.parse(text);
  if (!Number.isFinite(frame.seq) || !Number.isFinite(frame.t_ns)) {
    throw new Error(`a frame needs seq and t_ns, got ${frame.seq} and ${frame.t_ns}`);
  }
  return frame;
}

/**
 * What runs or is waited for, and where, when that is known: "sleep<tab>app.py:31 in slow".
 * @param {string} text
 * @returns {{what: string, place: string}}
 */
export function readInfo(text) {
  const tab = text.indexOf("\t");
  return tab < 0 ? { what: text, place: "" } : { what: text.slice(0, tab), place: text.slice(tab + 1) };
}

function sameNames(field, theirs, ours) {
  if (theirs.join() !== ours.join()) {
    throw new Error(`hello.${field} is ${theirs.join(", ")}; this page knows ${ours.join(", ")}`);
  }
}
