// @ts-check

// The page's elements by the name that the template gives them, and new ones without HTML strings.

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

/** Write only what changed: a write of the same text would still cost a layout. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Text in which `backticks` mark code. */
export function setMarked(element, text) {
  const pieces = text.split("`").map((piece, i) => (i % 2 ? make("code", "", piece) : piece));
  element.replaceChildren(...pieces);
}

/** Give a parent exactly this many children, made or removed at the end. */
export function resizeChildren(parent, count, makeChild) {
  while (parent.childElementCount > count) parent.lastElementChild.remove();
  while (parent.childElementCount < count) parent.append(makeChild());
}
