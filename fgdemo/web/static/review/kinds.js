// All kinds in numbers, to be sorted and searched.

import { keepAsking } from "../shared/client.js";
import { h } from "../shared/dom.js";
import { finds } from "../shared/names.js";
import { percent } from "../shared/words.js";
import { go, linkTo } from "./route.js";

const FIRST = 400;
/** @type {Record<string, [string, (kind: any) => any, number]>} */
const COLUMNS = {
  name: ["Kind", (kind) => kind.name.toLowerCase(), 1],
  n: ["Labelled", (kind) => kind.n, -1],
  checked: ["Checked", (kind) => kind.checked / kind.n, -1],
  suspects: ["Look wrong", (kind) => kind.suspects / kind.n, -1],
  left_out: ["Known, left out in turn", (kind) => (kind.left_out ? kind.left_out.right / kind.left_out.n : 2), 1],
  held_out: ["Known, held out", (kind) => (kind.held_out ? kind.held_out.right / kind.held_out.n : 2), 1],
};

export async function showKinds({ root, route, isCurrent }) {
  const { kinds, error } = await keepAsking("review_kinds", {}, { isWanted: isCurrent });
  if (!isCurrent()) return;
  if (error) return root.replaceChildren(h("p", { class: "fg-error", role: "alert" }, error));
  if (!kinds.length)
    return root.replaceChildren(
      h("p", { class: "fg-review-empty" }, "No picture has a label yet. ", h("a", { class: "fg-button", href: "#label" }, "Label some")),
    );
  const by = COLUMNS[route.by] ? route.by : "suspects";
  const [, value, direction] = COLUMNS[by];
  kinds.sort(
    (a, b) => direction * (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) || b.suspects - a.suspects || (a.name < b.name ? -1 : 1),
  );
  const body = h("tbody");
  const field = h("input", {
    type: "search",
    placeholder: `Find among ${kinds.length} kinds`,
    "aria-label": "Find a kind",
    value: route.find ?? "",
    maxlength: 120,
    oninput: () => fill(),
  });
  const fill = () => {
    const matching = kinds.filter((kind) => finds(field.value, `${kind.name} ${kind.latin ?? ""} ${kind.group}`));
    body.replaceChildren(
      ...matching.slice(0, FIRST).map(row),
      ...(matching.length > FIRST ? [note(`${matching.length - FIRST} more: find them by name.`)] : []),
      ...(matching.length ? [] : [note("No kind of that name.")]),
    );
  };
  /** @param {string} name @param {[string, ...unknown[]]} column */
  const head = (name, [words]) =>
    h(
      "th",
      { scope: "col", "data-column": name, "aria-sort": name === by ? (direction > 0 ? "ascending" : "descending") : null },
      h("a", { href: linkTo({ ...route, by: name }) }, words),
    );
  root.replaceChildren(
    h("div", { class: "fg-kinds-head" }, field),
    h(
      "table",
      { class: "fg-table fg-kinds" },
      h("thead", {}, h("tr", {}, ...Object.entries(COLUMNS).map(([name, column]) => head(name, column)))),
      body,
    ),
  );
  fill();
}

function note(text) {
  return h("tr", {}, h("td", { colspan: 6, class: "fg-quiet" }, text));
}

function row(kind) {
  const share = kind.suspects / kind.n;
  const open = () => go({ view: "kind", taxon: kind.taxon });
  return h(
    "tr",
    { onclick: (event) => !event.target.closest("a") && open() },
    h(
      "th",
      { scope: "row" },
      h("a", { href: linkTo({ view: "kind", taxon: kind.taxon }) }, kind.name),
      kind.latin ? h("i", { lang: "la" }, kind.latin) : "",
      kind.group ? h("span", { class: "fg-quiet" }, kind.group) : "",
    ),
    h("td", { class: "fg-num", "data-column": "n" }, kind.n.toLocaleString("en")),
    h(
      "td",
      { class: "fg-num", "data-column": "checked" },
      kind.checked ? kind.checked.toLocaleString("en") : h("span", { class: "fg-quiet" }, "–"),
    ),
    h(
      "td",
      { "data-column": "suspects" },
      h(
        "span",
        { class: "fg-share" },
        h("span", { class: "fg-num" }, kind.suspects ? `${kind.suspects}` : h("span", { class: "fg-quiet" }, "–")),
        h("span", { class: "fg-bar", "aria-hidden": "true" }, h("span", { style: { width: `${100 * share}%` } })),
      ),
    ),
    h("td", { "data-column": "left_out" }, interval(kind.left_out)),
    h("td", { "data-column": "held_out" }, interval(kind.held_out)),
  );
}

/** A share as a number and, on a line from 0 to 100 %, its 95 % interval. */
export function interval(share) {
  if (!share) return h("span", { class: "fg-quiet" }, "–");
  const mean = share.right / share.n;
  const title = `${share.right} of ${share.n}; 95 % interval ${percent(share.low)} to ${percent(share.high)}`;
  return h(
    "span",
    { class: "fg-interval", title, "aria-label": title },
    h("span", { class: "fg-num" }, percent(mean)),
    h(
      "span",
      { class: "fg-interval-line", "aria-hidden": "true" },
      h("span", { style: { left: `${100 * share.low}%`, width: `${100 * (share.high - share.low)}%` } }),
      h("b", { style: { left: `${100 * mean}%` } }),
    ),
  );
}
