// What is taken for what: the matrix, and its worst cells as a list, which is the same in words.

import { keepAsking } from "../shared/client.js";
import { h } from "../shared/dom.js";
import { iso } from "../shared/names.js";
import { percent } from "../shared/words.js";
import { bandsOf, MatrixCanvas } from "./matrix.js";
import { go, linkTo } from "./route.js";

const [LISTED, LISTED_NARROW] = [40, 12]; // on a phone the matrix comes after the list
const SMALL_PX = 8; // a finger cannot mean one cell of this size: it goes into the group first

export async function showConfusions({ root, route, isCurrent }) {
  const isHeldOut = route.on === "val";
  const found = await keepAsking("review_matrix", { held_out: isHeldOut }, { isWanted: isCurrent });
  if (!isCurrent()) return;
  if (found.error) return root.replaceChildren(h("p", { class: "fg-error", role: "alert" }, found.error));
  const band = found.bands.find((one) => one.taxon === route.group) ?? null;
  const [first, last] = band ? [band.first, band.last] : [0, found.kinds.length];
  const inside = new Set(found.kinds.slice(first, last).map((kind) => kind.taxon));
  const cells = found.worst.filter((cell) => !band || (inside.has(cell.given) && inside.has(cell.suggested)));
  const split = isHeldOut ? "val" : "train";
  root.replaceChildren(
    h("div", { class: "fg-confusions-head" }, crumbs(found, band, route), switches(route, isHeldOut)),
    found.kinds.length
      ? h("div", { class: "fg-confusions" }, drawing(found, { first, last, split, route }), list(cells, split))
      : empty(isHeldOut),
  );
}

function empty(isHeldOut) {
  return h(
    "p",
    { class: "fg-review-empty" },
    isHeldOut
      ? "No held-out picture has a label yet: import some as val, or look at the pictures left out in turn."
      : "Nothing to compare yet: the model looks at labelled pictures in the background. Come back in a moment.",
  );
}

function crumbs(found, band, route) {
  const path = band ? found.bands.filter((one) => one.first <= band.first && one.last >= band.last && one.depth <= band.depth) : [];
  const go_to = (group) => linkTo({ ...route, group });
  const all = `${found.kinds.length} kinds`;
  const inner = bandsOf(found, band?.first ?? 0, band?.last ?? found.kinds.length);
  return h(
    "p",
    { class: "fg-crumbs" },
    band ? h("a", { class: "fg-link", href: go_to(null) }, all) : h("b", {}, all),
    ...path.flatMap((one) => [
      h("span", { class: "fg-quiet" }, " › "),
      one === band ? h("b", {}, one.name) : h("a", { class: "fg-link", href: go_to(one.taxon) }, one.name),
    ]),
    found.left_out_kinds ? h("span", { class: "fg-quiet" }, ` (the most confused; ${found.left_out_kinds} others are not drawn)`) : "",
    inner.length
      ? h(
          "select",
          { "aria-label": "Go into a group", onchange: (event) => (location.hash = go_to(event.target.value)) },
          h("option", { value: "" }, "Go into a group…"),
          ...inner.map((one) => h("option", { value: one.taxon }, `${iso(one.name)} (${one.last - one.first})`)),
        )
      : "",
  );
}

function switches(route, isHeldOut) {
  const one = (words, on, isOn, title) => h("a", { href: linkTo({ ...route, on }), "aria-current": isOn ? "true" : null, title }, words);
  return h(
    "p",
    { class: "fg-segments", role: "group", "aria-label": "On which pictures" },
    one("Each left out in turn", null, !isHeldOut, "Training pictures, as the model would see them if it had never met them"),
    one("Held out", "val", isHeldOut, "Pictures of the val split, which never train"),
  );
}

