// @ts-check

// The page as one file, with its data in it: what stands where the stream and the server do otherwise.
// Nothing is asked of anybody.

import { readHello } from "./wire.js";

/**
 * @typedef {{hello: import("./wire.js").Hello, answers: Record<string, unknown>}} Kept
 */

/**
 * What this page holds, if it is one that was handed out.
 * @param {ParentNode} root
 * @returns {Kept | null}
 */
export function readHandout(root) {
  const text = root.querySelector('script[data-part="handout"]')?.textContent;
  if (!text) return null;
  const { hello, answers } = JSON.parse(text);
  return { hello: readHello(JSON.stringify(hello)), answers };
}

/** Tells the whole of a recording at once; the rest of a stream never comes. */
export class KeptStream {
  #hello;
  #onHello;
  gaps = 0;
  broken = 0;

  /**
   * @param {import("./wire.js").Hello} hello
   * @param {{onHello: (hello: import("./wire.js").Hello) => void}} listener
   */
  constructor(hello, listener) {
    this.#hello = hello;
    this.#onHello = listener.onHello;
  }

  open() {
    this.#onHello(this.#hello);
  }

  isSilent() {
    return false;
  }

  quietMs() {
    return 0;
  }
}

/**
 * Asks the server; a page that was handed out has its answers with it.
 * @param {Kept | null} kept
 * @returns {(url: string, signal: AbortSignal) => Promise<any>} an answer's JSON, or null: there is none
 */
export function makeAsk(kept) {
  if (kept) return async (url) => kept.answers[url] ?? null;
  return async (url, signal) => {
    const answer = await fetch(url, { signal });
    // 204: what was asked for is known, but not to be had here.
    return answer.ok && answer.status !== 204 ? answer.json() : null;
  };
}
