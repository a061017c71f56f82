// @ts-check

// The requests that finished, newest last, and what their split means in words. Bounded.

import { formatMs } from "../format.js";

export const MAX_REQUESTS = 1000;

/** The parts of a split in the order of a request's life, with the words for each. */
export const PARTS = Object.freeze([
  { field: "outside_ms", state: "outside", words: "at the door" },
  { field: "ready_ms", state: "ready", words: "waiting for its turn" },
  { field: "running_ms", state: "running", words: "of its code" },
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

  /** @param {import("../wire.js").FinishedRequest} request */
  add(request) {
    this.finished.push(request);
    this.added += 1;
    if (this.finished.length > MAX_REQUESTS * 1.25) {
      this.finished = this.finished.slice(-MAX_REQUESTS);
    }
  }

  /** @param {number} id */
  get(id) {
    return this.finished.findLast((request) => request.id === id);
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
 * "480 ms waiting for its turn, 2.00 ms of its code": the longest part first.
 * @param {import("../wire.js").Split} split
 */
export function splitInWords(split) {
  const parts = shares(split)
    .filter((part) => part.ms >= 0.01)
    .sort((one, other) => other.ms - one.ms);
  if (!parts.length) return "no time at all";
  return parts.map((part) => `${formatMs(part.ms)} ${part.words}`).join(", ");
}
