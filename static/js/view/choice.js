// @ts-check

// Which lanes the viewer wants to see, and in which order: filter, grouping, pins, what is unfolded.
// Small, and changed only by the functions below; each change is told once.

export const GROUPINGS = Object.freeze(["time", "name", "spawn", "worker"]);

/** What the button says. */
export const GROUPING_WORDS = Object.freeze({
  time: "as they came",
  name: "by route",
  spawn: "by spawn line",
  worker: "by worker",
});

export class Choice {
  #onChange;
  /** What the viewer typed. */
  filter = "";
  /** @type {string} one of GROUPINGS */
  grouping = "time";
  /** Lanes that stay on top. @type {ReadonlySet<number>} */
  pins = new Set();
  /** Requests whose tasks have rows of their own. @type {ReadonlySet<number>} */
  unfolded = new Set();
  /** Tasks of no request. */
  showsTasks = false;

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** @param {string} text */
  setFilter(text) {
    this.filter = text;
    this.#onChange();
  }

  nextGrouping() {
    const at = GROUPINGS.indexOf(this.grouping);
    this.grouping = GROUPINGS[(at + 1) % GROUPINGS.length];
    this.#onChange();
  }

  /** @param {number} lane */
  togglePin(lane) {
    this.pins = toggled(this.pins, lane);
    this.#onChange();
  }

  /** @param {number} request */
  toggleFold(request) {
    this.unfolded = toggled(this.unfolded, request);
    this.#onChange();
  }

  toggleTasks() {
    this.showsTasks = !this.showsTasks;
    this.#onChange();
  }

  /**
   * As a link says it; what it does not say is as at first.
   * @param {{filter?: string, grouping?: string, pins?: number[], unfolded?: number[],
   *   showsTasks?: boolean}} wanted
   */
  restore(wanted) {
    this.filter = wanted.filter ?? "";
    this.grouping = GROUPINGS.includes(wanted.grouping ?? "") ? String(wanted.grouping) : "time";
    this.pins = new Set(wanted.pins);
    this.unfolded = new Set(wanted.unfolded);
    this.showsTasks = wanted.showsTasks ?? false;
    this.#onChange();
  }

  /** A new run of the server: lanes and requests are numbered anew. */
  restart() {
    this.pins = new Set();
    this.unfolded = new Set();
    this.#onChange();
  }
}

/**
 * Does a lane's name have every word that was typed? "#12" is exactly request 12.
 * @param {string} filter
 * @returns {(lane: {label: string, request: number}) => boolean}
 */
export function acceptorOf(filter) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return (lane) =>
    words.every((word) => {
      if (/^#\d+$/.test(word)) return lane.request === Number(word.slice(1));
      return lane.label.toLowerCase().includes(word);
    });
}

function toggled(set, value) {
  const next = new Set(set);
  if (!next.delete(value)) next.add(value);
  return next;
}
