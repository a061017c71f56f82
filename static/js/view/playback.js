// @ts-check

// The playhead: the one moment that boxes, code, table and status show. Live it is now; held it stands
// where one put it, and moves on by itself in slow motion. Keeps no data, knows no elements.

/** How many times slower than life. */
export const SLOWNESSES = Object.freeze([1, 10, 100, 1000]);
/** In slow motion the picture shows what passes in so many seconds of the viewer's. */
const SECONDS_IN_VIEW = 8;
/** Where in the picture the playhead stays while it plays, as a share of the range. */
const REST = 0.6;
/** A stretch in which nothing changes takes no longer than this to watch. */
const LONGEST_LULL_MS = 700;
/** A frame that comes late (a hidden tab) does not make the playhead jump. */
const MAX_FRAME_MS = 100;
/** A step must be seen to move the playhead. */
const LEAST_STEP_PX = 3;
const CLEAR_STEP_PX = 60;

export class Playback {
  #viewport;
  #onChange;
  /** @type {number | null} null: the end of the picture */
  #headNs = null;
  #playedMs = 0;
  isPlaying = false;
  slowness = 100;

  /**
   * @param {import("./viewport.js").Viewport} viewport
   * @param {() => void} onChange
   */
  constructor(viewport, onChange) {
    this.#viewport = viewport;
    this.#onChange = onChange;
  }

  /** The moment that everything shows. */
  atNs(nowNs) {
    const viewport = this.#viewport;
    if (viewport.isLive) this.#reset();
    return this.#headNs === null ? viewport.shownNs(nowNs) : Math.min(this.#headNs, nowNs);
  }

  /** Put the playhead there. */
  seek(ns, nowNs) {
    this.#viewport.hold(nowNs);
    this.#headNs = Math.min(ns, nowNs);
    this.#keepInView(nowNs);
    this.#onChange();
  }

  /** Like seek, and close enough to see that it moved. */
  stepTo(ns, nowNs, widthPx) {
    const fromNs = this.atNs(nowNs);
    this.isPlaying = false;
    this.seek(ns, nowNs);
    const movedNs = Math.abs(ns - fromNs);
    const movedPx = (movedNs / this.#viewport.rangeNs) * widthPx;
    if (movedNs > 0 && movedPx < LEAST_STEP_PX) this.#look((movedNs * widthPx) / CLEAR_STEP_PX, nowNs);
  }

  /** Play from the playhead; from the left edge when it stands at the end. */
  play(nowNs) {
    const viewport = this.#viewport;
    if (this.#headNs === null || viewport.isLive || this.#headNs >= viewport.shownNs(nowNs)) {
      this.#headNs = Math.max(viewport.leftNs(nowNs), 0);
      viewport.hold(nowNs);
    }
    this.isPlaying = true;
    this.#playedMs = 0;
    this.#lookForSpeed(nowNs);
    this.#onChange();
  }

  stop() {
    if (!this.isPlaying) return;
    this.isPlaying = false;
    this.#onChange();
  }

  setSlowness(slowness, nowNs) {
    this.slowness = slowness;
    if (this.isPlaying) this.#lookForSpeed(nowNs);
    this.#onChange();
  }

  /** One notch faster or slower. */
  turn(direction, nowNs) {
    const at = SLOWNESSES.indexOf(this.slowness) + direction;
    this.setSlowness(SLOWNESSES[Math.min(Math.max(at, 0), SLOWNESSES.length - 1)], nowNs);
  }

  /**
   * Move on by what passed since the last frame. Stretches without a change pass faster.
   * @param {number} nowMs
   * @param {number} nowNs
   * @param {(ns: number) => number | null} nextChangeNs
   */
  advance(nowMs, nowNs, nextChangeNs) {
    if (!this.isPlaying) return;
    if (this.#viewport.isLive || this.#headNs === null) return this.#reset();
    const elapsedMs = this.#playedMs ? Math.min(nowMs - this.#playedMs, MAX_FRAME_MS) : 0;
    this.#playedMs = nowMs;
    const next = nextChangeNs(this.#headNs) ?? nowNs;
    const plainNs = (elapsedMs * 1e6) / this.slowness;
    const lullNs = (elapsedMs / LONGEST_LULL_MS) * this.#lullNs(next);
    const toNs = this.#headNs + Math.max(plainNs, Math.min(lullNs, next - this.#headNs));
    if (toNs >= nowNs) {
      this.isPlaying = false;
      this.#headNs = nowNs;
      this.#viewport.goLive();
      return;
    }
    this.#headNs = toNs;
    this.#keepInView(nowNs);
    this.#onChange();
  }

  #lullFromNs = 0;
  #lullEndNs = 0;

  /** Length of the lull that ends at `next`, measured from where the playhead came into it. */
  #lullNs(next) {
    if (this.#lullEndNs !== next) {
      this.#lullEndNs = next;
      this.#lullFromNs = /** @type {number} */ (this.#headNs);
    }
    return next - this.#lullFromNs;
  }

  #reset() {
    this.#headNs = null;
    this.isPlaying = false;
  }

  #lookForSpeed(nowNs) {
    this.#look((SECONDS_IN_VIEW * 1e9) / this.slowness, nowNs);
  }

  /** Show so much around the playhead. */
  #look(rangeNs, nowNs) {
    const headNs = /** @type {number} */ (this.#headNs);
    this.#viewport.show(headNs - rangeNs * 0.4, rangeNs, nowNs);
  }

  #keepInView(nowNs) {
    const viewport = this.#viewport;
    const headNs = /** @type {number} */ (this.#headNs);
    const share = (headNs - viewport.startNs) / viewport.rangeNs;
    if (this.isPlaying && share > REST) {
      viewport.show(headNs - REST * viewport.rangeNs, viewport.rangeNs, nowNs);
    } else if (share < 0 || share > 0.98) {
      viewport.show(headNs - viewport.rangeNs / 2, viewport.rangeNs, nowNs);
    }
  }
}
