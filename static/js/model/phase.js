// @ts-check

// The phase of the loop in one sentence, written from what happened. Live, it tells the state, which
// can be read; held, it tells the very change at the playhead. Either way all of it is of the moment that
// the boxes show.

import { countOf, formatDuration } from "../format.js";
import * as wire from "../wire.js";
import { reasonOf } from "./moment.js";
import { changeAt } from "./steps.js";

const TOLD_NS = 5e6;
/** A run is over before it is read: who ran is told for so long. */
const READABLE_MS = 900;
const ENDED_BY_CALLBACK = new Set([wire.WAITING, wire.DUE, wire.THREAD, wire.PROCESS]);

/**
 * The state of the loop, for a picture that runs.
 * @param {import("./moment.js").Moment} moment
 * @param {number} stallNs
 */
export function stateInWords(moment, stallNs) {
  const { running, readyCount, due, doorCount, waitingCount, isKnown } = moment;
  if (!isKnown) return "What the loop did then is not known.";
  const lengthNs = running ? moment.ns - running.sinceNs : 0;
  if (running && lengthNs >= stallNs) {
    const held = [
      doorCount && `${doorCount} at the door`,
      due.length && `${due.length} due`,
      readyCount && `${readyCount} ready`,
    ].filter(Boolean);
    const others = held.length ? `${inList(held)} cannot go on` : "nobody else can go on";
    return `${nameOfRun(running)} holds the loop: ${others}.`;
  }
  if (running && isTold(moment)) return `${nameOfRun(running)} runs; ${behind(readyCount)}.`;
  if (readyCount) return `${countOf(readyCount, "task is", "tasks are")} ready, one after the other gets its turn.`;
  if (moment.isBetween) return "The loop is between two steps.";
  if (!waitingCount) return "The loop sleeps: there is nothing to do.";
  return `The loop sleeps: ${waitingCount === 1 ? "one task waits" : waitingCount === 2 ? "both tasks wait" : `all ${waitingCount} tasks wait`}, nobody is ready.`;
}

/** The state of the loop, live: who ran stays long enough to be read, what is counted is of this moment. */
export class LivePhase {
  #ran = "";
  #sinceMs = -Infinity;

