// How much each part speaks for A or for B, as bars.

import { h } from "./dom.js";
import { partSums } from "./maps.js";
import { signed } from "./words.js";

/** @typedef {import("./maps.js").Part} Part */
/** @typedef {import("./maps.js").Candidate & {taxon: string, name: string}} Candidate */
/** @typedef {{candidates: Candidate[], asked: string, rival: string, parts: Part[], [more: string]: any}} Explanation */

/**
 * Part bars, A to the right, B to the left.
 *
 * @param {HTMLElement} root
 * @param {Explanation | null} explanation
 */
export function drawBars(root, explanation) {
  if (!explanation) {
    root.replaceChildren();
    return;
  }
  /** @param {string} taxon */
  const find = (taxon) => /** @type {Candidate} */ (explanation.candidates.find((one) => one.taxon === taxon));
  const [a, b] = [find(explanation.asked), find(explanation.rival)];
  const { rows } = partSums(explanation.parts, a, b);
  const parts = rows
    .filter((row) => row.kind === "part")
    .sort((x, y) => Math.abs(y.value) - Math.abs(x.value))
    .slice(0, 5);
  const most = Math.max(1e-9, ...parts.map((row) => Math.abs(row.value)));
  root.replaceChildren(
    h(
      "p",
      { class: "fg-small" },
      h("b", { class: "fg-a" }, a.name),
      h("span", { class: "fg-quiet" }, " against "),
      h("b", { class: "fg-b" }, b.name),
    ),
    ...parts.map((row) =>
      h(
        "p",
        { class: "fg-weight-row" },
        h("span", { class: "fg-dot", style: { background: row.part.colour } }),
        h("span", {}, row.part.name),
        h(
          "span",
          { class: "fg-weight", "data-side": row.value >= 0 ? "a" : "b" },
          h("span", { style: { width: `${(100 * Math.abs(row.value)) / most}%` } }),
        ),
        h("span", { class: "fg-num" }, signed(row.value, 1)),
      ),
    ),
  );
}
