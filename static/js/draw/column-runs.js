// @ts-check

// The crowded columns of one lane on their way to the canvas: equal neighbours become one rectangle,
// and each state is painted in one go. Flat arrays, which can be filled again.

import { BLOCKED, RUNNING } from "../wire.js";

/** Ticks come after all grounds, as a state of their own. */
const TICKS = BLOCKED + 1;

class Runs {
  #edges = new Float64Array(96);
  count = 0;

  /** left, right and height of each run, one after the other */
  add(leftPx, rightPx, heightPx) {
    const edges = this.#edges;
    const last = this.count - 3;
    if (last >= 0 && edges[last + 1] >= leftPx && edges[last + 2] === heightPx) {
      edges[last + 1] = rightPx;
      return;
    }
    if (this.count + 3 > edges.length) {
      this.#edges = new Float64Array(edges.length * 2);
      this.#edges.set(edges);
    }
    this.#edges[this.count] = leftPx;
    this.#edges[this.count + 1] = rightPx;
    this.#edges[this.count + 2] = heightPx;
    this.count += 3;
  }

  /** Standing on the row's ground. */
  paint(ctx, bottomPx) {
    const edges = this.#edges;
    for (let k = 0; k < this.count; k += 3) {
      const heightPx = edges[k + 2];
      ctx.fillRect(edges[k], bottomPx - heightPx, edges[k + 1] - edges[k], heightPx);
    }
  }
}

export class ColumnRuns {
  #states = Array.from({ length: TICKS + 1 }, () => new Runs());

  clear() {
    for (const runs of this.#states) runs.count = 0;
  }

  add(state, leftPx, rightPx, heightPx) {
    this.#states[state].add(leftPx, rightPx, heightPx);
  }

  /** Is anything there in this state? */
  has(state) {
    return this.#states[state].count > 0;
  }

  addTick(leftPx, rightPx, heightPx) {
    this.#states[TICKS].add(leftPx, rightPx, heightPx);
  }

  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {{topPx: number, heightPx: number}} row
   * @param {readonly (string | CanvasPattern)[]} fills
   */
  paint(ctx, row, fills) {
    this.#states.forEach((runs, state) => {
      if (!runs.count) return;
      ctx.fillStyle = fills[state === TICKS ? RUNNING : state];
      runs.paint(ctx, row.topPx + row.heightPx);
    });
  }
}
