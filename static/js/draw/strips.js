// @ts-check

// Metrics as strips below each other, on the timeline's own scale: filled steps, the worst of each
// pixel, and the value at the cursor beside the name. Columns in, pixels out; keeps nothing.

import { formatCount, formatMs, formatPercent } from "../format.js";
import { SAMPLE_NS } from "../model/metrics.js";

/**
 * @typedef {object} Strip
 * @property {string} name column of the samples
 * @property {string} label
 * @property {(value: number) => string} format
 * @property {number} least the top of the scale is never below this
 * @property {string} [second] a column drawn as a line above the first
 */

/** @type {readonly Strip[]} */
export const STRIPS = Object.freeze([
  { name: "busy", label: "loop busy", format: (value) => formatPercent(value), least: 1 },
  { name: "lag", label: "lag", format: (value) => formatMs(value), least: 10 },
  { name: "ready", label: "ready, due", format: (value) => formatCount(value), least: 4 },
  { name: "rate", label: "requests/s", format: (value) => formatCount(Math.round(value)), least: 20 },
  { name: "latency", label: "p50, p95", format: (value) => formatMs(value), least: 10, second: "slow" },
]);

const GAP_PX = 8;

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {object} scene
 * @param {import("../model/metrics.js").Samples | null} scene.samples
 * @param {import("../view/scale.js").Scale} scene.scale
 * @param {number} scene.endNs nothing is known after it
 * @param {number} scene.cursorNs
 * @param {{widthPx: number, heightPx: number}} scene.size
 * @param {import("../theme.js").Palette & {colors: Record<string, string>}} palette colors by strip
 */
export function drawStrips(ctx, { samples, scale, endNs, cursorNs, size }, palette) {
  ctx.fillStyle = palette.bg;
  ctx.fillRect(0, 0, size.widthPx, size.heightPx);
  const pitchPx = Math.floor(size.heightPx / STRIPS.length);
  STRIPS.forEach((strip, k) => {
    const box = { topPx: k * pitchPx + GAP_PX / 2, bottomPx: (k + 1) * pitchPx - GAP_PX / 2 };
    ctx.fillStyle = palette.line;
    ctx.fillRect(scale.leftPx, box.bottomPx, scale.widthPx, 1);
    const color = palette.colors[strip.name];
    const topValue = samples ? topOf(samples, strip, scale) : strip.least;
    if (samples) drawColumn(ctx, samples, { strip, scale, endNs, box, topValue, color });
    drawWords(ctx, { strip, samples, cursorNs, box, topValue }, palette, scale.leftPx);
  });
}

/**
 * The strip reaches from nothing to the worst in sight, rounded up.
 * @param {import("../model/metrics.js").Samples} samples
 * @param {{name: string, second?: string, least: number}} strip
 * @param {import("../view/scale.js").Scale} scale
 */
export function topOf(samples, { name, second, least }, scale) {
  let top = least;
  for (let i = samples.firstAfter(scale.startNs - SAMPLE_NS); i < samples.count; i += 1) {
    if (samples.ns(i) > scale.endNs) break;
    top = Math.max(top, samples.value(name, i) || 0, (second && samples.value(second, i)) || 0);
  }
  const power = 10 ** Math.floor(Math.log10(top));
  return top === least ? least : ([1, 2, 5, 10].find((factor) => factor * power >= top) ?? 10) * power;
}

function drawColumn(ctx, samples, { strip, scale, endNs, box, topValue, color }) {
  const heightPx = box.bottomPx - box.topPx;
  const yOf = (value) => Math.max(Math.round((Math.min(value, topValue) / topValue) * heightPx), value > 0 ? 1 : 0);
  ctx.fillStyle = color;
  const bar = (name, isLine) => {
    let worst = 0;
    let fromPx = NaN;
    let toPx = NaN;
    const flush = () => {
      if (Number.isNaN(fromPx)) return;
      const px = yOf(worst);
      if (px) ctx.fillRect(fromPx, box.bottomPx - px, Math.max(toPx - fromPx, 1), isLine ? 2 : px);
    };
    for (let i = samples.firstAfter(scale.startNs - SAMPLE_NS); i < samples.count; i += 1) {
      const ns = samples.ns(i);
      if (ns > scale.endNs) break;
      const value = samples.value(name, i);
      if (Number.isNaN(value)) continue;
      const leftPx = Math.max(Math.round(scale.toPx(ns)), scale.leftPx);
      const rightPx = Math.min(Math.round(scale.toPx(Math.min(ns + SAMPLE_NS, endNs))), scale.rightPx);
      if (leftPx === fromPx) {
        worst = Math.max(worst, value);
        toPx = Math.max(toPx, rightPx);
        continue;
      }
      flush();
      [worst, fromPx, toPx] = [value, leftPx, rightPx];
    }
    flush();
  };
  ctx.globalAlpha = strip.second ? 0.55 : 1;
  bar(strip.name, false);
  ctx.globalAlpha = 1;
  if (strip.second) bar(strip.second, true);
}

function drawWords(ctx, { strip, samples, cursorNs, box, topValue }, palette, leftPx) {
  const i = samples ? samples.indexAt(cursorNs) : -1;
  const values = i < 0 ? [] : [strip.name, strip.second].filter(Boolean).map((name) => samples.value(name, i));
  const told = values.some((value) => !Number.isNaN(value)) ? values.map(strip.format).join(", ") : "–";
  const middlePx = (box.topPx + box.bottomPx) / 2;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  ctx.font = palette.smallFont;
  ctx.fillStyle = palette.dim;
  ctx.fillText(strip.label, 8, middlePx - 8);
  ctx.font = palette.boldFont;
  ctx.fillStyle = palette.ink;
  ctx.fillText(told, 8, middlePx + 8);
  ctx.font = palette.smallFont;
  ctx.fillStyle = palette.faint;
  ctx.fillText(strip.format(topValue), leftPx + 4, box.topPx + 6);
}
