// @ts-check

// Python source as elements: line numbers, quiet colours, some lines lit. Text nodes only.

import { make } from "./parts.js";

const TOKEN =
  /(?<comment>#.*)|(?<string>("""|''')[\s\S]*?\3|"[^"\n]*"|'[^'\n]*')|(?<word>[A-Za-z_]\w*)|(?<number>\d[\d_.]*)/g;

const KEYWORDS = new Set(
  (
    "and as assert async await break class continue def del elif else except finally for from global " +
    "if import in is lambda None nonlocal not or pass raise return True False try while with yield"
  ).split(" "),
);

/**
 * @param {string} code
 * @returns {{kind: string, text: string}[]} kind: plain, comment, string, keyword, number
 */
export function tokens(code) {
  const found = [];
  let end = 0;
  for (const match of code.matchAll(TOKEN)) {
    const kind = kindOf(match.groups ?? {});
    if (match.index > end) found.push({ kind: "plain", text: code.slice(end, match.index) });
    found.push({ kind, text: match[0] });
    end = match.index + match[0].length;
  }
  if (end < code.length) found.push({ kind: "plain", text: code.slice(end) });
  return found;
}

/**
 * @param {string} code
 * @param {number} firstLine number of its first line in the file
 * @param {number} [litLine] the line that runs, or that held the loop
 */
export function codeBlock(code, firstLine, litLine = 0) {
  const block = make("pre", "code");
  let line = startLine(firstLine, litLine);
  block.append(line);
  let number = firstLine;
  for (const { kind, text } of tokens(code.replace(/\n+$/, ""))) {
    text.split("\n").forEach((piece, i) => {
      if (i > 0) {
        number += 1;
        line = startLine(number, litLine);
        block.append(line);
      }
      if (!piece) return;
      line.append(kind === "plain" ? piece : make("span", `code-${kind}`, piece));
    });
  }
  return block;
}

function startLine(number, litLine) {
  const line = make("span", "code-line");
  line.dataset.number = String(number);
  if (number === litLine) line.dataset.lit = "";
  return line;
}

/** @param {Record<string, string | undefined>} groups */
function kindOf({ comment, string, word, number }) {
  if (comment) return "comment";
  if (string) return "string";
  if (number) return "number";
  return word && KEYWORDS.has(word) ? "keyword" : "plain";
}
