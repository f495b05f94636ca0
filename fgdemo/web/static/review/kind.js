// One kind by itself, and two kinds side by side.

import { ask, keepAsking } from "../shared/client.js";
import { h, named } from "../shared/dom.js";
import { iso } from "../shared/names.js";
import { signed } from "../shared/words.js";
import { interval } from "./kinds.js";
import { linkTo } from "./route.js";

export async function showKind({ root, route, isCurrent }) {
  const found = await keepAsking("review_kind", { taxon: route.taxon ?? "" }, { isWanted: isCurrent });
  if (!isCurrent()) return;
  if (found.error) return root.replaceChildren(...refused(found.error));
  const { kind } = found;
  const all = (more) => linkTo({ given: kind.taxon, state: "all", ...more });
  const splits = Object.entries(found.splits).map(([split, count]) =>
    h("a", { class: "fg-link", href: all({ split }) }, `${count.toLocaleString("en")} ${split}`),
  );
  const parts = h("div");
  root.replaceChildren(
    h("header", { class: "fg-kind-head" }, h("h1", {}, ...named(kind)), kind.group ? h("p", { class: "fg-quiet" }, kind.group) : ""),
    h(
      "p",
      { class: "fg-row-actions" },
      found.rival ? workButton(kind.taxon, found.rival, `Label it against ${iso(found.rival_name)}`) : "",
      h("a", { class: "fg-button", href: all() }, kind.n === 1 ? "Its picture" : `All ${kind.n.toLocaleString("en")} pictures`),
      found.rival
        ? h(
            "a",
            { class: "fg-button", href: linkTo({ view: "pair", a: kind.taxon, b: found.rival }) },
            `Compare with ${iso(found.rival_name)}`,
          )
        : "",
    ),
    facts([
      ["Labelled", [h("b", { class: "fg-num" }, kind.n.toLocaleString("en")), ...splits.flatMap((one) => [" · ", one])]],
      ["Checked", [h("b", { class: "fg-num" }, kind.checked.toLocaleString("en"))]],
      [
        "Look wrong",
        [
          kind.suspects
            ? h("a", { class: "fg-link fg-num", href: all({ state: "suspect" }) }, String(kind.suspects))
            : h("b", { class: "fg-num" }, "0"),
        ],
      ],
      ["Known, left out in turn", [interval(kind.left_out)]],
      ["Known, held out", [interval(kind.held_out)]],
      ["Second opinions", [agreement(found.agreement)]],
    ]),
    h(
      "div",
      { class: "fg-kind-columns" },
      taken("Taken for", found.taken_for, (cell) => cell.suggested_name),
      taken("Taken for it", found.taken, (cell) => cell.given_name),
      h(
        "section",
        {},
        h("h2", {}, ...(found.rival ? ["Parts that tell it from ", h("span", { class: "fg-b" }, found.rival_name)] : ["Parts"])),
        parts,
      ),
    ),
    strip("Typical", found.typical, "Checked ones first, then those that the model is surest of."),
    strip(
      "Odd",
      found.odd,
      "Labelled so, but they look like something else.",
      found.odd.length ? h("a", { class: "fg-link", href: all({ state: "all" }) }, "most doubtful first") : "",
    ),
  );
  drawParts(parts, kind.taxon, found.rival, isCurrent);
}

