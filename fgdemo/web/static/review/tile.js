// One picture of the grid: how it is drawn, and what it says of itself.

import { h } from "../shared/dom.js";
import { iso } from "../shared/names.js";
import { percent } from "../shared/words.js";

/**
 * What a tile says: `words` is all of it as one sentence, `doubt` the line under its label, `isDoubted` whether another
 * kind is likelier than a label that nobody has checked.
 */
export function said(tile) {
  const differs = Boolean(tile.suggested) && tile.suggested !== tile.given;
  const isDoubted = differs && !tile.checked && !tile.disputed;
  const state = [tile.locked && "gold", tile.disputed && "disputed"].filter(Boolean);
  const looks = differs && !tile.checked && `looks like ${iso(tile.suggested_name)}`;
  return {
    words: [iso(tile.given_name), tile.checked && "checked", tile.published && "published", ...state, looks].filter(Boolean).join(", "),
    doubt: [...state, ...(isDoubted ? [iso(tile.suggested_name)] : [])].join(" · "),
    isDoubted,
  };
}

/** `index` is its place among the `total` pictures of the grid. */
export function drawTile(tile, index, total) {
  const { words, doubt, isDoubted } = said(tile);
  return h(
    "div",
    {
      class: "fg-tile",
      id: `fg-tile-${tile.image.slice(0, 24)}`,
      role: "option",
      "aria-selected": "false",
      "aria-label": words,
      title: words,
      "aria-posinset": index + 1,
      "aria-setsize": total,
      "data-image": tile.image,
      "data-checked": String(tile.checked),
      "data-gold": tile.locked ? "true" : null,
    },
    h("img", { src: new URL(tile.thumb, document.baseURI), alt: "", loading: "lazy", decoding: "async", draggable: "false" }),
    tile.published ? h("span", { class: "fg-tile-public" }, "published") : "",
    h("span", { class: "fg-tile-given" }, tile.checked ? "✓ " : "", tile.given_name),
    h(
      "span",
      { class: "fg-tile-taken" },
      h("span", {}, doubt),
      isDoubted && tile.suggested_prob !== null ? h("span", { class: "fg-num" }, percent(tile.suggested_prob)) : "",
    ),
  );
}
