// @ts-check

// A drawing surface with the few methods of a 2d canvas that the timeline needs, which writes SVG
// instead of pixels: the same code draws both. Keeps text; knows nothing of what is drawn.

/**
 * @typedef {{color: string, stripe: string, lines: readonly (readonly number[])[], sizePx: number, widthPx: number}} Hatch
 */

const DIGITS = 2;
const BASELINES = Object.freeze({ middle: "central", top: "text-before-edge", bottom: "text-after-edge" });
const ANCHORS = Object.freeze({ center: "middle", right: "end", end: "end" });
// What XML cannot hold at all, written or escaped.
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
const ESCAPES = Object.freeze({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" });

/** Text of others as XML text. @param {string} text */
export function escapeXml(text) {
  return text.toWellFormed().replace(FORBIDDEN, "\ufffd").replace(/[&<>"]/g, (sign) => ESCAPES[sign]);
}

export class SvgSurface {
  fillStyle = "#000000";
  strokeStyle = "#000000";
  lineWidth = 1;
  globalAlpha = 1;
  font = "12px sans-serif";
  textAlign = "left";
  textBaseline = "alphabetic";
  #ruler;
  #hatches;
  #used = new Map();
  /** @type {string[]} */
  #parts = [];
  #path = "";
  #dash = [];
  #clips = 0;
  #states = [];
  #groups = 0;

  /**
   * @param {{measureText: (text: string) => {width: number}, font: string, fillStyle: any}} ruler a
   *   canvas' context: it knows how wide a text is and what a colour's name stands for
   * @param {ReadonlyMap<unknown, Hatch>} hatches by the pattern of the canvas
   */
  constructor(ruler, hatches) {
    this.#ruler = ruler;
    this.#hatches = hatches;
  }

  fillRect(x, y, w, h) {
    this.#parts.push(`<rect ${box(x, y, w, h)}${this.#paint("fill", this.fillStyle)}/>`);
  }

  strokeRect(x, y, w, h) {
    this.#parts.push(`<rect ${box(x, y, w, h)} fill="none"${this.#pen()}/>`);
  }

  fillText(text, x, y) {
    if (!text) return;
    const [, weight = "400", size, family] = /^(?:(\w+) )?([\d.]+)px (.+)$/.exec(this.font) ?? [];
    const font = ` font-family="${escapeXml(family ?? "sans-serif")}" font-size="${size ?? 12}" font-weight="${weight}"`;
    const baseline = BASELINES[this.textBaseline] ? ` dominant-baseline="${BASELINES[this.textBaseline]}"` : "";
    const anchor = ANCHORS[this.textAlign] ? ` text-anchor="${ANCHORS[this.textAlign]}"` : "";
    const at = `x="${short(x)}" y="${short(y)}"${font}${baseline}${anchor}${this.#paint("fill", this.fillStyle)}`;
    this.#parts.push(`<text ${at} xml:space="preserve">${escapeXml(text)}</text>`);
  }

  measureText(text) {
    this.#ruler.font = this.font;
    return this.#ruler.measureText(text);
  }

  beginPath() {
    this.#path = "";
  }

  moveTo(x, y) {
    this.#path += `M${short(x)} ${short(y)}`;
  }

  lineTo(x, y) {
    this.#path += `L${short(x)} ${short(y)}`;
  }

  rect(x, y, w, h) {
    this.#path += `M${short(x)} ${short(y)}h${short(w)}v${short(h)}h${short(-w)}z`;
  }

  fill() {
    this.#parts.push(`<path d="${this.#path}"${this.#paint("fill", this.fillStyle)}/>`);
  }

  stroke() {
    this.#parts.push(`<path d="${this.#path}" fill="none"${this.#pen()}/>`);
  }

  setLineDash(lengths) {
    this.#dash = lengths;
  }

  clip() {
    this.#clips += 1;
    this.#groups += 1;
    this.#parts.push(`<clipPath id="clip${this.#clips}"><path d="${this.#path}"/></clipPath>`);
    this.#parts.push(`<g clip-path="url(#clip${this.#clips})">`);
  }

  save() {
    const { fillStyle, strokeStyle, lineWidth, globalAlpha, font, textAlign, textBaseline } = this;
    const style = { fillStyle, strokeStyle, lineWidth, globalAlpha, font, textAlign, textBaseline };
    this.#states.push({ style, dash: this.#dash, groups: this.#groups });
  }

  restore() {
    const { style, dash, groups } = this.#states.pop();
    Object.assign(this, style);
    this.#dash = dash;
    for (; this.#groups > groups; this.#groups -= 1) this.#parts.push("</g>");
  }

  /**
   * The whole picture.
   * @param {{widthPx: number, heightPx: number}} size
   * @param {string} title
   */
  write({ widthPx, heightPx }, title) {
    const size = `width="${short(widthPx)}" height="${short(heightPx)}" viewBox="0 0 ${short(widthPx)} ${short(heightPx)}"`;
    const defs = [...this.#used].map(([hatch, id]) => patternOf(hatch, id)).join("");
    const body = this.#parts.join("\n");
    return `<svg xmlns="http://www.w3.org/2000/svg" ${size}><title>${escapeXml(title)}</title><defs>${defs}</defs>\n${body}\n</svg>\n`;
  }

  #pen() {
    const dash = this.#dash.length ? ` stroke-dasharray="${this.#dash.join(" ")}"` : "";
    return `${this.#paint("stroke", this.strokeStyle)} stroke-width="${short(this.lineWidth)}"${dash}`;
  }

  #paint(name, style) {
    const hatch = this.#hatches.get(style);
    const alpha = this.globalAlpha < 1 ? ` ${name}-opacity="${short(this.globalAlpha)}"` : "";
    if (hatch) {
      if (!this.#used.has(hatch)) this.#used.set(hatch, `hatch${this.#used.size + 1}`);
      return ` ${name}="url(#${this.#used.get(hatch)})"${alpha}`;
    }
    // The canvas says any colour as #rrggbb or rgba(r, g, b, a), which every program reads.
    this.#ruler.fillStyle = style;
    const told = String(this.#ruler.fillStyle);
    const parts = /^rgba\((\d+), (\d+), (\d+), ([\d.]+)\)$/.exec(told);
    if (!parts) return ` ${name}="${escapeXml(told)}"${alpha}`;
    const [, r, g, b, a] = parts;
    return ` ${name}="rgb(${r},${g},${b})" ${name}-opacity="${short(Number(a) * this.globalAlpha)}"`;
  }
}

/** @param {Hatch} hatch @param {string} id */
function patternOf({ color, stripe, lines, sizePx, widthPx }, id) {
  const strokes = lines.map(([x1, y1, x2, y2]) => `M${x1} ${y1}L${x2} ${y2}`).join("");
  const ground = `<rect width="${sizePx}" height="${sizePx}" fill="${escapeXml(color)}"/>`;
  const stripes = `<path d="${strokes}" stroke="${escapeXml(stripe)}" stroke-width="${widthPx}"/>`;
  return `<pattern id="${id}" width="${sizePx}" height="${sizePx}" patternUnits="userSpaceOnUse">${ground}${stripes}</pattern>`;
}

function box(x, y, w, h) {
  return `x="${short(x)}" y="${short(y)}" width="${short(w)}" height="${short(h)}"`;
}

function short(value) {
  return String(Number(value.toFixed(DIGITS)));
}
