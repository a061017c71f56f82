// @ts-check

// The top of the page: the lamp, the numbers, and the line of sentences that nobody may miss.

import { NBSP, countOf, formatCount, formatMs, formatPercent, formatPlace } from "../format.js";
import { make, part, setText } from "./parts.js";

/** Worst first: of several loops the lamp shows the one that needs looking at. */
const SEVERITY = Object.freeze(["blocked", "running", "idle", "ended"]);

/** @param {readonly import("../wire.js").LoopNow[]} loops */
export function worstLoop(loops) {
  return loops.reduce((worst, loop) => {
    if (!worst) return loop;
    const [one, other] = [loop, worst].map(({ state }) => SEVERITY.indexOf(state));
    if (one !== other) return one < other ? loop : worst;
    return (loop.blocked_ms || loop.utilisation) > (worst.blocked_ms || worst.utilisation)
      ? loop
      : worst;
  }, /** @type {import("../wire.js").LoopNow | null} */ (null));
}

/**
 * @param {"connecting" | "live" | "paused" | "lost"} pageState
 * @param {import("../wire.js").LoopNow | null} loop
 * @param {number} blockedMs as grown until this frame
 * @returns {{state: string, word: string, detail: string}}
 */
export function lampOf(pageState, loop, blockedMs) {
  if (pageState === "connecting") return { state: "quiet", word: "Connecting", detail: "" };
  if (pageState === "lost") {
    return { state: "lost", word: "Connection lost", detail: "trying again…" };
  }
  if (pageState === "paused") {
    return { state: "paused", word: "Paused", detail: "the recording goes on" };
  }
  if (!loop) return { state: "quiet", word: "No loop yet", detail: "waiting for an app to record" };
  if (loop.state === "ended") {
    return { state: "ended", word: "Ended", detail: `process ${loop.pid} is gone` };
  }
  if (loop.state === "blocked") {
    const place = formatPlace(loop.culprit);
    const detail = loop.culprit ? `${place} in ${loop.culprit.function}` : "looking for the line…";
    return { state: "blocked", word: `Blocked ${formatMs(blockedMs)}`, detail };
  }
  // Steps are shorter than a blink: above a tenth busy, the lamp calls it running.
  if (loop.state === "running" || loop.utilisation > 0.1) {
    return { state: "running", word: "Running", detail: "" };
  }
  return { state: "idle", word: "Idle", detail: "" };
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

  /** @param {{state: string, word: string, detail: string}} lamp */
  showLamp(lamp, loopCount) {
    if (this.#lamp.dataset.lamp !== lamp.state) this.#lamp.dataset.lamp = lamp.state;
    setText(this.#word, lamp.word);
    setText(this.#detail, loopCount > 1 ? `${lamp.detail}  1 of ${loopCount} loops` : lamp.detail);
  }

  /**
   * @param {import("../wire.js").LoopNow | null} loop
   * @param {import("../model/moment.js").Moment} moment counted as the boxes count, or the two would
   *   contradict each other
   */
  showNumbers(loop, moment) {
    const { busy, lag, ready, waiting, cost } = this.#numbers;
    setText(busy, loop ? formatPercent(loop.utilisation) : "–");
    setText(lag, loop ? lagOf(loop.lag_ms) : "–");
    setText(ready, loop ? formatCount(moment.ready.length) : "–");
    setText(waiting, loop ? formatCount(moment.waitingCount) : "–");
    setText(cost, loop ? costOf(loop.recording_cost) : "–");
  }

  /** @param {readonly {text: string, tone: "warn" | "quiet"}[]} sentences */
  showSentences(sentences) {
    const key = sentences.map(({ text, tone }) => tone + text).join("\n");
    if (key === this.#shownSentences) return;
    this.#shownSentences = key;
    this.#sentences.replaceChildren(
      ...sentences.map(({ text, tone }) => {
        const item = make("li", "", text);
        item.dataset.tone = tone;
        return item;
      }),
    );
  }
}

/** Whole milliseconds: the digits after them would only flicker. */
function lagOf(ms) {
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
 * @returns {{text: string, tone: "warn" | "quiet"}[]}
 */
export function sentencesOf(history, stream, failure) {
  const { missed, thinned, undrawn, skipped } = history.losses;
  const sentences = history.notices.map((text) => ({ text, tone: "warn" }));
  if (failure) sentences.push({ text: failure, tone: "warn" });
  const add = (count, text, tone) => count > 0 && sentences.push({ text, tone });
  add(missed, `${countOf(missed, "record")} lost before they were read: cross-hatched.`, "warn");
  add(stream.broken, `${countOf(stream.broken, "message")} could not be read.`, "warn");
  add(skipped, `This browser was too slow for ${countOf(skipped, "frame")}.`, "quiet");
  add(undrawn, `${countOf(undrawn, "request")} counted, not drawn.`, "quiet");
  add(history.lanes.dropped, `${countOf(history.lanes.dropped, "row")} forgotten early.`, "quiet");
  add(thinned, `${countOf(thinned, "short slice")} merged with neighbours.`, "quiet");
  return /** @type {{text: string, tone: "warn" | "quiet"}[]} */ (sentences);
}
