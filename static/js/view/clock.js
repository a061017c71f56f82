// @ts-check

// "Now" between frames: the server's time, carried on by the browser's clock.
// Never runs backwards, and never far ahead of what the server has told.

const NS_PER_MS = 1e6;
/** Beyond this the picture would claim to know what nobody told. */
export const MAX_AHEAD_NS = 150 * NS_PER_MS;
/** Share of each frame's surprise that is believed: frames come early and late by some ms. */
const TRUST = 0.1;
/** A surprise this large is not jitter. */
const RESET_NS = 500 * NS_PER_MS;

export class LiveClock {
  #offsetNs = NaN;
  #toldNs = 0;
  #shownNs = 0;
  /** A recording's time stands still. */
  isStill = false;

  /**
   * @param {number} tNs the frame's time
   * @param {number} nowMs performance.now() at its arrival
   */
  tell(tNs, nowMs) {
    const offsetNs = tNs - nowMs * NS_PER_MS;
    const surpriseNs = offsetNs - this.#offsetNs;
    if (Math.abs(surpriseNs) < RESET_NS) this.#offsetNs += surpriseNs * TRUST;
    else this.#offsetNs = offsetNs;
    this.#toldNs = tNs;
  }

  /** A new run of the server counts from its own zero. */
  restart() {
    this.#offsetNs = NaN;
    this.#toldNs = 0;
    this.#shownNs = 0;
  }

  /** @param {number} nowMs */
  nowNs(nowMs) {
    if (this.isStill) return this.#toldNs;
    if (Number.isNaN(this.#offsetNs)) return this.#shownNs;
    const carriedNs = this.#offsetNs + nowMs * NS_PER_MS;
    this.#shownNs = Math.max(this.#shownNs, Math.min(carriedNs, this.#toldNs + MAX_AHEAD_NS));
    return this.#shownNs;
  }
}
