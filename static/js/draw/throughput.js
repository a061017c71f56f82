// @ts-check

// Draws throughput against users, and latency beneath, as SVG elements. Keeps nothing: the same
// numbers and the same size give the same picture. Colours and sizes come from the style.

import { decades, linear, logarithmic, roundTicks, spread } from "../view/axis-scale.js";
import { formatCount, formatMs } from "../format.js";

/** Room above the highest measurement, so that the ideal lines are seen leaving. */
const HEADROOM = 1.18;
const LATENCY_SHARE = 0.34;
/** In lines of text: where there is less height, throughput has all of it. */
const LATENCY_NEEDS = 18;
const NAMESPACE = "http://www.w3.org/2000/svg";

/**
 * @typedef {{users: number, rps: number, rps_low: number, rps_high: number, p50_ms: number | null,
 *   p95_ms: number | null, p99_ms: number | null, failures: number, generator_busy: number,
 *   generator_limited: boolean}} Point
 * @typedef {{name: string, state: string, points: Point[]}} Series
 * @typedef {{variant: string | null, service_ms: number}} Ideal
 * @typedef {{series: Series[], ideals: Ideal[], users: number}} Experiment
 */

/**
 * @param {Experiment} experiment
 * @param {{widthPx: number, heightPx: number, textPx: number}} size
 * @returns {SVGElement[]}
 */
export function drawThroughput(experiment, { widthPx, heightPx, textPx }) {
  const { series } = experiment;
  const points = series.flatMap((each) => each.points);
  const left = textPx * 4;
  const right = widthPx - textPx * 5;
  const top = textPx * 1.9;
  const hasLatency = heightPx > textPx * LATENCY_NEEDS;
  const latencyPx = hasLatency ? heightPx * LATENCY_SHARE : textPx * 0.8;
  const bottom = heightPx - latencyPx - textPx * 2.2;
  const highest = Math.max(1, ...points.map((point) => point.rps_high));
  const maxUsers = Math.max(experiment.users, ...points.map((point) => point.users), 1);
  const x = linear(0, maxUsers, left, right);
  const y = linear(0, highest * HEADROOM, bottom, top);
  const frame = { left, right, top, bottom, x, y, textPx, maxUsers, highest: highest * HEADROOM };
  return [
    text("chart-axis", left, textPx, "start", "requests a second"),
    ...drawGrid(frame),
    ...drawIdeals(experiment, frame),
    ...series.flatMap((each, i) => drawSeries(each, i, frame)),
    ...drawNames(series, { ...frame, y }, (point) => point.rps, (point) => short(point.rps)),
    ...(hasLatency ? drawLatency(series, frame, bottom + textPx * 3.6, heightPx - textPx * 2.2) : []),
    text("chart-axis", (left + right) / 2, heightPx - textPx * 0.3, "middle", "users"),
  ];
}

function drawGrid({ left, right, bottom, x, y, textPx, maxUsers, highest }) {
  return [
    ...roundTicks(highest, 5).flatMap((tick) => [
      rule("chart-grid", left, y(tick), right, y(tick)),
      text("chart-tick", left - 8, y(tick) + textPx * 0.35, "end", short(tick)),
    ]),
    ...roundTicks(maxUsers, 8).map((tick) =>
      text("chart-tick", x(tick), bottom + textPx * 1.4, "middle", short(tick)),
    ),
  ];
}

/** Users over service time, and the most that a loop can do that is blocked for so long each. */
function drawIdeals({ ideals, series }, { left, right, top, x, y, textPx, maxUsers, highest }) {
  return ideals.flatMap(({ variant, service_ms }) => {
    const seconds = service_ms / 1e3;
    const state = series.find(({ name }) => name === variant)?.state ?? "";
    const end = Math.min(maxUsers, highest * seconds);
    const over = `÷ ${formatMs(service_ms)}`;
    const isSteep = end < maxUsers * 0.95;
    const drawn = [
      rule("chart-ideal", x(0), y(0), x(end), y(end / seconds), state),
      isSteep
        ? text("chart-note", x(end) + 6, y(end / seconds) + textPx, "start", `users ${over}`)
        : text("chart-note", x(end * 0.62), y((end * 0.62) / seconds) - 8, "end", `users ${over}`),
    ];
    const flat = y(1 / seconds);
    if (flat <= top) return drawn;
    return [
      ...drawn,
      rule("chart-ideal", left, flat, right, flat, state),
      text("chart-note", right - 4, flat - 6, "end", `a blocked loop: 1 ${over}`),
    ];
  });
}

