// What the chosen pictures are, in words: how many, which kinds they may be, and what a key would be about.

import { h } from "../shared/dom.js";
import { iso } from "../shared/names.js";

const MOST_LIKELY = 9;
const LEAST_SHARE = 0.02;
const GOLD = "measures every model, so it is locked";

/** "1 picture", "12 pictures". */
export function pictures(count) {
  return count === 1 ? "1 picture" : `${count.toLocaleString("en")} pictures`;
}

/** The kinds that these pictures may be, likeliest first: [{taxon, name}]; the labels they have come last. */
export function likely(tiles) {
  const found = new Map();
  const add = (taxon, name, prob) => taxon && found.set(taxon, { taxon, name, score: (found.get(taxon)?.score ?? 0) + (prob ?? 0) });
  for (const tile of tiles) {
    add(tile.suggested, tile.suggested_name, tile.suggested_prob);
    add(tile.rival, tile.rival_name, tile.rival_prob);
    add(tile.given, tile.given_name, 0);
  }
  const given = new Set(tiles.map((tile) => tile.given));
  return [...found.values()]
    .filter((one) => given.has(one.taxon) || one.score >= LEAST_SHARE * tiles.length)
    .sort((a, b) => b.score - a.score)
    .slice(0, MOST_LIKELY);
}

/** What a key would be about: the chosen pictures of the grid, or the one under the cursor. `locked` is the first gold one. */
export function sentence(grid, locked, mayAdjudicate) {
  const { targets } = grid;
  if (!grid.total) return [""];
  if (!targets.length) return [h("span", { class: "fg-quiet" }, "Choose pictures by click, Shift-click, dragging, or the arrow keys.")];
  if (locked && !grid.chosen.size)
    return [
      h("b", {}, "1 gold picture"),
      h(
        "span",
        { class: "fg-quiet" },
        ` under the cursor, ${targets[0].given ? `labelled ${iso(targets[0].given_name)}. It ${GOLD}.` : `taken out of gold: ${iso(targets[0].given_name)}.`}${mayAdjudicate ? "" : " A maintainer can correct it."}`,
      ),
    ];
  if (!grid.chosen.size)
    return [h("b", {}, "1 picture"), h("span", { class: "fg-quiet" }, ` under the cursor, labelled ${iso(targets[0].given_name)}`)];
  const counts = new Map();
  for (const tile of targets) counts.set(tile.given_name, (counts.get(tile.given_name) ?? 0) + 1);
  const most = [...counts].sort((a, b) => b[1] - a[1]);
  const named = most.slice(0, 3).map(([name, count]) => (most.length === 1 ? `labelled ${iso(name)}` : `${count} ${iso(name)}`));
  const rest = most.length > 3 ? `, ${most.length === 4 ? "1 more kind" : `${most.length - 3} more kinds`}` : "";
  return [
    h(
      "b",
      { class: "fg-num" },
      `${targets.length === 1 ? (locked ? "1 gold picture" : "1 picture") : `${targets.length.toLocaleString("en")} ${locked ? "gold pictures" : "pictures"}`} chosen`,
    ),
    h("span", { class: "fg-quiet" }, ` · ${named.join(", ")}${rest}`),
    " ",
    h("button", { type: "button", class: "fg-link", onclick: () => grid.clear() }, "Choose none"),
  ];
}
