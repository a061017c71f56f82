// @ts-check

// The one EventSource: decodes, counts what is missing, says when the line is lost and found.
// Keeps no data. A gap in the numbers means that our strings and lanes are incomplete, so it starts
// over with a fresh snapshot rather than draw a guess.

import { readFrame, readHello } from "./wire.js";

/** EventSource gives up on an HTTP error; then it is for us to knock again. */
const RETRY_MS = 2000;
/** At 20 frames a second and more, this long without one means that nobody is there. */
const SILENCE_MS = 3000;

export class Stream {
  /** @type {EventSource | null} */
  #source = null;
  #timer = 0;
  #seq = -1;
  #url;
  #listener;
  #openSource;
  #ask;
  #signal;
  #heardMs = 0;

  gaps = 0;
  broken = 0;

  /**
   * @param {string} url
   * @param {{onHello: (hello: import("./wire.js").Hello) => void,
   *   onFrame: (frame: import("./wire.js").Frame) => void,
   *   onHeard: () => void, onLost: () => void, onRefused: (response: Response) => void,
   *   onBroken: (error: Error) => void}} listener
   * @param {AbortSignal} signal
   * @param {(url: string) => EventSource} [openSource]
   * @param {typeof fetch} [ask]
   */
  constructor(
    url, listener, signal,
    openSource = (address) => new EventSource(address),
    ask = (address, options) => fetch(address, options),
  ) {
    this.#url = url;
    this.#listener = listener;
    this.#signal = signal;
    this.#openSource = openSource;
    this.#ask = ask;
    signal.addEventListener("abort", () => this.#close(), { once: true });
  }

  open() {
    this.#close();
    if (this.#signal.aborted) return;
    // Some browsers queue equal URLs of several tabs behind each other.
    const source = this.#openSource(`${this.#url}?v=${Math.random().toString(36).slice(2)}`);
    this.#source = source;
    const options = { signal: this.#signal };
    source.addEventListener("hello", (event) => this.#guard(() => this.#hello(event.data)), options);
    source.addEventListener("frame", (event) => this.#guard(() => this.#frame(event.data)), options);
    // Of a recording, where nothing is new.
    source.addEventListener("beat", () => this.#heard(), options);
    source.addEventListener("error", () => this.#lost(source), options);
  }

  /** @param {number} nowMs */
  isSilent(nowMs) {
    return this.quietMs(nowMs) > SILENCE_MS;
  }

  /**
   * Since the last news.
   * @param {number} nowMs
   */
  quietMs(nowMs) {
    return this.#heardMs > 0 ? nowMs - this.#heardMs : 0;
  }

  #hello(text) {
    const hello = readHello(text);
    this.#heardMs = performance.now();
    if (hello.snapshot) this.#seq = hello.snapshot.seq;
    this.#listener.onHello(hello);
  }

  #frame(text) {
    const frame = readFrame(text);
    this.#heard();
    const expected = this.#seq + 1;
    this.#seq = frame.seq;
    if (expected > 0 && frame.seq > expected) {
      this.gaps += frame.seq - expected;
      this.open();
      return;
    }
    if (frame.seq < expected) return;
    this.#listener.onFrame(frame);
  }

  #heard() {
    this.#heardMs = performance.now();
    this.#listener.onHeard();
  }

  #lost(source) {
    this.#listener.onLost();
    if (source !== this.#source || source.readyState !== 2) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.open(), RETRY_MS);
    void this.#askWhy();
  }

  /** An EventSource tells no reason. Asked like any other address, the dashboard gives a sentence. */
  async #askWhy() {
    const asking = new AbortController();
    const stop = () => asking.abort();
    this.#signal.addEventListener("abort", stop, { once: true });
    try {
      const response = await this.#ask(this.#url, { signal: asking.signal });
      if (response.ok) stop(); // It is back; `open` will find it.
      else this.#listener.onRefused(response);
    } catch {
      // Nobody is there at all, which `onLost` has said.
    } finally {
      this.#signal.removeEventListener("abort", stop);
    }
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  /** A broken message is counted and shown, the first one in full on the console. */
  #guard(work) {
    try {
      work();
    } catch (error) {
      this.broken += 1;
      if (this.broken === 1) console.error(error);
      this.#listener.onBroken(/** @type {Error} */ (error));
    }
  }
}