  /**
   * @param {import("./moment.js").Moment} moment
   * @param {number} stallNs
   * @param {number} nowMs
   */
  tell(moment, stallNs, nowMs) {
    const { running, readyCount, waitingCount, ns } = moment;
    const isBlocked = running !== null && ns - running.sinceNs >= stallNs;
    const isOver = nowMs - this.#sinceMs >= READABLE_MS;
    if (isBlocked) [this.#ran, this.#sinceMs] = [nameOfRun(running), nowMs];
    if (isBlocked || (isOver && !isTold(moment))) return stateInWords(moment, stallNs);
    const name = running && isTold(moment) ? nameOfRun(running) : "";
    if (isOver) [this.#ran, this.#sinceMs] = [name, nowMs];
    if (name === this.#ran) return stateInWords(moment, stallNs);
    return `${this.#ran} ran just now; ${inLine(readyCount)}, ${waiting(waitingCount)}.`;
  }
}

/** What the loop does for itself is over before it is read. */
function isTold({ running, ns }) {
  return running !== null && Boolean(running.request || ns - running.sinceNs > TOLD_NS);
}

/**
 * Who is in the running slot when nobody runs, and why: a loop that cannot run does not sleep.
 * @param {import("./moment.js").Moment} moment
 * @param {import("../wire.js").LoopNow | null} loop
 * @param {"connecting" | "live" | "paused" | "behind" | "lost"} state of the page
 * @returns {{title: string, words: string, sentence: string}} sentence: of the phase, when that is all there is to say
 */
export function silenceOf(moment, loop, state) {
  const isLive = state !== "paused";
  if (!loop) return { title: "No loop", words: "nothing is recorded yet", sentence: "There is no loop yet." };
  if (isLive && state !== "live") {
    return { title: "Unknown", words: "the dashboard does not answer", sentence: "What the loop does now is not known." };
  }
  if (loop.state === "ended" && (isLive || !moment.isKnown)) {
    return { title: "Ended", words: `process ${loop.pid} is gone`, sentence: `Process ${loop.pid} is gone, and its loop with it.` };
  }
  if (isLive && loop.state === "frozen") {
    return { title: "Frozen", words: "the whole process is stopped", sentence: "The process is stopped: nobody in it can run." };
  }
  if (!moment.isKnown) return { title: "Unknown", words: "no record tells of this moment", sentence: "" };
  if (moment.isBetween) return { title: "The loop", words: "between two steps", sentence: "" };
  return { title: "Nobody", words: "the loop sleeps until something happens", sentence: "" };
}

/**
 * The change at this moment, or the last one before it.
 * @param {import("./lanes.js").Lanes} lanes
 * @param {(index: number) => string} text
 * @param {import("./moment.js").Moment} moment
 * @param {number} loop
 * @param {number} stallNs
 * @param {boolean} [showsTasks] does one look at the app's own tasks, too?
 */
export function changeInWords(lanes, text, moment, loop, stallNs, showsTasks = true) {
  const { running, ns } = moment;
  if (running && ns - running.sinceNs >= stallNs) return stateInWords(moment, stallNs);
  const change = changeAt(lanes.all, loop, ns);
  if (!change) return stateInWords(moment, stallNs);
  // What the app does for itself while nobody looks at it is no news.
  if (!change.lane.request && !showsTasks && !running) return stateInWords(moment, stallNs);
  const words = wordsOf(change, moment, text);
  const agoNs = ns - change.ns;
  // Within a tenth of a millisecond it is this very change; later, the loop has slept since.
  if (agoNs < 1e5 || running || moment.isBetween) return words;
  return `${words} Since then the loop sleeps, ${formatDuration(agoNs)} so far.`;
}

function wordsOf({ lane, i }, moment, text) {
  const { spans } = lane;
  const state = spans.state(i);
  const from = cameFrom(spans, i);
  const before = from >= 0 ? spans.state(from) : wire.GONE;
  if (lane.kind === wire.LOOP_LANE) {
    return `The loop runs a callback: ${wire.readInfo(text(spans.info(i))).what || "unnamed"}.`;
  }
  const who = nameOf(lane);
  const subject = asSubject(who);
  switch (state) {
    case wire.OUTSIDE:
      return `${subject} was sent: it stands at the door until the loop looks.`;
    case wire.DUE:
      return `\`${reasonOf(lane, i, text)}\` is over for ${who}: it is due, but the loop has not looked.`;
    case wire.READY: {
      const ahead = moment.ready.findIndex((being) => being.lane === lane);
      return `${arrival(lane, from, before, who, text)} joins the ready queue${queueBehind(ahead)}.`;
    }
    case wire.RUNNING:
      if (before === wire.WAITING || before === wire.DUE) {
        return `\`${reasonOf(lane, from, text)}\` is over: the loop runs the callback that wakes ${who}.`;
      }
      return `It is the turn of ${who}: it runs, ${behind(moment.ready.length)}.`;
    case wire.WAITING:
      return `${subject} waits for \`${reasonOf(lane, i, text)}\` and gives the loop back.`;
    case wire.THREAD_QUEUE:
      return `${subject} wants a worker thread, and waits for a free token.`;
    case wire.THREAD:
      return `${subject} goes on in a worker thread: the loop is free.`;
    case wire.PROCESS:
      return `${subject} goes on in another process: the loop is free.`;
    case wire.GONE:
      return `${subject} is ${lane.request ? "answered" : "done"}.`;
    default:
      return `What ${who} does from here on is not known.`;
  }
}

/**
 * The span that it comes from. A step begins from the ready queue; what runs straight out of a wait is
 * the callback that ends it, and stands between the wait and the queue.
 */
function cameFrom(spans, i) {
  const isWake = spans.state(i) === wire.READY && i > 1 && spans.state(i - 1) === wire.RUNNING;
  return isWake && ENDED_BY_CALLBACK.has(spans.state(i - 2)) ? i - 2 : i - 1;
}

function arrival(lane, from, before, who, text) {
  if (before === wire.WAITING || before === wire.DUE) {
    return `\`${reasonOf(lane, from, text)}\` is over: ${who}`;
  }
  if (before === wire.THREAD) return `Its thread is done: ${who}`;
  if (before === wire.PROCESS) return `Its process is done: ${who}`;
  if (before === wire.OUTSIDE) return `The loop has looked: ${who} comes in and`;
  if (before === wire.RUNNING) return `${asSubject(who)} lets others go first and`;
  return `${asSubject(who)} is new and`;
}

function queueBehind(ahead) {
  if (ahead < 0) return "";
  if (ahead === 0) return ", first in line";
  return ` behind ${ahead === 1 ? "one other" : `${ahead} others`}`;
}

function behind(count) {
  if (count === 0) return "nobody is ready behind it";
  return count === 1 ? "one is ready behind it" : `${count} are ready behind it`;
}

function inLine(count) {
  if (count === 0) return "nobody is ready";
  return count === 1 ? "one is ready" : `${count} are ready`;
}

function waiting(count) {
  if (count === 0) return "nobody waits";
  return count === 1 ? "one waits" : `${count} wait`;
}

/** At the beginning of a sentence: the first word is ours, a name keeps its letters. */
function asSubject(who) {
  return `${who[0].toUpperCase()}${who.slice(1)}`;
}

function nameOf(lane) {
  return lane.request ? `request ${lane.request}` : `task ${lane.label || "without a name"}`;
}

function nameOfRun(run) {
  if (run.request) return `Request ${run.request}`;
  return run.what ? `\`${run.what}\`` : "A callback";
}

function inList(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
