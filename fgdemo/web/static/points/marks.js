// How a part looks in the list, and its point on the picture.

import { h } from "../shared/dom.js";

/** @typedef {import("./placing.js").Part} Part */

/**
 * A part of the list: its number and colour, on how many pictures it is seen, and how often it is found.
 *
 * @param {Part} part
 * @param {number} at its place in the list, from 0
 * @param {{isActive: boolean, isHere: boolean, onChoose: () => void}} how
 */
export function partRow(part, at, { isActive, isHere, onChoose }) {
  const share = part.placed ? `found ${Math.round((100 * part.found) / part.placed)} %` : "";
  const seen = part.pictures ? `${part.pictures} ${part.pictures === 1 ? "picture" : "pictures"}` : "new";
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "fg-points-part", "aria-pressed": String(isActive), "data-here": String(isHere), onclick: onChoose },
      h("span", { class: "fg-points-dot", style: { "--part": part.colour } }, String(at + 1)),
      h("span", { class: "fg-points-name" }, part.name),
      h("span", { class: "fg-quiet fg-small fg-num" }, [seen, share].filter(Boolean).join(" · ")),
    ),
  );
}

/**
 * A point, or a guess, which is pressed where it is right.
 *
 * @param {Part} part
 * @param {number} at
 * @param {import("./placing.js").Place} place
 * @param {{isGuess: boolean, isActive: boolean, isDoubtful?: boolean}} how
 */
export function mark(part, at, { x, y }, { isGuess, isActive, isDoubtful = false }) {
  return h(
    "span",
    {
      class: `fg-points-mark${isGuess ? " is-guess" : ""}${isDoubtful ? " is-doubtful" : ""}${isActive ? " is-active" : ""}`,
      style: { left: `${100 * x}%`, top: `${100 * y}%`, "--part": part.colour },
      "data-part": part.name,
      title: isGuess ? `${part.name}${isDoubtful ? ", if it is seen here" : ""}? Click if it is right, or drag it` : part.name,
    },
    `${at + 1}${isDoubtful ? "?" : ""}`,
  );
}
