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

export const LANE_KINDS = Object.freeze([
  "loop",
  "request",
  "task",
  "thread",
  "process",
  "websocket",
  "stream",
]);

export const LOOP_LANE = 0;
export const REQUEST_LANE = 1;
export const TASK_LANE = 2;
export const THREAD_LANE = 3;
export const PROCESS_LANE = 4;
/** Requests that stay open: they have rows, but low ones, below those that come and go. */
export const WEBSOCKET_LANE = 5;
export const STREAM_LANE = 6;

/** Tasks by which a server keeps itself going, as the model calls them. */
export const CLOCKWORK = new Set([
  "Server.serve", "Server._serve", "UvicornWorker._serve", "LifespanOn.main",
  "worker_serve", "raise_shutdown", "Lifespan.handle_lifespan"
]);

/**
 * Requests, also those that stay open for long.
 * @param {number} kind
 */
export function isRequestKind(kind) {
  return kind === REQUEST_LANE || kind === WEBSOCKET_LANE || kind === STREAM_LANE;
}

/**
 * Does a stall go on, as far as is known?
 * @param {{over: boolean, unfinished?: boolean}} stall
 */
export function isOn({ over, unfinished }) {
  return !over && !unfinished;
}

/**
 * @typedef {{file: string, line: number, function: string}} Culprit
 *
 * @typedef {object} LoopNow
 * @property {number} id
 * @property {number} pid
 * @property {string} title
 * @property {string} kind
 * @property {number} worker its place among the loops of one program, from 1
 * @property {number} replaces the ended loop that had this place before it, or 0
 * @property {"idle"|"running"|"blocked"|"frozen"|"ended"} state
 * @property {number} blocked_ms
 * @property {Culprit | null} culprit
 * @property {boolean} starved the stall is no line's fault, so far: there was no processor for it
 * @property {number} ready
 * @property {number} waiting
 * @property {number} utilisation
 * @property {number} lag_ms
 * @property {number} recording_cost
 * @property {Record<string, number>} waits
 * @property {{label: string, request: number, since_ns: number} | null} running
 * @property {boolean} held one C call keeps the interpreter's lock
 * @property {number} frozen_ms
 * @property {number} door requests in the kernel's queues that nobody announced
 * @property {number} [unbegun] requests that it has read whose task has had no step yet
 * @property {{sent: number, refusal: string}} dumps
 * @property {Tokens | null} [tokens] null until a thread was used
 *
 * @typedef {{total: number, borrowed: number, waiting: number}} Tokens of the limiter of worker threads
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
 * @typedef {{name: string, function: string, start_ns: number, end_ns: number, count: number}} Phase
 *   what FastAPI was at; count: so many are told as this one
 *
 * @typedef {object} FinishedRequest
 * @property {number} id
 * @property {number} loop
 * @property {"http"|"stream"|"websocket"} kind
 * @property {string} method
 * @property {string} route
 * @property {number} status 0: it never got an answer
 * @property {string} scenario
 * @property {number} start_ns
 * @property {number} end_ns
 * @property {number} total_ms
 * @property {number | null} [outside_most_ms] not known: as long as it may have waited at the door through a stall; in no sum
 * @property {Split} split
 * @property {number | null} [after_ms]
 * @property {Phase[]} [phases]
 *
 * @typedef {{id: number, after_ms: number | null, phases: Phase[]}} Afterwards what a request did after its answer
 *
 * @typedef {{count: number, delay_ms: number, worst: string, worst_ms: number, named?: {label: string, delay_ms: number}[]}} HeldUp
 *   named: of tasks, the three worst
 *
 * @typedef {object} Stall
 * @property {number} id
 * @property {number} loop
 * @property {number} start_ns
 * @property {number} duration_ms
 * @property {boolean} over
 * @property {boolean} [unfinished] its process was gone before it ended
 * @property {boolean} [start_up] a server started in it
 * @property {string} label the request's method and route, or the task's name
 * @property {number} request
 * @property {number} starved_ms its thread waited so long for a processor
 * @property {boolean} starved it would be none without that: nobody is to blame, there is no culprit
 * @property {Culprit | null} culprit
 * @property {boolean} holds_lock
 * @property {HeldUp & {door: number, others: HeldUp, lanes: number[], words: string}} victims
 *
 * @typedef {object} Incident what happened that is no step
 * @property {"pause"|"exception"|"cancelled"|"timeout"|"mark"} kind
 * @property {number} loop
 * @property {number} start_ns
 * @property {number} duration_ms
 * @property {string} text
 * @property {string} label
 * @property {number} request
 * @property {string} where
 * @property {string} by
 *
 * @typedef {object} Finding
 * @property {number} id
 * @property {string} rule
 * @property {string} title
 * @property {number} loop
 * @property {string} sentence
 * @property {string} action
 * @property {Culprit | null} place
 * @property {string} where
 * @property {{before: string, after: string, line: number, note: string} | null} fix
 * @property {number} stall
 * @property {number} request
 * @property {boolean} active
 * @property {number} last_ns
 *
 * @typedef {object} Diagnosis
 * @property {{sentence: string, action: string, finding: number}} verdict
 * @property {Finding[]} findings what matters most first
 * @property {{rule: string, title: string, answer: "yes" | "no" | "later"}[]} checks
 *
 * @typedef {object} Rows columns of equal length
 * @property {number} t0
 * @property {number[]} t
 * @property {number[]} lane
 * @property {number[]} state
 * @property {number[]} info
 * @property {number[]} who
 *
 * @typedef {[number, number, number, number, number, number, number]} LaneRow id, kind, loop, label, request, t, spawn
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
 * @property {[number, number][]} [deadlines] lane, t
 * @property {FinishedRequest[]} requests
 * @property {Afterwards[]} [afterwards]
 * @property {Stall[]} stalls
 * @property {Incident[]} incidents
 * @property {Diagnosis | null} [diagnosis]
 * @property {number} stall_threshold_ns as it is now
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
 * @property {{name: string, from_ns: number, to_ns: number} | null} [recording] what is shown, where it is a file
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
 * What runs or is waited for, where, and what varies from wait to wait, as far as they are known:
 * `sleep<tab>app.py:31 in slow<tab>1 s`.
 * @param {string} text
 * @returns {{what: string, place: string, detail: string}}
 */
export function readInfo(text) {
  const [what, place = "", detail = ""] = text.split("\t");
  return { what, place, detail };
}

/**
 * A wait in words: `Queue.get 0/5, at most 2 s`.
 * @param {{what: string, detail: string}} info
 */
export function wholeWait({ what, detail }) {
  return `${what}${detail.startsWith("at most") ? "," : ""} ${detail}`.trim();
}

function sameNames(field, theirs, ours) {
  if (theirs.join() !== ours.join()) {
    throw new Error(`hello.${field} is ${theirs.join(", ")}; this page knows ${ours.join(", ")}`);
  }
}
