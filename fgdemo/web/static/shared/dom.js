// Small tools for building elements. Text always goes in as text: nothing here parses HTML. What is written from right to
// left keeps its place among what stands around it.

import { closedIn, isTurned, shown } from "./names.js";

const SAID = new Set(["title", "alt", "aria-label", "placeholder"]);

/** @typedef {{name: string, latin?: string | null, [more: string]: any}} NamedTaxon */

/**
 * h("p", {class: "x", onclick: f, hidden: true}, "text", node, …) → element.
 *
 * @template {string} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [props] attributes; a listener as onclick, CSS as an object
 * @param {...(string | Node | null | undefined)} children
 * @returns {Tag extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[Tag] : HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  const element = /** @type {any} */ (document.createElement(tag)); // its type follows from the tag, which no compiler sees here
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [name, text] of Object.entries(value)) element.style.setProperty(name, text);
    else element.setAttribute(key, value === true ? "" : SAID.has(key) ? shown(String(value)) : String(value));
  }
  if (tag === "textarea" || (tag === "input" && ["text", "search"].includes(element.type))) element.dir = "auto";
  element.append(
    ...children
      .filter((child) => child !== null && child !== undefined)
      .map((child) => (typeof child === "string" ? written(child, tag) : child)),
  );
  return element;
}

/** Text in its own place: an element of its own where it is written from right to left. @param {string} text @param {string} tag */
function written(text, tag) {
  if (!isTurned(text)) return shown(text);
  if (tag === "option") return closedIn(text); // which holds no elements
  const own = document.createElement("bdi");
  own.append(shown(text));
  return own;
}

/** A name and, in italics, its Latin name. @param {NamedTaxon} taxon */
export function named(taxon) {
  /** @type {(string | Node)[]} */
  const parts = [h("span", { class: "fg-name" }, taxon.name)];
  if (taxon.latin) parts.push(" ", h("i", { lang: "la" }, taxon.latin));
  return parts;
}

/** The element within `root` that has the focus, or null. @param {Node} root */
export function focusedIn(root) {
  const focused = document.activeElement;
  return focused instanceof HTMLElement && root.contains(focused) ? focused : null;
}

/** Whether a key press belongs to a field that is being typed in. @param {Event} event */
export function isTyping(event) {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.matches("textarea, select")) return true;
  return target instanceof HTMLInputElement && !["radio", "checkbox", "range", "button"].includes(target.type);
}

/**
 * A button; the one that the page is about is `primary`.
 *
 * @param {string} words
 * @param {() => void} onclick
 * @param {{primary?: boolean, disabled?: boolean, describedby?: string | null}} [more]
 */
export function button(words, onclick, { primary = false, disabled = false, describedby = null } = {}) {
  return h(
    "button",
    { type: "button", class: `fg-button${primary ? " fg-primary" : ""}`, onclick, disabled, "aria-describedby": describedby },
    words,
  );
}

/** @param {string} words @param {() => void} onclick @param {string | null} [label] */
export function quietButton(words, onclick, label = null) {
  return h("button", { type: "button", class: "fg-link", onclick, "aria-label": label }, words);
}

/**
 * Ask once before something that cannot be taken back.
 *
 * @param {HTMLDialogElement} dialog
 * @param {string} title
 * @param {string | string[]} words
 * @param {string} act what the button says
 * @param {() => void} onAct
 */
export function confirmIn(dialog, title, words, act, onAct) {
  const yes = () => {
    dialog.close();
    onAct();
  };
  const actions = h(
    "p",
    { class: "fg-form-actions" },
    button("Not now", () => dialog.close()),
    button(act, yes, { primary: true }),
  );
  dialog.replaceChildren(
    h("div", { class: "fg" }, h("h2", {}, title), ...[words].flat().map((one) => h("p", { class: "fg-quiet" }, one)), actions),
  );
  dialog.showModal();
}
