// @ts-check

// Room for spans: typed columns that are taken once and lent in blocks, so that what the page holds does
// not grow with the hours. Each block is also summed up, so that a crowded pixel costs one look, not thousands.

import { STATES } from "../wire.js";

/** Spans per block: most requests have fewer. A pixel costs at most two ragged ends of this many spans. */
export const BLOCK = 32;

export class Pool {
  starts = new Float64Array(0);
  states = new Uint8Array(0);
  infos = new Uint32Array(0);
  whos = new Uint32Array(0);
  /** Time per state and block, and the longest run in the block. */
  sums = new Float64Array(0);
  longestRuns = new Float64Array(0);
  blocks = 0;
  /** @type {number[]} */
  #free = [];
  #makeRoom;

  /**
   * @param {number} blocks
   * @param {() => void} [makeRoom] asked to give blocks back when there are none; if it cannot, the columns grow
   */
  constructor(blocks, makeRoom = () => {}) {
    this.#makeRoom = makeRoom;
    this.#grow(blocks);
  }

  get free() {
    return this.#free.length;
  }

  /** @returns {number} a block that is nobody's */
  take() {
    if (!this.#free.length) this.#makeRoom();
    if (!this.#free.length) this.#grow(this.blocks * 2);
    return /** @type {number} */ (this.#free.pop());
  }

  /** @param {readonly number[]} blocks */
  give(blocks) {
    for (const block of blocks) this.#free.push(block);
  }

  #grow(blocks) {
    const moved = (old, made) => (made.set(old), made);
    this.starts = moved(this.starts, new Float64Array(blocks * BLOCK));
    this.states = moved(this.states, new Uint8Array(blocks * BLOCK));
    this.infos = moved(this.infos, new Uint32Array(blocks * BLOCK));
    this.whos = moved(this.whos, new Uint32Array(blocks * BLOCK));
    this.sums = moved(this.sums, new Float64Array(blocks * STATES.length));
    this.longestRuns = moved(this.longestRuns, new Float64Array(blocks));
    for (let block = blocks - 1; block >= this.blocks; block -= 1) this.#free.push(block);
    this.blocks = blocks;
  }
}