export async function showPair({ root, route, isCurrent }) {
  const [one, two] = [route.a ?? "", route.b ?? ""];
  const found = await keepAsking("review_pair", { a: one, b: two }, { isWanted: isCurrent });
  if (!isCurrent()) return;
  if (found.error) return root.replaceChildren(...refused(found.error));
  const { a, b } = found;
  const counted = (given, suggested, count, split) =>
    count
      ? h(
          "a",
          { class: "fg-link fg-num", href: linkTo({ given: given.taxon, suggested: suggested.taxon, state: "all", split }) },
          String(count),
        )
      : h("span", { class: "fg-num" }, "0");
  const parts = h("div");
  const column = (side, kind) =>
    h(
      "th",
      { scope: "col" },
      h("b", { class: `fg-${side}` }, side.toUpperCase()),
      " ",
      h("a", { href: linkTo({ view: "kind", taxon: kind.taxon }) }, kind.name),
      kind.latin ? h("i", { lang: "la" }, kind.latin) : "",
    );
  const line = (words, left, right) => h("tr", {}, h("th", { scope: "row" }, words), h("td", {}, left), h("td", {}, right));
  root.replaceChildren(
    h(
      "header",
      { class: "fg-kind-head" },
      h("h1", {}, h("span", { class: "fg-a" }, a.name), h("span", { class: "fg-quiet" }, " or "), h("span", { class: "fg-b" }, b.name)),
    ),
    h(
      "p",
      { class: "fg-row-actions" },
      workButton(a.taxon, b.taxon, "Label this pair"),
      h("a", { class: "fg-button", href: linkTo({ view: "pair", a: b.taxon, b: a.taxon }) }, "Swap A and B"),
    ),
    h(
      "div",
      { class: "fg-pair-columns" },
      h(
        "table",
        { class: "fg-table fg-pair-table" },
        h("thead", {}, h("tr", {}, h("td"), column("a", a), column("b", b))),
        h(
          "tbody",
          {},
          line("Labelled", a.n.toLocaleString("en"), b.n.toLocaleString("en")),
          line("Checked", String(a.checked), String(b.checked)),
          line("Look like the other", counted(a, b, found.a_as_b, "train"), counted(b, a, found.b_as_a, "train")),
          line("… of the held-out", counted(a, b, found.a_as_b_held_out, "val"), counted(b, a, found.b_as_a_held_out, "val")),
          line("Known, left out in turn", interval(a.left_out), interval(b.left_out)),
          line("Known, held out", interval(a.held_out), interval(b.held_out)),
          h("tr", {}, h("th", { scope: "row" }, "Second opinions"), h("td", { colspan: 2 }, agreement(found.agreement))),
        ),
      ),
      h("section", {}, h("h2", {}, "Parts that tell ", h("b", { class: "fg-a" }, "A"), " from ", h("b", { class: "fg-b" }, "B")), parts),
    ),
    strip([h("b", { class: "fg-a" }, "A"), ` ${iso(a.name)}, typical`], found.a_typical),
    strip([h("b", { class: "fg-b" }, "B"), ` ${iso(b.name)}, typical`], found.b_typical),
    strip("Between the two", found.between, "Hardest to tell."),
  );
  drawParts(parts, a.taxon, b.taxon, isCurrent);
}

function refused(error) {
  return [
    h("p", { class: "fg-error", role: "alert" }, error),
    h("p", {}, h("a", { class: "fg-button", href: linkTo({ view: "kinds" }) }, "All kinds")),
  ];
}

/** Begin a labelling session on two kinds. The Label page is loaded anew, so that it finds the session. */
function workButton(a, b, words) {
  const message = h("span", { class: "fg-error", role: "alert" });
  const begin = async () => {
    const reply = await ask("review_session", { a, b });
    if (reply.error) return message.replaceChildren(reply.error);
    location.hash = "#label";
    return location.reload();
  };
  return h("span", {}, h("button", { type: "button", class: "fg-button fg-primary", onclick: begin }, words), message);
}

function facts(rows) {
  return h(
    "dl",
    { class: "fg-facts" },
    ...rows.map(([words, value]) =>
      h("div", {}, h("dt", { class: "fg-quiet" }, words), h("dd", {}, ...value.flatMap((one, at) => (at ? [" ", one] : [one])))),
    ),
  );
}

