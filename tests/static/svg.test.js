import assert from "node:assert/strict";
import { test } from "node:test";
import { SvgSurface } from "../../static/js/draw/svg.js";

const HATCH = { color: "#aa0000", stripe: "#ff0000", lines: [[0, 8, 8, 0]], sizePx: 8, widthPx: 2 };

/** A canvas that says colours as it does, and that every sign is ten pixels wide. */
function surface() {
  const pattern = {};
  const ruler = { font: "", fillStyle: "", measureText: (text) => ({ width: text.length * 10 }) };
  return { svg: new SvgSurface(ruler, new Map([[pattern, HATCH]])), pattern };
}

const write = (svg) => svg.write({ widthPx: 100, heightPx: 50 }, "a < b");

test("rectangles, text and paths become elements in the order in which they were drawn", () => {
  const { svg } = surface();
  svg.fillStyle = "#123456";
  svg.fillRect(1, 2, 3.456, 4);
  svg.fillStyle = "rgba(1, 2, 3, 0.5)";
  svg.font = "600 12px Inter, sans-serif";
  svg.textBaseline = "middle";
  svg.fillText("hi", 5, 6);
  svg.beginPath();
  svg.moveTo(0, 0);
  svg.lineTo(9, 9);
  svg.stroke();

  const names = [...write(svg).matchAll(/<(rect|text|path) /g)].map(([, name]) => name);
  assert.deepEqual(names, ["rect", "text", "path"]);
  assert.match(write(svg), /<rect x="1" y="2" width="3.46" height="4" fill="#123456"\/>/);
  assert.match(write(svg), /font-size="12" font-weight="600" dominant-baseline="central" fill="rgb\(1,2,3\)" fill-opacity="0.5"/);
});

test("stripes are defined once, and only if somebody used them", () => {
  const { svg, pattern } = surface();
  assert.doesNotMatch(write(svg), /<pattern/);
  svg.fillStyle = pattern;
  svg.fillRect(0, 0, 1, 1);
  svg.fillRect(1, 0, 1, 1);

  assert.equal(write(svg).match(/<pattern id="hatch1"/g)?.length, 1);
  assert.equal(write(svg).match(/fill="url\(#hatch1\)"/g)?.length, 2);
});

test("what is clipped ends where the state is restored", () => {
  const { svg } = surface();
  svg.save();
  svg.beginPath();
  svg.rect(0, 0, 5, 5);
  svg.clip();
  svg.fillStyle = "#ffffff";
  svg.fillRect(0, 0, 9, 9);
  svg.restore();
  svg.fillRect(0, 0, 1, 1);

  assert.match(write(svg), /<g clip-path="url\(#clip1\)">\n<rect [^>]*fill="#ffffff"\/>\n<\/g>\n<rect [^>]*fill="#000000"\/>/);
});

test("names of others stay text, and what XML cannot hold is replaced", () => {
  const { svg } = surface();
  svg.fillText('<script>alert(1)</script> & "\u0000\ud800', 0, 0);

  assert.match(write(svg), />&lt;script&gt;alert\(1\)&lt;\/script&gt; &amp; &quot;\ufffd\ufffd<\/text>/);
  assert.match(write(svg), /<title>a &lt; b<\/title>/);
});
