// Why A and not B: the part bars that sum to ln(p_A / p_B), and the nearest labelled pictures of both.

import { focusedIn, h } from "../shared/dom.js";
import { iso } from "../shared/names.js";
import { creditLine, creditOf } from "../shared/pictures.js";
import { signed } from "../shared/words.js";

/** `onPart(id, "hover" | "leave" | "press")`; `pinned` is the id of the part that stays lit, or null. */
export function showReasons(root, { a, b, sums, pinned, isSum }, onPart) {
  const longest = Math.max(...sums.rows.map((row) => Math.abs(row.value)), 1e-9);
  const parts = sums.rows.filter((row) => row.kind === "part").sort((x, y) => Math.abs(y.value) - Math.abs(x.value));
  const rest = sums.rows.filter((row) => row.kind !== "part");
  const focused = focusedIn(root)?.dataset.part;
  root.replaceChildren(
    h("h2", {}, "Why ", h("span", { class: "fg-a" }, a.name), " and not ", h("span", { class: "fg-b" }, b.name)),
    isSum
      ? h(
          "div",
          { class: "fg-bars", role: "list" },
          ...[...parts, ...rest].map((row) => bar(row, { longest, pinned, hasParts: parts.length > 0 }, onPart)),
        )
      : h("p", { class: "fg-quiet" }, "The head of this model is no sum over places, so no bars add up to its answer."),
    total(a, b, sums.total, isSum),
  );
  if (focused) root.querySelector(`[data-part="${CSS.escape(focused)}"]`)?.focus();
}

function bar({ kind, part, value }, { longest, pinned, hasParts }, onPart) {
  const width = `${(50 * Math.abs(value)) / longest}%`;
  const words = { background: hasParts ? "background" : "all places", base: "starting point" };
  const inside = [
    h("span", { class: "fg-swatch", style: part ? { background: part.colour } : {} }),
    h("span", { class: "fg-bar-name" }, part ? part.name : words[kind]),
    h("span", { class: "fg-axis", "aria-hidden": "true" }, h("span", { class: value < 0 ? "fg-for-b" : "fg-for-a", style: { width } })),
    h("span", { class: "fg-num" }, signed(value)),
  ];
  if (!part) {
    const title =
      kind === "base"
        ? "What A has over B in a picture of nothing but average background: where the sum starts. It does not say which of them is commoner"
        : hasParts
          ? "What the places outside all parts say"
          : "What all places of the picture say; the map shows them one by one";
    return h("div", { class: "fg-part-bar is-rest", role: "listitem", title }, ...inside);
  }
  const id = String(part.id);
  return h(
    "div",
    { role: "listitem" },
    h(
      "button",
      {
        type: "button",
        class: "fg-part-bar",
        "data-part": id,
        "aria-pressed": String(pinned === part.id),
        "aria-label": `${iso(part.name)}: ${signed(value)} for A. Show this part on the picture`,
        onpointerenter: (event) => event.pointerType !== "touch" && onPart(part.id, "hover"),
        onpointerleave: (event) => event.pointerType !== "touch" && onPart(part.id, "leave"),
        onfocus: () => onPart(part.id, "hover"),
        onblur: () => onPart(part.id, "leave"),
        onclick: () => onPart(part.id, "press"),
      },
      ...inside,
    ),
  );
}

function total(a, b, sum, isSum) {
  const [more, side] = sum >= 0 ? [a, "fg-a"] : [b, "fg-b"];
  const times = Math.exp(Math.abs(sum));
  const words = times >= 1000 ? "over 1000" : times >= 10 ? String(Math.round(times)) : times.toFixed(1);
  return h(
    "p",
    { class: "fg-total" },
    h("span", {}, h("span", { class: side }, more.name), ` is ${words} times likelier`),
    h(
      "span",
      {
        class: "fg-num",
        "data-total": String(sum),
        title: isSum ? "The bars add up exactly to the natural logarithm of p(A) / p(B)" : null,
      },
      "ln(p",
      h("sub", {}, "A"),
      " ∕ p",
      h("sub", {}, "B"),
      ") = ",
      h("b", {}, signed(sum)),
    ),
  );
}

/** Thumbnails of labelled pictures of A and B; where the workspace has none, a sentence. */
export function showNeighbours(root, { a, b }, found) {
  if (!found || !Object.values(found).some((pictures) => pictures.length)) {
    root.replaceChildren(h("p", { class: "fg-quiet" }, "There are no pictures of these two to compare with yet."));
    return;
  }
  root.replaceChildren(
    h("h2", {}, "Nearest labelled pictures"),
    h(
      "div",
      { class: "fg-nearest" },
      ...[
        [a, "a"],
        [b, "b"],
      ].map(([taxon, side]) => strip(taxon, side, found[taxon.taxon] ?? [])),
    ),
  );
}

function strip(taxon, side, neighbours) {
  const shown = neighbours.slice(0, 4);
  const credits = new Set(shown.map((one) => (one.publication ? creditOf(one.publication) : "")));
  const pictures = shown.map((one) => {
    const image = h("img", {
      src: one.thumbnail.startsWith("data:image/") ? one.thumbnail : "",
      alt: `${iso(taxon.name)}, likeness ${one.similarity.toFixed(2)}`,
      title: `likeness ${one.similarity.toFixed(2)}${one.checked ? ", label checked by an expert" : ""}`,
      class: one.checked ? "is-checked" : null,
      loading: "lazy",
    });
    return credits.size > 1 ? h("figure", {}, image, creditLine(one.publication)) : image;
  });
  return h(
    "figure",
    { class: `fg-strip fg-strip-${side}` },
    h("figcaption", {}, h("b", { class: `fg-${side}` }, side.toUpperCase()), " ", taxon.name),
    pictures.length ? h("div", {}, ...pictures) : h("p", { class: "fg-quiet" }, "no picture of it to show yet"),
    credits.size === 1 ? creditLine(shown[0].publication) : "",
  );
}
