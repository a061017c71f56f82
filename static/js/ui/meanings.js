// @ts-check

// What the page's words mean: one sentence each, which stands beside the word while the pointer or the
// focus is on it, or after a tap. Keeps which word it stands at.

import { part, setText } from "./parts.js";

/** By the name that the template and the status line give a word. */
export const MEANINGS = Object.freeze({
  running: "On the loop now. There is room for one.",
  ready: "It could go on at once, and waits for its turn on the loop.",
  due: "It could go on, as its timer is over or its data is there, but the loop has not looked yet.",
  door: "The request was sent, but the loop has not looked at it yet: it lies in the system's queue.",
  waiting: "It waits for something: a timer, a lock, a socket, another task. The loop is free for others.",
  thread: "The function runs in a worker thread. The loop is free for others.",
  blocked: "One step has the loop for so long that it counts as a stall: nobody else can run.",
  held: "Kept waiting by a step that blocks the loop: the red stripes are on everybody who could have run.",
  lost: "Nobody knows it here: too old, as only what was around stalls outlives the minute, or lost before it was read.",
  busy: "The share of the last second in which the loop ran something.",
  lag: "How late timers are: who slept for 1 s and goes on after 1.2 s has a lag of 200 ms.",
  cost: "The share of the loop's time that it takes to record all of this.",
  "worker thread":
    "Plain functions run in worker threads. Each needs one of the tokens, drawn as places: out of all.",
  "thread token": "All worker threads are taken: it waits until one gives its token back.",
  ratio: "Requests a second, compared with those of the first line.",
  article: "What the ratio is in the article that this experiment is from.",
  percentile: "Of a hundred requests fifty took no longer than p50, 95 no longer than p95, 99 no longer than p99.",
  generator: "How busy the processes are that send the load. At their limit it is they who are measured, not the app.",
  little: "Users ÷ how long an answer takes = requests a second. So far apart are that and what was counted: a check of the measurement.",
  closed: "A user asks again when the last answer is there: a slow app is asked less often, and nobody leaves.",
  missed: "The app wrote faster than the dashboard read, and only the newest is kept. Nothing is drawn there by guess.",
  broken: "The dashboard sent what this page cannot read. Reload the page; both may be of different releases.",
  skipped: "This browser did not keep up, was left out for so many, and began again with the whole picture.",
  undrawn: "More came at once than could be told apart. They have no row, but all numbers count them.",
  dropped: "This page keeps 6,000 rows. More came than that, so the oldest that were over made room.",
  faded: "This page's memory has a fixed size. Stalls stay as they were; of the rest, what is short goes first.",
  thinned: "Slices too short to be seen are drawn as one with their neighbours. The loop's numbers count them all.",
});

export class Meanings {
  #root;
  #box;
  /** @type {HTMLElement | null} */
  #word = null;
  /** It was pressed: it stays until something else is. */
  #isKept = false;

  /**
   * @param {HTMLElement} root
   * @param {AbortSignal} signal
   */
  constructor(root, signal) {
    this.#root = root;
    this.#box = part(root, "meaning");
    // First of all listeners: a press takes the focus away, and Escape has other work when nothing is shown.
    const listen = (name, act) => root.addEventListener(name, act, { signal, capture: true, passive: name !== "keydown" });
    listen("pointerover", (event) => event.pointerType === "mouse" && this.#point(event.target));
    listen("focusin", (event) => event.target.matches(":focus-visible") && this.#show(wordAt(event.target), false));
    listen("focusout", () => this.#isKept || this.#show(null, false));
    listen("pointerdown", (event) => this.#isOurs(event.target) || this.#show(null, false));
    listen("click", (event) => this.#press(event.target));
    listen("keydown", (event) => this.#key(event));
    listen("scroll", () => this.#show(null, false));
  }

  /** Whoever reads a long sentence may have the pointer on it. */
  #point(target) {
    const word = wordAt(target);
    if (this.#isKept ? word && word !== this.#word : !this.#box.contains(target)) this.#show(word, false);
  }

  #press(target) {
    const word = wordAt(target);
    if (!word) return;
    const isAgain = this.#isKept && word === this.#word;
    this.#show(isAgain ? null : word, !isAgain);
  }

  #key(event) {
    if (event.key !== "Escape" || !this.#word) return;
    event.stopPropagation();
    this.#show(null, false);
  }

  #isOurs(target) {
    return this.#box.contains(target) || (this.#word && this.#word === wordAt(target));
  }

  /**
   * @param {HTMLElement | null} word
   * @param {boolean} isKept
   */
  #show(word, isKept) {
    this.#isKept = isKept;
    if (word === this.#word) return;
    this.#word?.removeAttribute("aria-describedby");
    this.#word = word;
    this.#box.hidden = !word;
    if (!word) return;
    word.setAttribute("aria-describedby", this.#box.id);
    setText(this.#box.children[0], MEANINGS[/** @type {string} */ (word.dataset.means)]);
    const { left, top, bottom } = word.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.#box;
    const { clientWidth, clientHeight } = this.#root;
    const leftPx = Math.max(Math.min(left, clientWidth - width), 0);
    const topPx = bottom + height > clientHeight ? top - height : bottom;
    this.#box.style.transform = `translate(${Math.round(leftPx)}px, ${Math.round(topPx)}px)`;
  }
}

/** @param {Element} target @returns {HTMLElement | null} */
function wordAt(target) {
  return target.closest?.("[data-means]") ?? null;
}