/** "κ 0.82, α 0.81 of 40, 36 the same". */
export function agreement({ n, same, kappa, alpha }) {
  if (!n) return h("span", { class: "fg-quiet" }, "none yet");
  const measures = [
    ["κ", kappa],
    ["α", alpha],
  ]
    .filter(([, value]) => value !== null)
    .map(([sign, value]) => `${sign} ${value.toFixed(2).replace("-", "−")}`);
  return h(
    "span",
    { class: "fg-num" },
    measures.length ? h("b", {}, measures.join(", ")) : "",
    h("span", { class: "fg-quiet" }, `${measures.length ? " · " : ""}${same} of ${n} the same`),
  );
}

function taken(title, cells, nameOf) {
  const link = (cell) => linkTo({ given: cell.given, suggested: cell.suggested, state: "all", split: "train" });
  const row = (cell) =>
    h(
      "li",
      {},
      h(
        "a",
        { class: "fg-cell", href: link(cell) },
        h("span", {}, nameOf(cell)),
        h("span", { class: "fg-num" }, String(cell.count), h("span", { class: "fg-quiet" }, ` of ${cell.of}`)),
        h(
          "span",
          { class: "fg-bar", "aria-hidden": "true" },
          h("span", { style: { width: `${(100 * cell.count) / Math.max(1, cell.of)}%` } }),
        ),
      ),
    );
  return h(
    "section",
    { class: "fg-worst" },
    h("h2", {}, title),
    cells.length ? h("ol", {}, ...cells.map(row)) : h("p", { class: "fg-quiet" }, "Nothing."),
  );
}

/** @param {string | (string | Node)[]} title @param {any[]} tiles @param {string} [about] @param {string | Node} [more] */
function strip(title, tiles, about = "", more = "") {
  const link = (tile) =>
    tile.suggested && tile.given && tile.suggested !== tile.given
      ? { given: tile.given, suggested: tile.suggested, state: "all" }
      : { given: tile.given, state: "all" };
  const words = (tile) =>
    `${iso(tile.given_name)}${tile.checked ? ", checked" : ""}${tile.suggested && tile.suggested !== tile.given ? `, looks like ${iso(tile.suggested_name)}` : ""}`;
  const picture = (tile) =>
    h(
      "a",
      { class: "fg-mini", href: linkTo(link(tile)), title: words(tile) },
      h("img", { src: new URL(tile.thumb, document.baseURI), alt: words(tile), loading: "lazy" }),
      h("span", { class: "fg-small" }, tile.suggested !== tile.given ? tile.suggested_name : tile.checked ? "✓" : ""),
    );
  return h(
    "section",
    { class: "fg-strip-row" },
    h("h2", {}, ...[title].flat(), about ? h("span", { class: "fg-quiet" }, ` ${about}`) : "", more ? " " : "", more),
    tiles.length ? h("div", {}, ...tiles.map(picture)) : h("p", { class: "fg-quiet" }, "No picture."),
  );
}

async function drawParts(root, a, b, isCurrent) {
  if (!b) return root.replaceChildren(h("p", { class: "fg-quiet" }, "Nothing is like it yet."));
  root.replaceChildren(h("p", { class: "fg-quiet" }, "Looking at typical pictures of both…"));
  const { parts, error } = await keepAsking("review_parts", { a, b }, { isWanted: isCurrent });
  if (!isCurrent()) return;
  if (error || !parts.length) return root.replaceChildren(h("p", { class: "fg-quiet" }, error ?? "Too few pictures of both to say."));
  const most = Math.max(1e-9, ...parts.map((part) => Math.abs(part.value)));
  root.replaceChildren(
    ...parts.map((part) =>
      h(
        "p",
        { class: "fg-weight-row" },
        h("span", { class: "fg-dot", style: { background: part.colour } }),
        h("span", {}, part.name),
        h(
          "span",
          { class: "fg-weight", "data-side": part.value >= 0 ? "a" : "b" },
          h("span", { style: { width: `${(100 * Math.abs(part.value)) / most}%` } }),
        ),
        h("span", { class: "fg-num" }, signed(part.value, 1)),
      ),
    ),
  );
}
