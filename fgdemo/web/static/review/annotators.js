// Who answered what, and how far independent opinions agree.

import { keepAsking } from "../shared/client.js";
import { h } from "../shared/dom.js";
import { iso } from "../shared/names.js";
import { percent } from "../shared/words.js";
import { agreement } from "./kind.js";
import { linkTo } from "./route.js";

export async function showAnnotators({ root, isCurrent }) {
  const found = await keepAsking("review_annotators", {}, { isWanted: isCurrent });
  if (!isCurrent()) return;
  if (found.error) return root.replaceChildren(h("p", { class: "fg-error", role: "alert" }, found.error));
  if (!found.people.length)
    return root.replaceChildren(
      h("p", { class: "fg-review-empty" }, "Nobody has answered yet. ", h("a", { class: "fg-button", href: "#label" }, "Begin")),
    );
  /** @param {string} words @param {string | null} [title] @param {string | null} [name] */
  const column = (words, title = null, name = null) => h("th", { scope: "col", title, "data-column": name }, words);
  root.replaceChildren(
    h(
      "table",
      { class: "fg-table fg-people" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          column("Annotator"),
          column("Labels"),
          column("Set aside", "unusable, or none of these kinds", "aside"),
          column("Unsure", "looked at, and could not tell", "unsure"),
          column("Changed", "of the labels that were there before"),
          column("A minute", "pictures a minute, pauses left out; only your own, unless you are a maintainer", "per_minute"),
          column("With others", "second opinions about the same pictures"),
          column("Last answer", null, "last"),
        ),
      ),
      h("tbody", {}, ...found.people.map(person)),
    ),
    h("h2", { class: "fg-people-title" }, "Second opinions"),
    found.overall.n
      ? h(
          "p",
          {},
          agreement(found.overall),
          h("span", { class: "fg-quiet fg-small" }, " Pictures about which somebody gave an opinion without seeing the one before."),
        )
      : h(
          "p",
          { class: "fg-quiet" },
          "There are none yet. Choose a share of second opinions when you begin a session: then pictures that others have answered are asked again, without their answers. ",
          h("a", { class: "fg-link", href: "#label" }, "Begin a session"),
        ),
    found.overall.n
      ? h(
          "div",
          { class: "fg-people-columns" },
          pairs(
            "Who agrees with whom",
            found.pairs.map((pair) => [`${iso(pair.a)}, ${iso(pair.b)}`, null, pair.agreement]),
          ),
          pairs(
            "What they differ about",
            found.kinds.map((pair) => [
              `${iso(pair.a_name)} or ${iso(pair.b_name)}`,
              linkTo({ view: "pair", a: pair.a, b: pair.b }),
              pair.agreement,
              pair.differ,
            ]),
          ),
        )
      : "",
  );
}

function person(one) {
  const number = (value) => (value ? value.toLocaleString("en") : h("span", { class: "fg-quiet" }, "–"));
  const { corrections } = one;
  const changed = corrections
    ? h(
        "span",
        {
          class: "fg-num",
          title: `${corrections.right} of ${corrections.n}; 95 % interval ${percent(corrections.low)} to ${percent(corrections.high)}`,
        },
        percent(corrections.right / corrections.n),
        h("span", { class: "fg-quiet" }, ` of ${corrections.n}`),
      )
    : h("span", { class: "fg-quiet" }, "–");
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, h("a", { href: linkTo({ annotator: one.name, state: "all" }) }, one.name)),
    h("td", { class: "fg-num" }, number(one.labels)),
    h("td", { class: "fg-num", "data-column": "aside" }, number(one.set_aside)),
    h("td", { class: "fg-num", "data-column": "unsure" }, number(one.unsure)),
    h("td", {}, changed),
    h(
      "td",
      { class: "fg-num", "data-column": "per_minute" },
      one.per_minute === null ? h("span", { class: "fg-quiet" }, "–") : one.per_minute.toFixed(0),
    ),
    h("td", {}, agreement(one.agreement)),
    h("td", { class: "fg-num", "data-column": "last" }, new Date(one.last).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })),
  );
}

function pairs(title, rows) {
  const line = ([words, href, measured, differ]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, href ? h("a", { href }, words) : words),
      h("td", {}, differ === undefined ? "" : `${differ}×`),
      h("td", {}, agreement(measured)),
    );
  return h(
    "section",
    {},
    h("h3", {}, title),
    rows.length
      ? h("table", { class: "fg-table" }, h("tbody", {}, ...rows.map(line)))
      : h("p", { class: "fg-quiet" }, "Nothing: all agree."),
  );
}
