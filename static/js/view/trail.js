// @ts-check

// Where the viewer has been: undo and redo of moves through time. A drag or a row of wheel notches is
// one step back, not fifty. Bounded.

const MAX_STEPS = 100;
/** Moves of one kind that follow each other faster than this are one. */
const SAME_MOVE_MS = 700;

/** @template Place */
export class Trail {
  #clock;
  /** @type {Place[]} */
  #back = [];
  /** @type {Place[]} */
  #forward = [];
  #lastKind = "";
  #lastMs = -Infinity;

  /** @param {() => number} [clock] in ms */
  constructor(clock = () => performance.now()) {
    this.#clock = clock;
  }

  /**
   * About to leave a place by a move of this kind.
   * @param {Place} place
   * @param {string} kind
   */
  leave(place, kind) {
    const nowMs = this.#clock();
    const isSame = kind === this.#lastKind && nowMs - this.#lastMs < SAME_MOVE_MS;
    this.#lastKind = kind;
    this.#lastMs = nowMs;
    this.#forward = [];
    if (isSame) return;
    this.#back.push(place);
    if (this.#back.length > MAX_STEPS) this.#back.shift();
  }

  /**
   * @param {Place} here
   * @returns {Place | undefined} where the viewer was before
   */
  back(here) {
    return this.#step(this.#back, this.#forward, here);
  }

  /**
   * @param {Place} here
   * @returns {Place | undefined} where the viewer was before going back
   */
  forward(here) {
    return this.#step(this.#forward, this.#back, here);
  }

  /** The places mean nothing any more. */
  clear() {
    this.#back = [];
    this.#forward = [];
    this.#lastKind = "";
  }

  #step(from, to, here) {
    const place = from.pop();
    if (place === undefined) return undefined;
    to.push(here);
    this.#lastKind = "";
    return place;
  }
}
