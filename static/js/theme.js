// @ts-check

// System, light or dark; and the tokens of tokens.css as paints for the canvas.

import { STATES } from "./wire.js";

const CHOICES = Object.freeze(["system", "light", "dark"]);
const STORE_KEY = "loopscope.theme";
const HATCH_PX = 8;
/** Whoever is held up is told from afar. */
const HELD_PX = 16;

/** States whose colour alone would say too little: stripes, and which way they run. */
const HATCHES = Object.freeze({
  due: "rising",
  outside: "rising",
  blocked: "rising",
  thread_queue: "rising",
  process: "upright",
  lost: "cross",
});
/** In which of these a victim of a stall is held up. */
const HELD = Object.freeze(["ready", "due", "outside"]);

/**
 * @typedef {object} Palette everything the canvas needs to know of the style
 * @property {(string | CanvasPattern)[]} fills one per wire state, then blocked
 * @property {CanvasPattern[]} heldFills of those whom a stall held up, where a state can be
 * @property {string[]} inks of a label on each
 * @property {Map<CanvasPattern, import("./draw/svg.js").Hatch>} hatches those of the fills that have stripes
 * @property {string} bg @property {string} line @property {string} ink @property {string} dim
 * @property {string} faint @property {string} band @property {string} steppedBack
 * @property {string} select @property {string} idle
 * @property {string} smallFont @property {string} labelFont @property {string} boldFont
 * @property {number} gutterPx @property {import("./view/rows.js").Sizes} sizes
 */

export class Theme {
  #root;
  #onChange;
  choice;

  /**
   * @param {HTMLElement} root
   * @param {() => void} onChange
   * @param {AbortSignal} signal
   */
  constructor(root, onChange, signal) {
    this.#root = root;
    this.#onChange = onChange;
    const stored = remembered() ?? "";
    this.choice = CHOICES.includes(stored) ? stored : "system";
    this.#root.dataset.theme = this.choice;
    for (const query of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"]) {
      matchMedia(query).addEventListener("change", onChange, { signal });
    }
  }

  /** The next of system, light, dark. */
  next() {
    const at = CHOICES.indexOf(this.choice);
    this.choice = CHOICES[(at + 1) % CHOICES.length];
    this.#root.dataset.theme = this.choice;
    remember(this.choice);
    this.#onChange();
  }
}

/** A page in a frame without an origin may not remember: then it is asked to at each visit. */
function remembered() {
  try {
    return localStorage.getItem(STORE_KEY);
  } catch {
    return null;
  }
}

function remember(choice) {
  try {
    localStorage.setItem(STORE_KEY, choice);
  } catch {
    // See above.
  }
}

/**
 * A missing token is our mistake, and is said.
 * @param {HTMLElement} root
 * @returns {Palette}
 */
export function readPalette(root) {
  const style = getComputedStyle(root);
  const token = (name) => {
    const value = style.getPropertyValue(name).trim();
    if (!value) throw new Error(`tokens.css has no ${name}`);
    return value;
  };
  const px = (name) => Number.parseFloat(token(name));
  const hatches = new Map();
  const striped = (color, stripe, way, sizePx = HATCH_PX) => {
    const hatch = { color, stripe, lines: linesOf(way, sizePx), sizePx, widthPx: 0.3 * sizePx };
    const pattern = patternOf(hatch);
    hatches.set(pattern, hatch);
    return pattern;
  };
  const paint = (name) => {
    if (name === "gone") return "transparent";
    const color = token(`--state-${name.replace("_", "-")}`);
    const way = HATCHES[name];
    return way ? striped(color, token(`--stripe-${name.replace("_", "-")}`), way) : color;
  };
  const heldFills = [];
  for (const name of HELD) {
    heldFills[STATES.indexOf(name)] = striped(token(`--state-${name}`), token("--stripe-held"), "falling", HELD_PX);
  }
  const names = [...STATES, "blocked"];
  const family = getComputedStyle(document.body).fontFamily;
  return {
    fills: names.map(paint),
    heldFills,
    inks: names.map((name) => token(name === "blocked" ? "--on-blocked" : "--on-state")),
    hatches,
    bg: token("--bg"),
    line: token("--grid"),
    ink: token("--ink"),
    dim: token("--dim"),
    faint: token("--faint"),
    band: token("--band"),
    steppedBack: token("--stepped-back"),
    select: token("--select"),
    idle: token("--state-idle"),
    smallFont: `${px("--canvas-small")}px ${family}`,
    labelFont: `${px("--canvas-label")}px ${family}`,
    boldFont: `600 ${px("--canvas-label")}px ${family}`,
    gutterPx: px("--canvas-gutter"),
    sizes: {
      axisPx: px("--canvas-axis"),
      loopPx: px("--canvas-loop-row"),
      pitchPx: px("--canvas-row"),
      threadPx: px("--canvas-thread-row"),
      columnPx: px("--canvas-column"),
      textPx: px("--canvas-label"),
    },
  };
}

/** The stripes of one tile, from x, y to x, y. */
function linesOf(way, sizePx) {
  if (way === "upright") return [[2, 0, 2, sizePx]];
  // The line and its two neighbours' corners, so that the tile meets itself.
  return [-sizePx, 0, sizePx].flatMap((shift) => {
    const [left, right] = [shift - 2, shift + sizePx + 2];
    const rising = way === "falling" ? [] : [[left, sizePx + 2, right, -2]];
    return way === "rising" ? rising : [...rising, [left, -2, right, sizePx + 2]];
  });
}

/** Drawn at the screen's own resolution. @param {import("./draw/svg.js").Hatch} hatch */
function patternOf({ color, stripe, lines, sizePx, widthPx }) {
  const ratio = Math.max(1, Math.round(globalThis.devicePixelRatio || 1));
  const tile = document.createElement("canvas");
  tile.width = tile.height = sizePx * ratio;
  const ctx = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
  ctx.scale(ratio, ratio);
  ctx.fillStyle = color;
  ctx.fillRect(0, 0, sizePx, sizePx);
  ctx.strokeStyle = stripe;
  ctx.lineWidth = widthPx;
  ctx.beginPath();
  for (const [x1, y1, x2, y2] of lines) {
    ctx.moveTo(x1, y1);
    ctx.lineTo(x2, y2);
  }
  ctx.stroke();
  const pattern = /** @type {CanvasPattern} */ (ctx.createPattern(tile, "repeat"));
  pattern.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern;
}

/** Stripes travel with the slices that they fill. */
export function movePatterns(patterns, px) {
  const ratio = Math.max(1, Math.round(globalThis.devicePixelRatio || 1));
  // The wide tile's width is a whole number of the narrow one's.
  const matrix = new DOMMatrix().translate(px % HELD_PX, 0).scale(1 / ratio);
  for (const pattern of patterns) pattern.setTransform(matrix);
}
