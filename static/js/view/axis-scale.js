// @ts-check

// Values and pixels of a chart's axis, and its round ticks. Pure.

/** @param {number} low @param {number} high @param {number} lowPx @param {number} highPx */
export function linear(low, high, lowPx, highPx) {
  return (value) => lowPx + ((value - low) / (high - low)) * (highPx - lowPx);
}

/** For values above zero that differ by powers of ten. */
export function logarithmic(low, high, lowPx, highPx) {
  const span = Math.log(high / low);
  return (value) => lowPx + (Math.log(value / low) / span) * (highPx - lowPx);
}

/** About so many round values from 0 to the highest. */
export function roundTicks(highest, wanted) {
  const rough = highest / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5].find((factor) => factor * power >= rough) ?? 10);
  const ticks = [];
  for (let i = 0; i * step <= highest * (1 + 1e-9); i += 1) ticks.push(i * step);
  return ticks;
}

/** The powers of ten around a range, one decade at least. */
export function decades(low, high) {
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.max(Math.ceil(Math.log10(high) - 1e-9), first + 1);
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
}

/** Heights of labels, at least so far apart and none below the bottom; in the order given. */
export function spread(heights, apartPx, bottomPx) {
  const order = heights.map((_, i) => i).sort((a, b) => heights[a] - heights[b]);
  const placed = [...heights];
  let lowest = -Infinity;
  for (const i of order) lowest = placed[i] = Math.max(heights[i], lowest + apartPx);
  let limit = bottomPx;
  for (const i of order.reverse()) {
    placed[i] = Math.min(placed[i], limit);
    limit = placed[i] - apartPx;
  }
  return placed;
}
