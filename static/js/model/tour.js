// @ts-check

// Where a talk stands: which story, and how much of it has been shown. Each step onwards is the
// question, then one variant after the other, then the next story. Pure.

/**
 * @typedef {object} Story
 * @property {string} id @property {string} title @property {string} family
 * @property {string} question @property {string} look @property {string[]} variants
 */

export class Tour {
  /** @type {Story[]} */
  #stories;
  #isMissing;
  /** Index of the story, or -1 before the first. */
  at = -1;
  /** Variants that this walk has sent so far. */
  step = 0;

  /**
   * @param {Story[]} stories in teaching order
   * @param {(variant: string) => boolean} isMissing needs something that is not here
   */
  constructor(stories, isMissing) {
    this.#stories = stories;
    this.#isMissing = isMissing;
  }

  /** @returns {Story | null} */
  get story() {
    return this.#stories[this.at] ?? null;
  }

  get count() {
    return this.#stories.length;
  }

  /** @param {string} id */
  open(id) {
    const at = this.#stories.findIndex((story) => story.id === id);
    if (at < 0) return false;
    this.at = at;
    this.step = 0;
    return true;
  }

  close() {
    this.at = -1;
    this.step = 0;
  }

  /**
   * One press of the clicker.
   * @returns {{send: string} | {show: Story} | {end: true}}
   */
  on() {
    const left = this.#left();
    if (left.length) {
      this.step += 1;
      return { send: left[0] };
    }
    if (this.at + 1 >= this.#stories.length) return { end: true };
    this.at += 1;
    this.step = 0;
    return { show: this.#stories[this.at] };
  }

  /** Back to this story's question, or to the story before. */
  back() {
    if (this.step === 0 && this.at > 0) this.at -= 1;
    this.step = 0;
    return this.story;
  }

  /** Of the variants that can be sent, those that this walk has not. */
  #left() {
    if (!this.story) return [];
    return this.story.variants.filter((id) => !this.#isMissing(id)).slice(this.step);
  }
}
