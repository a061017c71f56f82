// @ts-check

// The list of keys, made from the table that the keyboard itself obeys.

import { BINDINGS, GESTURES } from "../input/keys.js";
import { make, part } from "./parts.js";

/** @param {ParentNode} root */
export function fillHelp(root) {
  const rows = [...BINDINGS, ...GESTURES].flatMap(({ shown, words }) => [
    make("dt", "", ...shown.split(/ {2}/).map((key) => make("kbd", "", key))),
    make("dd", "", words),
  ]);
  part(root, "help-list").replaceChildren(...rows);
}

/** @param {ParentNode} root */
export function showHelp(root) {
  /** @type {HTMLDialogElement} */ (part(root, "help")).showModal();
}
