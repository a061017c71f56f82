// @ts-check

// What the page can and cannot tell just now: one word on the root for the style sheet, and a card
// over the timeline in plain words where the viewer has to know or to do something.

import { countOf, formatDuration } from "../format.js";
import { part, setText } from "./parts.js";

/** Frames come thirty times a second: after this long without one the picture is behind. */
export const BEHIND_MS = 800;

/**
 * @typedef {object} Facts
 * @property {"connecting" | "live" | "lost"} line
 * @property {boolean} isLive is the picture live, not held?
 * @property {string} [refusal] why the dashboard lets us not watch, in its words
 * @property {number} quietMs since the last frame
 * @property {number} [lateMs] how late frames are that come in bunches
 * @property {readonly import("../wire.js").LoopNow[]} loops
 * @property {boolean} [isRecording] is it a file, with nothing live in it?
 * @property {boolean} hasDemo is there a demo app that one can press buttons for?
 * @property {readonly string[]} notices
 *
 * @typedef {"connecting" | "live" | "paused" | "behind" | "lost"} Word
 * @typedef {"none" | "starting" | "recorded" | "ended" | "restarting"} Observed
 */

/**
 * @param {Facts} facts
 * @returns {{word: Word, observed: Observed, title: string, words: string}}
 */
export function pageStateOf({ line, isLive, refusal = "", quietMs, lateMs = 0, loops, hasDemo, isRecording = false, notices }) {
  const living = loops.filter(({ state }) => state !== "ended");
  const told = (word, observed, title = "", words = "") => ({ word, observed, title, words });
  if (line !== "live" && refusal) {
    return told("lost", observedOf(loops, living, hasDemo, notices), "Not let in", `${refusal}. The page tries again by itself.`);
  }
  if (line === "connecting") {
    return told("connecting", "none", "Connecting", "The dashboard has not answered yet.");
  }
  const observed = observedOf(loops, living, hasDemo, notices);
  // In the pauses between bunches nobody is gone.
  if (lateMs && isLive) {
    return told(
      "behind", observed, "News comes late",
      `It comes in bunches, up to ${formatDuration(lateMs * 1e6)} late: a proxy between this page and the dashboard buffers it, or the machine is too busy.`,
    );
  }
  if (line === "lost") {
    return told(
      "lost", observed, "The dashboard is gone",
      "What you see is the last that it told. The page tries again by itself; start loopscope if it was stopped.",
    );
  }
  if (quietMs >= BEHIND_MS && isLive) {
    return told("behind", observed, "Behind", `The last news is ${formatDuration(quietMs * 1e6)} old.`);
  }
  const word = isLive && !isRecording ? "live" : "paused";
  // Held, one looks at what was; how things are now would stand in the way.
  if (word === "paused") return told(word, observed);
  switch (observed) {
    case "starting":
      return told(word, observed, "The demo app is starting", "Its loop shows here in a moment.");
    case "none":
      return told(
        word, observed, "No loop yet",
        "Nothing that is recorded runs on this machine. In your app: from dashboard import observe, then observe(app).",
      );
    case "restarting":
      return told(word, observed, "The demo app is restarting", notices[0] ?? "");
    case "ended":
      return told(
        word, observed, `Process ${loops.at(-1)?.pid} is gone`,
        "This is what its loop did until then: pause, go back and look. A new process shows here by itself.",
      );
    default:
      return told(word, observed);
  }
}

/** @returns {Observed} */
function observedOf(loops, living, hasDemo, notices) {
  if (living.length) return "recorded";
  if (!loops.length) return hasDemo ? "starting" : "none";
  return hasDemo && notices.length ? "restarting" : "ended";
}

export class PageState {
  #root;
  #card;
  #title;
  #words;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
    this.#card = part(root, "page-state");
    this.#title = part(root, "page-state-title");
    this.#words = part(root, "page-state-words");
  }

  /**
   * @param {Facts} facts
   * @returns {Word}
   */
  show(facts) {
    const { word, observed, title, words } = pageStateOf(facts);
    const { dataset } = this.#root;
    if (dataset.state !== word) dataset.state = word;
    if (dataset.observed !== observed) dataset.observed = observed;
    this.#card.hidden = !title;
    setText(this.#title, title);
    setText(this.#words, words);
    return word;
  }
}

/**
 * What the page cannot do without and this browser does not have.
 * @param {any} world the global object
 */
export function missingIn(world) {
  const needs = {
    EventSource: world.EventSource,
    ResizeObserver: world.ResizeObserver,
    "Array.findLast": world.Array?.prototype.findLast,
    dialog: world.HTMLDialogElement,
    "canvas patterns": world.DOMMatrix,
  };
  return Object.keys(needs).filter((name) => !needs[name]);
}

/** @param {readonly string[]} missing */
export function unsupportedWords(missing) {
  return `This browser lacks ${missing.join(", ")}: ${countOf(missing.length, "thing")} that the page cannot do without.`;
}