/** Band, line and marks; grey and hollow where the generator was the limit. */
function drawSeries({ state, points }, number, { x, y, textPx }) {
  const at = points.map((point) => [x(point.users), y(point.rps)]);
  const band = [
    ...points.map((point) => [x(point.users), y(point.rps_high)]),
    ...points.map((point) => [x(point.users), y(point.rps_low)]).reverse(),
  ];
  const lines = points.slice(1).map((point, i) => {
    const className = point.generator_limited ? "chart-line chart-limited" : "chart-line";
    return rule(className, at[i][0], at[i][1], at[i + 1][0], at[i + 1][1], state);
  });
  const marks = points.map((point, i) => {
    const className = point.generator_limited ? "chart-mark chart-limited" : "chart-mark";
    const mark = shape("path", className, { d: markPath(number, ...at[i], textPx * 0.32) }, state);
    mark.append(title(wordsOf(point)));
    return mark;
  });
  const failed = points.flatMap((point, i) =>
    point.failures ? [text("chart-failed", at[i][0], at[i][1] - textPx * 0.7, "middle", "✕")] : [],
  );
  return [shape("polygon", "chart-band", { points: band.join(" ") }, state), ...lines, ...marks, ...failed];
}

function drawLatency(series, { left, right, x, textPx }, top, bottom) {
  const known = series.flatMap(({ points }) => points.flatMap((p) => [p.p50_ms, p.p95_ms]));
  const values = /** @type {number[]} */ (known.filter((value) => value));
  if (!values.length) return [];
  const ticks = decades(Math.min(...values), Math.max(...values));
  const y = logarithmic(ticks[0], ticks[ticks.length - 1], bottom, top);
  const everyTick = Math.ceil((textPx * 1.3) / Math.max(y(ticks[0]) - y(ticks[1]), 1));
  const answered = series.map((each) => ({ ...each, points: each.points.filter((p) => p.p50_ms) }));
  const line = (points, read, className, state) =>
    shape("polyline", className, { points: points.map((p) => [x(p.users), y(read(p))]).join(" ") }, state);
  return [
    text("chart-axis", left, top - textPx * 0.9, "start", "latency: p50, and p95 dashed"),
    ...ticks.map((tick) => rule("chart-grid", left, y(tick), right, y(tick))),
    ...ticks
      .filter((_, i) => i % everyTick === 0)
      .map((tick) => text("chart-tick", left - 8, y(tick) + textPx * 0.35, "end", shortMs(tick))),
    ...answered.flatMap(({ points, state }) => [
      line(points, (p) => p.p50_ms, "chart-line", state),
      line(points, (p) => p.p95_ms, "chart-line chart-high", state),
    ]),
    ...drawNames(answered, { right, textPx, bottom, y }, (p) => p.p50_ms, (p) => formatMs(p.p50_ms)),
  ];
}

/** The last number of each line at its end, in the line's colour, apart from the others. */
function drawNames(series, { right, textPx, bottom, y }, read, words) {
  const ended = series.filter(({ points }) => points.length);
  const last = ended.map(({ points }) => points[points.length - 1]);
  const heights = spread(last.map((point) => y(read(point))), textPx * 1.25, bottom);
  return ended.map(({ state }, i) => {
    const label = text("chart-name", right + 10, heights[i] + textPx * 0.35, "start", words(last[i]));
    label.dataset.state = state;
    return label;
  });
}

/** A mark of its own for each line, never colour alone: circle, square, triangle, diamond. */
export function markPath(number, x, y, r) {
  const p = (dx, dy) => `${(x + dx * r).toFixed(1)},${(y + dy * r).toFixed(1)}`;
  const paths = [
    `M${p(-1, 0)}a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0`,
    `M${p(-0.9, -0.9)}L${p(0.9, -0.9)} ${p(0.9, 0.9)} ${p(-0.9, 0.9)}Z`,
    `M${p(0, -1.2)}L${p(1.2, 1)} ${p(-1.2, 1)}Z`,
    `M${p(0, -1.3)}L${p(1.3, 0)} ${p(0, 1.3)} ${p(-1.3, 0)}Z`,
  ];
  return paths[number % paths.length];
}

/** @param {Point} point */
export function wordsOf(point) {
  const words = [`${short(point.users)} users: ${short(point.rps)} requests a second`];
  for (const name of ["p50", "p95", "p99"]) {
    const ms = point[`${name}_ms`];
    if (ms !== null) words.push(`${name} ${formatMs(ms)}`);
  }
  if (point.failures) words.push(`${formatCount(point.failures)} failed`);
  if (point.generator_limited) words.push("the generator was the limit");
  return words.join(", ");
}

const short = (value) => formatCount(value < 100 ? Math.round(value * 10) / 10 : Math.round(value));
const shortMs = (ms) => (ms >= 1000 ? `${ms / 1000} s` : ms >= 1 ? `${ms} ms` : `${ms * 1000} µs`);

function shape(tag, className, attributes, state = "") {
  const element = document.createElementNS(NAMESPACE, tag);
  element.setAttribute("class", className);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (state) element.dataset.state = state;
  return /** @type {SVGElement} */ (element);
}

function rule(className, x1, y1, x2, y2, state = "") {
  return shape("line", className, { x1, y1, x2, y2 }, state);
}

function text(className, x, y, anchor, words) {
  const element = shape("text", className, { x, y, "text-anchor": anchor });
  element.textContent = words;
  return element;
}

function title(words) {
  const element = shape("title", "", {});
  element.textContent = words;
  return element;
}
