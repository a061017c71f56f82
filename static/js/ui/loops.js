// @ts-check

// Which of several loops is shown: the one that was chosen, else a blocked one, else the one that was
// shown before. Loops are never mixed, and none is left without a reason.

import { make, part, resizeChildren, setText } from "./parts.js";

export class LoopChoice {
  #box;
  #chosen = 0;
  #shown = 0;
  /** Which of how many it is, when there are several. */
  place = "";
  /** Of a recording loops are shown that have ended, too: all of it is over. */
  isPast = false;

  /**
   * @param {ParentNode} root
   * @param {() => void} onChange
   * @param {AbortSignal} signal
   */
  constructor(root, onChange, signal) {
    this.#box = part(root, "loop-choice");
    this.#box.addEventListener(
      "click",
      (event) => {
        const button = /** @type {HTMLElement | null} */ (
          /** @type {Element} */ (event.target).closest("[data-loop]")
        );
        if (!button) return;
        const id = Number(button.dataset.loop);
        // A second press lets the loop be chosen by what happens again.
        this.#chosen = id === this.#chosen ? 0 : id;
        this.#shown = id;
        onChange();
      },
      { signal },
    );
  }

  /** What is looked at happened on this one. */
  follow(id) {
    this.#chosen = 0;
    this.#shown = id;
  }

  /** @param {readonly import("../wire.js").LoopNow[]} loops */
  of(loops) {
    const living = this.#livingOf(loops);
    const pool = living.length ? living : loops.slice(-1);
    const byId = (id) => pool.find((loop) => loop.id === id);
    const blocked = this.isPast ? undefined : longestBlocked(pool);
    const loop = byId(this.#chosen) ?? blocked ?? byId(this.#shown) ?? busiest(pool) ?? null;
    this.#shown = loop?.id ?? 0;
    return loop;
  }

  /** @param {readonly import("../wire.js").LoopNow[]} loops */
  show(loops) {
    // By place, not by age: a restarted worker stands where the one before it stood.
    const living = this.#livingOf(loops).sort(byPlace);
    this.#box.hidden = living.length < 2;
    this.place = "";
    if (this.#box.hidden) return;
    this.place = `loop ${living.findIndex(({ id }) => id === this.#shown) + 1} of ${living.length}`;
    // Workers of one program are told apart by number, programs by name, twins by their pid alone.
    const isCrew = living.every(({ title }) => title === living[0].title) && living.some(({ worker }) => worker > 1);
    resizeChildren(this.#box, living.length, makeButton);
    living.forEach((loop, i) => {
      const button = /** @type {HTMLElement} */ (this.#box.children[i]);
      button.dataset.loop = String(loop.id);
      button.dataset.lamp = loop.state;
      const name = loop.title || "process";
      setText(button.children[0], isCrew ? `worker ${loop.worker}` : name);
      setText(button.children[1], `· ${loop.pid}`);
      button.title = `${name} ${loop.worker}, pid ${loop.pid}`;
      button.setAttribute("aria-pressed", String(loop.id === this.#chosen));
      button.toggleAttribute("data-shown", loop.id === this.#shown);
    });
  }

  /** @param {readonly import("../wire.js").LoopNow[]} loops */
  #livingOf(loops) {
    return loops.filter(({ state }) => this.isPast || state !== "ended");
  }
}

function makeButton() {
  return make("button", "bar-button loop-button", make("span", ""), make("span", ""));
}

function byPlace(one, other) {
  return one.title.localeCompare(other.title) || one.worker - other.worker || one.id - other.id;
}

function longestBlocked(loops) {
  const blocked = loops.filter(({ state }) => state === "blocked");
  return blocked.sort((one, other) => other.blocked_ms - one.blocked_ms)[0];
}

function busiest(loops) {
  return [...loops].sort((one, other) => other.utilisation - one.utilisation)[0];
}
