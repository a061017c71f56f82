// @ts-check

// All that the page knows: applies hello and frames, forgets what is older than an hour or too much.
// One model for the life of the page; a new snapshot empties it.

import { Lane, Lanes } from "./lanes.js";
import { Marks } from "./marks.js";
import { Metrics } from "./metrics.js";
import { Requests } from "./requests.js";

const MAX_STALLS = 200;
/** Dropping old rows costs a walk over all lanes: once a second is enough. */
const PRUNE_EVERY_NS = 1e9;
/** The server keeps a minute for those who come; who stays can scroll back an hour, if it fits. */
export const KEEP_NS = 3600e9;

export class History {
  /** @type {import("../wire.js").Hello | null} */
  hello = null;
  lanes = new Lanes();
  requests = new Requests();
  metrics = new Metrics();
  marks = new Marks();
  /** @type {Map<number, import("../wire.js").Stall>} */
  stalls = new Map();
  /** The lanes of those whom a stall held up, by its id. @type {Map<number, Set<number>>} */
  victims = new Map();
  /** @type {import("../wire.js").Diagnosis | null} */
  diagnosis = null;
  /** @type {import("../wire.js").LoopNow[]} */
  loops = [];
  /** @type {string[]} */
  strings = [];
  /** @type {string[]} */
  notices = [];
  counts = { requests: 0, finished: 0, open: 0 };
  losses = { missed: 0, thinned: 0, undrawn: 0, skipped: 0, strayRows: 0 };
  tNs = 0;
  #prunedNs = 0;

  /** The earliest moment that is still known. */
  get oldestNs() {
    let oldestNs = this.tNs;
    for (const { startNs, spans } of this.lanes.all) {
      // In the order in which they began: none of the others is older.
      if (startNs >= oldestNs) break;
      if (spans.count) oldestNs = Math.min(oldestNs, spans.startNs(0));
    }
    return Math.max(oldestNs, this.tNs - KEEP_NS);
  }

  get stallNs() {
    return this.hello ? this.hello.stall_threshold_ns : Infinity;
  }

  /** @param {import("../wire.js").Hello} hello */
  begin(hello) {
    const isSameRun = this.hello?.run === hello.run;
    this.hello = hello;
    if (hello.resumed) return;
    const skipped = (isSameRun ? this.losses.skipped : 0) + (hello.skipped ?? 0);
    this.lanes = new Lanes(Boolean(hello.recording));
    this.requests = new Requests();
    this.marks = new Marks();
    if (!isSameRun) this.metrics = new Metrics();
    this.stalls = new Map();
    this.victims = new Map();
    this.strings = [];
    this.losses = { missed: 0, thinned: 0, undrawn: 0, skipped, strayRows: 0 };
    this.tNs = 0;
    this.#prunedNs = 0;
    if (!hello.snapshot) return;
    this.#keep(hello.snapshot);
    if (!isSameRun) this.#recall(hello.snapshot);
  }

  /** @param {import("../wire.js").Frame} frame */
  apply(frame) {
    this.#keep(frame);
    if (!this.hello?.recording) this.metrics.add(frame);
    // None of it happens now. With what the rules say comes all that is not drawn.
    else if (frame.diagnosis) this.#recall(frame);
  }

  /** What it tells is over, but for what its loops say of themselves. */
  #recall(frame) {
    this.metrics.recall(frame, this.lanes);
    this.metrics.add({ ...frame, requests: [] });
  }

  /** All but the metrics: a snapshot's requests did not all end just now. */
  #keep(frame) {
    for (const text of frame.strings) this.strings.push(text);
    const nowNs = Math.max(this.tNs, frame.t_ns);
    this.lanes.know({ nowNs, promisedNs: nowNs - (this.hello?.keep_ns ?? 0), stallNs: this.stallNs });
    for (const [id, kind, loop, label, request, t, spawn] of frame.lanes) {
      const lane = new Lane(id, kind, loop, this.text(label), request, t, this.lanes.pool);
      lane.spawn = this.text(spawn);
      this.lanes.add(lane);
    }
    if (frame.rows) this.#applyRows(frame.rows);
    for (const [id, ns] of frame.deadlines ?? []) this.#keepDeadline(id, ns);
    for (const request of frame.requests) this.requests.add(request);
    for (const more of frame.afterwards ?? []) this.requests.addMore(more);
    for (const stall of frame.stalls) this.#keepStall(stall);
    for (const incident of frame.incidents ?? []) this.marks.add(incident);
    if (this.hello) this.hello.stall_threshold_ns = frame.stall_threshold_ns ?? this.hello.stall_threshold_ns;
    if (frame.diagnosis) this.diagnosis = frame.diagnosis;
    this.loops = frame.loops;
    this.counts = frame.counts;
    this.notices = frame.notices;
    const { missed, thinned, undrawn } = frame;
    Object.assign(this.losses, { missed, thinned, undrawn });
    this.losses.skipped += frame.skipped ?? 0;
    this.tNs = nowNs;
    this.#forget();
  }

  /** @param {number} index */
  text(index) {
    return this.strings[index] ?? "";
  }

  /** The latest stall, open or over. */
  get lastStall() {
    /** @type {import("../wire.js").Stall | null} */
    let last = null;
    for (const stall of this.stalls.values()) {
      if (!last || stall.start_ns >= last.start_ns) last = stall;
    }
    return last;
  }

  /** @param {import("../wire.js").Rows} rows */
  #applyRows(rows) {
    let t = rows.t0;
    for (let i = 0; i < rows.t.length; i += 1) {
      t += rows.t[i];
      const lane = this.lanes.get(rows.lane[i]);
      // A lane of ours that was dropped to stay bounded; its rows are of no use.
      if (lane) lane.enter(t, rows.state[i], rows.info[i], rows.who[i]);
      else this.losses.strayRows += 1;
    }
  }

  #keepDeadline(id, ns) {
    const lane = this.lanes.get(id);
    if (lane) lane.deadlineNs = ns;
  }

  #keepStall(stall) {
    this.stalls.set(stall.id, stall);
    this.victims.set(stall.id, new Set(stall.victims.lanes));
    for (const id of this.stalls.keys()) {
      if (this.stalls.size <= MAX_STALLS) return;
      this.stalls.delete(id);
      this.victims.delete(id);
    }
  }

  #forget() {
    if (this.tNs - this.#prunedNs < PRUNE_EVERY_NS) return;
    this.#prunedNs = this.tNs;
    this.lanes.prune(this.tNs - KEEP_NS);
  }
}
