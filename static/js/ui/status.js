// @ts-check

// The top of the page: the lamp, the numbers, and the line of sentences that nobody may miss.

import { NBSP, countOf, formatCount, formatMs, formatPercent, formatPlace } from "../format.js";
import { make, makeWord, part, resizeChildren, setText } from "./parts.js";

/** @typedef {{text: string, tone: "warn" | "quiet", means?: string}} Sentence means: in more words, in MEANINGS */

/**
 * @param {"connecting" | "live" | "paused" | "behind" | "lost"} pageState
 * @param {import("../wire.js").LoopNow | null} loop
 * @param {number} blockedMs as grown until this frame
 * @param {{word: string, detail: string}} [held] what a held picture shows
 * @param {boolean} [isStart] a server starts, in the step that is long; or, with nothing to report, the demo app, which has no loop yet
 * @returns {{state: string, word: string, detail: string}}
 */
export function lampOf(pageState, loop, blockedMs, held = { word: "Paused", detail: "the recording goes on" }, isStart = false) {
  if (pageState === "connecting") return { state: "quiet", word: "Connecting", detail: "" };
  if (pageState === "lost") {
    return { state: "lost", word: "Connection lost", detail: "trying again…" };
  }
  if (pageState === "behind") return { state: "lost", word: "Behind", detail: "waiting for news…" };
  if (pageState === "paused") {
    return { state: "paused", ...held };
  }
  if (!loop && isStart) return { state: "quiet", word: "Starting", detail: "the demo app" };
  if (!loop) return { state: "quiet", word: "No loop yet", detail: "waiting for an app to record" };
  if (loop.state === "ended") {
    const where = loop.culprit ? `, in ${formatPlace(loop.culprit)}` : "";
    return { state: "ended", word: "Ended", detail: `process ${loop.pid} is gone${where}` };
  }
  if (loop.state === "frozen") {
    return { state: "paused", word: `Frozen ${formatMs(loop.frozen_ms)}`, detail: `process ${loop.pid} is stopped` };
  }
  if (loop.state === "blocked" && isStart) {
    return { state: "running", word: `Starting ${formatMs(blockedMs)}`, detail: loop.culprit ? culpritOf(loop.culprit) : "" };
  }
  if (loop.state === "blocked") {
    const detail = loop.culprit ? culpritOf(loop.culprit) : loop.starved ? "it waits for a processor" : searchOf(loop);
    return { state: "blocked", word: `Blocked ${formatMs(blockedMs)}`, detail };
  }
  // Steps are shorter than a blink: above a tenth busy, the lamp calls it running.
  if (loop.state === "running" || loop.utilisation > 0.1) {
    return { state: "running", word: "Running", detail: "" };
  }
  return { state: "idle", word: "Idle", detail: "" };
}

/**
 * A loop as the timeline and the boxes have it at this moment: the dashboard may call it blocked a blink before
 * the page's own clock has come so far.
 * @template {import("../wire.js").LoopNow | null} L
 * @param {L} loop
 * @param {number} ns
 * @param {number} stallNs
 * @returns {L}
 */
export function asDrawn(loop, ns, stallNs) {
  const isEarly = loop?.state === "blocked" && loop.running && ns - loop.running.since_ns < stallNs;
  return isEarly ? { ...loop, state: "running" } : loop;
}

/** @param {import("../wire.js").Culprit} culprit */
function culpritOf(culprit) {
  const place = formatPlace(culprit);
  return place === culprit.function ? place : `${place} in ${culprit.function}`;
}

/** @param {import("../wire.js").LoopNow} loop */
function searchOf(loop) {
  if (!loop.held || !loop.dumps.refusal) return "looking for the line…";
  return "one C call holds the interpreter; its line shows when it returns";
}

export class StatusView {
  #lamp;
  #word;
  #detail;
  #numbers;
  #sentences;
  #shownSentences = "";

