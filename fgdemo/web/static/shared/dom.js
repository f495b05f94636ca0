// Small tools for building elements. Text always goes in as text: nothing here parses HTML. What is written from right to
// left keeps its place among what stands around it.

import { closedIn, isTurned, shown } from "./names.js";

const SAID = new Set(["title", "alt", "aria-label", "placeholder"]);

/** h("p", {class: "x", onclick: f, hidden: true}, "text", node, …) → element. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [name, text] of Object.entries(value)) element.style.setProperty(name, text);
    else element.setAttribute(key, value === true ? "" : SAID.has(key) ? shown(String(value)) : String(value));
  }
  if (tag === "textarea" || (tag === "input" && ["text", "search"].includes(element.type))) element.dir = "auto";
  element.append(...children.filter((child) => child !== null && child !== undefined).map((child) => (typeof child === "string" ? written(child, tag) : child)));
  return element;
}

/** Text in its own place: an element of its own where it is written from right to left. */
function written(text, tag) {
  if (!isTurned(text)) return shown(text);
  if (tag === "option") return closedIn(text); // which holds no elements
  const own = document.createElement("bdi");
  own.append(shown(text));
  return own;
}

/** A name and, in italics, its Latin name. */
export function named(taxon) {
  const parts = [h("span", { class: "fg-name" }, taxon.name)];
  if (taxon.latin) parts.push(" ", h("i", { lang: "la" }, taxon.latin));
  return parts;
}

/** 0.814 → "81 %"; never "0 %" or "100 %" for what is neither. */
export function percent(prob) {
  if (prob > 0 && prob < 0.005) return "<1\u00a0%";
  if (prob < 1 && prob >= 0.995) return ">99\u00a0%";
  return `${Math.round(100 * prob)}\u00a0%`;
}

/** 1.234 → "+1.23", −0.5 → "−0.50" with a real minus sign. */
export function signed(number, digits = 2) {
  const text = Math.abs(number).toFixed(digits);
  if (Number(text) === 0) return text;
  return (number < 0 ? "\u2212" : "+") + text;
}

/** Whether a key press belongs to a field that is being typed in. */
export function isTyping(event) {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.matches("textarea, select")) return true;
  return target.matches("input") && !["radio", "checkbox", "range", "button"].includes(target.type);
}
