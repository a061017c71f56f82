// @ts-check

// The page's elements by the name that the template gives them, and new ones without HTML strings.

import { keepUnits } from "../format.js";

/**
 * @param {ParentNode} root
 * @param {string} name
 * @returns {HTMLElement}
 */
export function part(root, name) {
  const element = root.querySelector(`[data-part="${name}"]`);
  if (!element) throw new Error(`the template has no data-part="${name}"`);
  return /** @type {HTMLElement} */ (element);
}

/**
 * @param {string} tag
 * @param {string} className
 * @param {...(string | Node)} children
 */
export function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/**
 * A word that tells what it means to whoever asks it.
 * @param {string} means a name in MEANINGS
 * @param {string} text
 */
export function makeWord(means, text) {
  const word = make("button", "word", text);
  word.setAttribute("type", "button");
  word.dataset.means = means;
  return word;
}

/** Write only what changed: a write of the same text would still cost a layout. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Text in which `backticks` mark code. */
export function setMarked(element, text) {
  const pieces = keepUnits(text).split("`").map((piece, i) => (i % 2 ? make("code", "", piece) : piece));
  element.replaceChildren(...pieces);
}

/**
 * Give a parent a child for each key, in this order. Who stays is not touched; who is new becomes the child
 * of one that left, where it stands if that is possible: to make one costs far more than to write it anew.
 * @template Key
 * @param {HTMLElement} parent
 * @param {readonly Key[]} keys
 * @param {Map<Key, HTMLElement>} children by key, as they are now; told anew
 * @param {() => HTMLElement} makeChild
 */
export function placeChildren(parent, keys, children, makeChild) {
  const wanted = new Set(keys);
  /** @type {Set<unknown>} */
  const spare = new Set();
  for (const [key, child] of children) {
    if (wanted.has(key)) continue;
    spare.add(child);
    children.delete(key);
  }
  keys.forEach((key, i) => {
    let child = children.get(key);
    // One that left makes way, so that those who stay need not move.
    while (child && spare.has(parent.children[i])) parent.children[i].remove();
    if (!child) {
      const here = parent.children[i];
      child = /** @type {HTMLElement} */ (spare.has(here) ? here : spare.values().next().value ?? makeChild());
      spare.delete(child);
      children.set(key, child);
    }
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null);
  });
  for (const child of spare) /** @type {HTMLElement} */ (child).remove();
}

/** Give a parent exactly this many children, made or removed at the end. */
export function resizeChildren(parent, count, makeChild) {
  while (parent.childElementCount > count) parent.lastElementChild.remove();
  while (parent.childElementCount < count) parent.append(makeChild());
}