function drawing(found, { first, last, split, route }) {
  const canvas = h("canvas", {
    tabindex: 0,
    role: "img",
    "aria-label": `Confusion matrix of ${last - first} kinds. The list holds the same in words. Arrow keys go from cell to cell, Enter opens its pictures.`,
  });
  const tip = h("p", { class: "fg-matrix-tip", hidden: true });
  const spoken = h("p", { class: "fg-hidden", role: "status" });
  const words = ({ row, column, count }) => {
    const of = found.n[row];
    const share = of ? ` (${percent(count / of)})` : "";
    const [given, taken] = [found.kinds[row].name, found.kinds[column].name];
    return row === column
      ? [h("b", {}, given), `: ${count} of ${of} known${share}`]
      : ["labelled ", h("b", {}, given), ", looks like ", h("b", {}, taken), `: ${count} of ${of}${share}`];
  };
  const matrix = new MatrixCanvas(canvas, {
    onPoint: (cell, place) => {
      tip.hidden = !cell;
      if (!cell) return;
      tip.replaceChildren(...words(cell));
      spoken.textContent = tip.textContent;
      const room = canvas.clientWidth - tip.offsetWidth;
      Object.assign(tip.style, {
        left: `${Math.max(0, Math.min(room, place.x + 14))}px`,
        top: `${place.y + (place.y > canvas.clientHeight - 64 ? -44 : 18)}px`,
      });
    },
    onOpen: (cell, isFinger) => {
      const group = bandsOf(found, first, last).find((band) => band.first <= cell.row && band.last > cell.row);
      if (isFinger && matrix.frame().cell < SMALL_PX && group) return go({ ...route, group: group.taxon });
      const [given, suggested] = [found.kinds[cell.row].taxon, found.kinds[cell.column].taxon];
      return given === suggested ? go({ view: "kind", taxon: given }) : go({ given, suggested, state: "all", split });
    },
  });
  const scale = h(
    "p",
    { class: "fg-matrix-scale fg-quiet fg-small", "aria-hidden": "true" },
    "0 ",
    h("span"),
    " most · rows: label, columns: what it looks like · green: known",
  );
  const figure = h("figure", { class: "fg-matrix" }, h("div", {}, canvas, tip), spoken, scale);
  requestAnimationFrame(() => matrix.show(found, first, last));
  return figure;
}

function list(cells, split) {
  const listed = matchMedia("(max-width: 760px)").matches ? LISTED_NARROW : LISTED;
  const most = Math.max(1, ...cells.map((cell) => cell.count));
  const row = (cell) =>
    h(
      "li",
      {},
      h(
        "a",
        { class: "fg-cell", href: linkTo({ given: cell.given, suggested: cell.suggested, state: "all", split }) },
        h("span", {}, cell.given_name, h("span", { class: "fg-quiet" }, " → "), cell.suggested_name),
        h("span", { class: "fg-num" }, String(cell.count), h("span", { class: "fg-quiet" }, ` of ${cell.of}`)),
        h("span", { class: "fg-bar", "aria-hidden": "true" }, h("span", { style: { width: `${(100 * cell.count) / most}%` } })),
      ),
      h(
        "a",
        {
          class: "fg-link fg-small",
          href: linkTo({ view: "pair", a: cell.given, b: cell.suggested }),
          "aria-label": `Compare ${iso(cell.given_name)} and ${iso(cell.suggested_name)}`,
        },
        "compare",
      ),
    );
  const items = h("ol", {}, ...cells.slice(0, listed).map(row));
  const showRest = (event) => {
    items.append(...cells.slice(listed).map(row));
    event.target.remove();
  };
  const rest =
    cells.length > listed ? h("button", { type: "button", class: "fg-link", onclick: showRest }, `${cells.length - listed} more`) : "";
  return h(
    "section",
    { class: "fg-worst", "aria-label": "Most confused" },
    h("h2", {}, "Most confused"),
    h(
      "p",
      { class: "fg-quiet fg-small" },
      cells.length ? "Labelled as the first, looks like the second." : "Nothing is taken for anything else.",
    ),
    items,
    rest,
  );
}
