import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../static/", import.meta.url));
const FILES = readdirSync(ROOT, { recursive: true }).map(String);
const read = (name) => readFileSync(join(ROOT, name), "utf8");
const scripts = FILES.filter((name) => name.endsWith(".js"));
const sheets = FILES.filter((name) => name.endsWith(".css"));

/** Custom properties of one rule, as written. */
function declarations(css, opening) {
  const from = css.indexOf(opening);
  assert.ok(from >= 0, opening);
  const body = css.slice(from + opening.length, css.indexOf("}", from));
  return new Map([...body.matchAll(/(--[\w-]+):\s*([^;]+);/g)].map(([, name, value]) => [name, value]));
}

/** WCAG contrast of two #rrggbb colours. */
function contrast(one, other) {
  const light = (hex) => {
    const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255);
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  };
  const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

test("no module is longer than 300 lines", () => {
  for (const name of [...scripts, ...sheets]) assert.ok(read(name).split("\n").length <= 300, name);
});

test("every module is checked by the editor and says what it is for", () => {
  for (const name of scripts) assert.match(read(name), /^\/\/ @ts-check\n\n\/\/ /, name);
});

test("no markup is made from strings, and no style attribute", () => {
  for (const name of scripts) {
    assert.doesNotMatch(read(name), /innerHTML|outerHTML|insertAdjacentHTML|setAttribute\("style"|document\.write/, name);
  }
});

test("only main builds things: nobody imports it, and modules export by name", () => {
  for (const name of scripts) {
    assert.doesNotMatch(read(name), /from "[^"]*main\.js"|export default|export let/, name);
  }
});

test("imports form no circle", () => {
  const edges = new Map(
    scripts.map((name) => [
      name,
      [...read(name).matchAll(/^import .*?from "([^"]+)";|^} from "([^"]+)";/gms)].map((found) =>
        join(name, "..", found[1] ?? found[2]),
      ),
    ]),
  );
  const visit = (name, path) => {
    assert.ok(!path.includes(name), `${[...path, name].join(" → ")}`);
    for (const next of edges.get(name) ?? []) visit(next, [...path, name]);
  };
  for (const name of scripts) visit(name, []);
});

test("colours stand in tokens.css only, and sheets select by class or attribute", () => {
  for (const name of sheets.filter((sheet) => !sheet.endsWith("tokens.css"))) {
    const css = read(name).replace(/\/\*[\s\S]*?\*\//g, "");
    assert.doesNotMatch(css, /#[0-9a-f]{3,8}\b|rgb\(|hsl\(/i, name);
    assert.doesNotMatch(css, /^\s*#[a-z]|!important/im, name);
  }
});

test("the dark colours are the same by choice and by the system's wish", () => {
  const css = read("css/tokens.css");

  assert.deepEqual(
    declarations(css, ':root[data-theme="dark"] {'),
    declarations(css, ':root[data-theme="system"] {'),
  );
});

test("text has the contrast that AA asks for, in both themes", () => {
  const css = read("css/tokens.css");
  for (const tokens of [declarations(css, ":root {"), declarations(css, ':root[data-theme="dark"] {')]) {
    const of = (name) => tokens.get(name) ?? assert.fail(name);
    const pairs = [
      ["--ink", "--bg"], ["--dim", "--bg"], ["--dim", "--panel"], ["--faint", "--bg"], ["--faint", "--panel"], ["--ink", "--wait-ground"], ["--ink", "--thread-ground"], ["--accent", "--bg"],
      ["--warn", "--bg"], ["--blocked-ink", "--blocked-ground"], ["--on-chip", "--state-ready"],
      ["--on-door", "--door"], ["--on-door", "--door-stripe"], ["--dim", "--blocked-ground"],
      ["--on-blocked", "--state-blocked"], ["--on-blocked", "--stripe-blocked"],
      ["--on-state", "--state-running"], ["--on-state", "--state-waiting"], ["--on-state", "--state-thread"],
      ["--code-keyword", "--panel"], ["--code-string", "--panel"], ["--code-comment", "--panel"],
      ["--code-number", "--panel"], ["--dim", "--select"], ["--dim", "--raised"],
    ];
    const poor = pairs
      .map(([text, ground]) => [text, ground, contrast(of(text), of(ground))])
      .filter(([, , ratio]) => ratio < 4.5);
    assert.deepEqual(poor, []);
  }
});

test("the stripes of whoever is held up stand out from the state below them, in both themes", () => {
  const css = read("css/tokens.css");
  for (const tokens of [declarations(css, ":root {"), declarations(css, ':root[data-theme="dark"] {')]) {
    const of = (name) => tokens.get(name) ?? assert.fail(name);
    const ratios = ["ready", "due", "outside"].map((state) => contrast(of("--stripe-held"), of(`--state-${state}`)));
    assert.deepEqual(ratios.filter((ratio) => ratio < 3), []);
  }
});
