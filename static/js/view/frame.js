// @ts-check

// The only owner of requestAnimationFrame. Anyone may say "something changed"; however often that is
// said, the next frame draws once. That time goes on is less than a change: who draws is told which it was.

export class FrameLoop {
  #draw;
  #request;
  #pending = false;
  #isChanged = false;

  /**
   * @param {(nowMs: number, isChanged: boolean) => void} draw
   * @param {(callback: FrameRequestCallback) => number} [request]
   */
  constructor(draw, request = (callback) => requestAnimationFrame(callback)) {
    this.#draw = draw;
    this.#request = request;
  }

  /** Something changed. */
  invalidate() {
    this.#isChanged = true;
    this.again();
  }

  /** Only time has passed. */
  again() {
    if (this.#pending) return;
    this.#pending = true;
    this.#request((nowMs) => {
      // Cleared first: a draw that throws must not stop every later frame.
      this.#pending = false;
      const isChanged = this.#isChanged;
      this.#isChanged = false;
      this.#draw(nowMs, isChanged);
    });
  }
}
