// @ts-check

// Whether news comes in bunches: something on the way (a proxy that buffers) holds frames back and
// lets many go at once. One bunch is a hiccup; several in a row are how this line is.

const NS_PER_MS = 1e6;
/** A frame that is so much later than the quickest one was held back. */
export const LATE_MS = 600;
/** Frames of one bunch arrive within this. */
const BUNCH_MS = 300;
/** A dashboard that cannot run makes no frames meanwhile: only many were held back. */
const MANY = 5;
/** A page that could not run is late itself. It looks at the clock so often. */
const BEAT_MS = 100;
const AWAKE_MS = 4 * BEAT_MS;
/** Bunches that make a habit, and how long one counts. */
const HABIT = 3;
const KEEP_MS = 20_000;
/** Clocks of two machines drift: how quick a frame can be is looked at anew. */
const QUICKEST_MS = 30_000;

export class Lateness {
  /** The least that a frame took, but for what the clocks differ by: of this time and the one before. */
  #quickest = [Infinity, Infinity];
  #sinceMs = -Infinity;
  /** @type {{atMs: number, lateMs: number, count: number}[]} */
  #bunches = [];
  #awakeMs = -Infinity;

  /** @param {AbortSignal} [signal] ends its looking at the clock, which begins with it */
  constructor(signal) {
    if (!signal) return;
    const timer = setInterval(() => this.beat(performance.now()), BEAT_MS);
    signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  /**
   * The page runs.
   * @param {number} nowMs
   */
  beat(nowMs) {
    this.#awakeMs = nowMs;
  }

  /**
   * @param {number} tNs the frame's time
   * @param {number} nowMs performance.now() at its arrival
   */
  tell(tNs, nowMs) {
    const tookMs = nowMs - tNs / NS_PER_MS;
    if (nowMs - this.#sinceMs > QUICKEST_MS) {
      this.#quickest = [Infinity, this.#quickest[0]];
      this.#sinceMs = nowMs;
    }
    this.#quickest[0] = Math.min(this.#quickest[0], tookMs);
    const lateMs = tookMs - Math.min(...this.#quickest);
    if (lateMs < LATE_MS) return;
    const last = this.#bunches.at(-1);
    if (last && nowMs - last.atMs < BUNCH_MS) {
      last.lateMs = Math.max(last.lateMs, lateMs);
      last.count += 1;
    } else if (nowMs - this.#awakeMs < AWAKE_MS) {
      this.#bunches.push({ atMs: nowMs, lateMs, count: 1 });
    }
    this.#forget(nowMs);
  }

  /** Another run counts from another zero. */
  restart() {
    this.#quickest = [Infinity, Infinity];
    this.#bunches = [];
  }

  /**
   * How late the latest frames of the bunches are that come again and again; 0 where none do.
   * @param {number} nowMs
   */
  ms(nowMs) {
    this.#forget(nowMs);
    const held = this.#bunches.filter(({ count }) => count >= MANY);
    return held.length < HABIT ? 0 : Math.max(...held.map(({ lateMs }) => lateMs));
  }

  #forget(nowMs) {
    this.#bunches = this.#bunches.filter(({ atMs }) => nowMs - atMs < KEEP_MS);
  }
}
