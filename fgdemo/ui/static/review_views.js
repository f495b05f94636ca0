// What the Review page draws: the head, the lists of confusions and kinds, tiles, and two kinds side by side.

import { h, named, percent, signed } from "./dom.js";

/** The workspace in numbers. */
export function drawHead(root, overview) {
  const figure = (number, words) => h("span", { class: "fg-figure" }, h("b", { class: "fg-num" }, number.toLocaleString("en")), ` ${words}`);
  const splits = Object.entries(overview.splits).map(([name, count]) => `${count.toLocaleString("en")} ${name}`);
  const { accuracy } = overview;
  root.replaceChildren(
    figure(overview.pictures, overview.pictures === 1 ? "picture" : "pictures"),
    figure(overview.labelled, "labelled"),
    figure(overview.checked, "checked by experts"),
    ...(overview.disputed ? [figure(overview.disputed, "disputed")] : []),
    h("span", { class: "fg-quiet" }, splits.join(", ")),
    accuracy ? h("span", { class: "fg-quiet" }, `${accuracy.on === "val" ? "held-out accuracy" : "accuracy, pictures left out in turn"} ${(100 * accuracy.mean).toFixed(1)} % [${(100 * accuracy.low).toFixed(1)}, ${(100 * accuracy.high).toFixed(1)}]`) : "",
  );
}

/** What is most often taken for what; a click opens those pictures. */
export function drawCells(root, { cells }, onOpen) {
  const most = Math.max(1, ...cells.map((cell) => cell.count));
  root.replaceChildren(
    cells.length ? h("p", { class: "fg-quiet fg-small" }, "Labelled as the first, looks like the second") : h("p", { class: "fg-quiet" }, "Nothing is taken for anything else yet."),
    ...cells.map((cell) =>
      h(
        "button",
        { type: "button", class: "fg-cell", onclick: () => onOpen(cell) },
        h("span", {}, cell.given_name, h("span", { class: "fg-quiet" }, " → "), cell.suggested_name),
        h("span", { class: "fg-num" }, String(cell.count)),
        h("span", { class: "fg-bar", "aria-hidden": "true" }, h("span", { style: { width: `${(100 * cell.count) / most}%` } })),
      ),
    ),
  );
}

/** All kinds, the most suspect first. */
export function drawKinds(root, { kinds }, onOpen) {
  root.replaceChildren(
    h("p", { class: "fg-quiet fg-small" }, "Share of labels that look wrong; how often the model knows the kind"),
    ...kinds.map((kind) =>
      h(
        "button",
        { type: "button", class: "fg-cell", title: kind.right === null ? "" : `95 % interval ${percent(kind.low)} to ${percent(kind.high)}`, onclick: () => onOpen(kind) },
        h("span", {}, ...named(kind)),
        h("span", { class: "fg-num fg-quiet" }, `${kind.suspects} of ${kind.n}`),
        h("span", { class: "fg-num" }, kind.right === null ? "" : percent(kind.right)),
        h("span", { class: "fg-bar", "aria-hidden": "true" }, h("span", { style: { width: `${(100 * kind.suspects) / kind.n}%` } })),
      ),
    ),
  );
}

/** One picture of the grid. */
export function drawTile(tile, index, onChoose) {
  const differs = tile.suggested && tile.suggested !== tile.given;
  return h(
    "button",
    { type: "button", class: "fg-tile", role: "option", "aria-selected": "false", "data-image": tile.image, "data-checked": String(tile.checked), onclick: (event) => onChoose(event, index), title: tile.suspicion === null ? "" : `label looks wrong: ${percent(tile.suspicion)}` },
    h("img", { src: new URL(tile.thumb, document.baseURI), alt: tile.given_name, loading: "lazy", decoding: "async" }),
    h("span", { class: "fg-tile-given" }, tile.checked ? "✓ " : "", tile.given_name),
    h("span", { class: "fg-tile-taken" }, differs && !tile.checked ? `${tile.suggested_name}?` : tile.disputed ? "disputed" : ""),
  );
}

/** Two kinds side by side: pictures, the parts that decide, what lies between them. */
export function drawPair(root, found, onOpen) {
  if (found.error) {
    root.replaceChildren(h("p", { class: "fg-error" }, found.error));
    return;
  }
  const picture = (tile) => h("button", { type: "button", class: "fg-mini", title: tile.given_name, onclick: () => onOpen(tile) }, h("img", { src: new URL(tile.thumb, document.baseURI), alt: tile.given_name, loading: "lazy" }));
  const strip = (words, tiles) => (tiles.length ? h("div", { class: "fg-strip-row" }, h("p", { class: "fg-small" }, ...words), h("div", {}, ...tiles.slice(0, 8).map(picture))) : "");
  const most = Math.max(1e-9, ...found.parts.map((part) => Math.abs(part.value)));
  const kappa = found.kappa === null ? "" : `, κ ${found.kappa.toFixed(2)}${found.alpha === null ? "" : `, α ${found.alpha.toFixed(2)}`}`;
  root.replaceChildren(
    h("h2", {}, h("b", { class: "fg-a" }, found.a.name), " / ", h("b", { class: "fg-b" }, found.b.name)),
    h("p", { class: "fg-quiet fg-small" }, `${found.a_as_b} labelled ${found.a.name} look like ${found.b.name}, ${found.b_as_a} the other way round. Second opinions: ${found.opinions}${kappa}.`),
    h(
      "div",
      { class: "fg-pair-columns" },
      h("div", {}, strip([h("b", { class: "fg-a" }, "A"), ` ${found.a.name}, typical`], found.a_typical), strip([h("b", { class: "fg-b" }, "B"), ` ${found.b.name}, typical`], found.b_typical), strip(["Between the two"], found.between)),
      found.parts.length
        ? h(
            "div",
            {},
            h("p", { class: "fg-small" }, "Parts that tell A from B"),
            ...found.parts.map((part) => h("p", { class: "fg-weight-row" }, h("span", { class: "fg-dot", style: { background: part.colour } }), h("span", {}, part.name), h("span", { class: "fg-weight", "data-side": "a" }, h("span", { style: { width: `${(100 * Math.max(0, part.value)) / most}%` } })), h("span", { class: "fg-num" }, signed(part.value, 1)))),
          )
        : "",
    ),
  );
}
