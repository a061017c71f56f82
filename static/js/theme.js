// @ts-check

// System, light or dark; and the tokens of tokens.css as paints for the canvas.

import { STATES } from "./wire.js";

const CHOICES = Object.freeze(["system", "light", "dark"]);
const STORE_KEY = "loopscope.theme";
const HATCH_PX = 8;

/** States whose colour alone would say too little: stripes, and which way they run. */
const HATCHES = Object.freeze({
  due: "rising",
  outside: "rising",
  blocked: "rising",
  thread_queue: "rising",
  process: "upright",
  lost: "cross",
});

/**
 * @typedef {object} Palette everything the canvas needs to know of the style
 * @property {(string | CanvasPattern)[]} fills one per wire state, then blocked
 * @property {string[]} inks of a label on each
 * @property {CanvasPattern[]} patterns those of the fills that have stripes
 * @property {string} bg @property {string} line @property {string} ink @property {string} dim
 * @property {string} faint @property {string} band @property {string} select @property {string} idle
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
    const stored = localStorage.getItem(STORE_KEY) ?? "";
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
    localStorage.setItem(STORE_KEY, this.choice);
    this.#onChange();
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
  const patterns = [];
  const paint = (name) => {
    if (name === "gone") return "transparent";
    const color = token(`--state-${name.replace("_", "-")}`);
    const way = HATCHES[name];
    if (!way) return color;
    const pattern = hatch(color, token(`--stripe-${name.replace("_", "-")}`), way);
    patterns.push(pattern);
    return pattern;
  };
  const names = [...STATES, "blocked"];
  const family = getComputedStyle(document.body).fontFamily;
  return {
    fills: names.map(paint),
    inks: names.map((name) => token(name === "blocked" ? "--on-blocked" : "--on-state")),
    patterns,
    bg: token("--bg"),
    line: token("--grid"),
    ink: token("--ink"),
    dim: token("--dim"),
    faint: token("--faint"),
    band: token("--band"),
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
    },
  };
}

/** Stripes one HATCH_PX apart, drawn at the screen's own resolution. */
function hatch(color, stripe, way) {
  const ratio = Math.max(1, Math.round(globalThis.devicePixelRatio || 1));
  const tile = document.createElement("canvas");
  tile.width = tile.height = HATCH_PX * ratio;
  const ctx = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
  ctx.scale(ratio, ratio);
  ctx.fillStyle = color;
  ctx.fillRect(0, 0, HATCH_PX, HATCH_PX);
  ctx.strokeStyle = stripe;
  ctx.lineWidth = 2.4;
  ctx.beginPath();
  if (way === "upright") {
    ctx.moveTo(2, 0);
    ctx.lineTo(2, HATCH_PX);
  } else {
    // The line and its two neighbours' corners, so that the tile meets itself.
    for (const shift of [-HATCH_PX, 0, HATCH_PX]) {
      ctx.moveTo(shift - 2, HATCH_PX + 2);
      ctx.lineTo(shift + HATCH_PX + 2, -2);
      if (way === "cross") {
        ctx.moveTo(shift - 2, -2);
        ctx.lineTo(shift + HATCH_PX + 2, HATCH_PX + 2);
      }
    }
  }
  ctx.stroke();
  const pattern = /** @type {CanvasPattern} */ (ctx.createPattern(tile, "repeat"));
  pattern.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern;
}

/** Stripes travel with the slices that they fill. */
export function movePatterns(patterns, px) {
  const ratio = Math.max(1, Math.round(globalThis.devicePixelRatio || 1));
  const matrix = new DOMMatrix().translate(px % HATCH_PX, 0).scale(1 / ratio);
  for (const pattern of patterns) pattern.setTransform(matrix);
}