  /** @param {ParentNode} root */
  constructor(root) {
    this.#lamp = part(root, "lamp");
    this.#word = part(root, "lamp-word");
    this.#detail = part(root, "lamp-detail");
    this.#sentences = part(root, "sentences");
    this.#numbers = Object.fromEntries(
      ["busy", "lag", "ready", "waiting", "cost"].map((name) => [name, part(root, `number-${name}`)]),
    );
  }

  /**
   * @param {{state: string, word: string, detail: string}} lamp
   * @param {string} place which of several loops it is, else nothing
   */
  showLamp(lamp, place) {
    if (this.#lamp.dataset.lamp !== lamp.state) this.#lamp.dataset.lamp = lamp.state;
    setText(this.#word, lamp.word);
    setText(this.#detail, [lamp.detail, place].filter(Boolean).join(" · "));
  }

  /**
   * @param {import("../wire.js").LoopNow | null} loop
   * @param {import("../model/moment.js").Moment} moment counted as the boxes count, or the two would
   *   contradict each other
   * @param {{busy: number, lag: number} | null} told what the server said of this moment
   */
  showNumbers(loop, moment, told) {
    const { busy, lag, ready, waiting, cost } = this.#numbers;
    setText(busy, told ? formatPercent(told.busy) : "–");
    setText(lag, told ? lagOf(told.lag) : "–");
    setText(ready, loop ? formatCount(moment.readyCount) : "–");
    setText(waiting, loop ? formatCount(moment.waitingCount) : "–");
    setText(cost, loop ? costOf(loop.recording_cost) : "–");
  }

  /** @param {readonly Sentence[]} sentences */
  showSentences(sentences) {
    const key = sentences.map(({ text, tone }) => tone + text).join("\n");
    if (key === this.#shownSentences) return;
    this.#shownSentences = key;
    resizeChildren(this.#sentences, sentences.length, () => make("li", ""));
    sentences.forEach(({ text, tone, means }, k) => {
      const item = this.#sentences.children[k];
      item.dataset.tone = tone;
      const word = /** @type {HTMLElement | null} */ (item.firstElementChild);
      // Its number grows while somebody is about to press it.
      if (word?.dataset.means === means) setText(word ?? item, text);
      else item.replaceChildren(means ? makeWord(means, text) : text);
    });
  }
}

/** Whole milliseconds: the digits after them would only flicker. */
function lagOf(ms) {
  if (Number.isNaN(ms)) return "–";
  return ms < 1 ? `< 1${NBSP}ms` : formatMs(ms < 1000 ? Math.round(ms) : ms).replace(/\.0+(?=\D)/, "");
}

/** @param {number} share */
function costOf(share) {
  return share > 0 && share < 0.0005 ? `< ${formatPercent(0.001, 1)}` : formatPercent(share, 1);
}

/**
 * What is missing from the picture, in words; and what the server has to say.
 * @param {import("../model/history.js").History} history
 * @param {import("../stream.js").Stream} stream
 * @param {string} failure
 * @param {number} [leftNs] where the stretch in sight begins, when it is not now that is looked at
 * @returns {Sentence[]}
 */
export function sentencesOf(history, stream, failure, leftNs = Infinity) {
  const { missed, thinned, undrawn, skipped } = history.losses;
  /** @type {Sentence[]} */
  const sentences = history.notices.map((text) => ({ text, tone: "warn" }));
  const recording = history.hello?.recording;
  if (recording) {
    const text = `This is the recording ${recording.name}: nothing of it is live, and all of it can be looked at.`;
    sentences.push({ text, tone: "quiet" });
  }
  for (const { dumps, state } of history.loops) {
    if (!dumps?.refusal || state === "ended") continue;
    const text = `A C call that holds the interpreter is named only once it returns: ${dumps.refusal}.`;
    if (!sentences.some((each) => each.text === text)) sentences.push({ text, tone: "quiet" });
  }
  if (failure) sentences.push({ text: failure, tone: "warn" });
  const add = (means, count, text, tone) => count > 0 && sentences.push({ text, tone, means });
  add("missed", missed, `${countOf(missed, "record")} lost before they were read: cross-hatched.`, "warn");
  add("broken", stream.broken, `${countOf(stream.broken, "message")} could not be read.`, "warn");
  add("skipped", skipped, `This browser was too slow for ${countOf(skipped, "frame")}.`, "quiet");
  add("undrawn", undrawn, `${countOf(undrawn, "request")} counted, not drawn.`, "quiet");
  add("dropped", history.lanes.dropped, `${countOf(history.lanes.dropped, "row")} forgotten early.`, "quiet");
  const { faded, merged } = history.lanes;
  if (faded + merged > 0 && leftNs < history.tNs - (history.hello?.keep_ns ?? 0)) {
    const gone = [faded && countOf(faded, "row"), merged && countOf(merged, "slice")].filter(Boolean).join(" and ");
    add("faded", faded + merged, `Of what is older than a minute the longest is kept: ${gone} made room.`, "quiet");
  }
  add("thinned", thinned, `${countOf(thinned, "short slice")} merged with neighbours.`, "quiet");
  return sentences;
}
