// Which pictures the grid shows: one control a thing, each a part of the address.

import { ask } from "../shared/client.js";
import { h } from "../shared/dom.js";
import { iso } from "../shared/names.js";
import { taxonSearch } from "../shared/taxon_search.js";
import { filterOf, go, linkTo } from "./route.js";

const STATES = {
  unchecked: "Not checked",
  suspect: "Looks wrong",
  all: "All",
  checked: "Checked",
  disputed: "Disputed",
  suggestion: "With a suggestion",
  unlabelled: "Without label",
  unusable: "Unusable, none of these",
  published: "Published",
};
const SORTS = { suspicion: "Most doubtful first", similarity: "Look-alikes together", newest: "Newest first" };
const KINDS = { given: ["labelled", "any kind"], suggested: ["looks like", "any kind"] };

/** Draw the controls. `names` says how the kinds of the route are called, `groups` which of them are groups. */
export function drawFilter(root, { route, overview, names, groups, dialog, total }) {
  const change = (part) => go({ ...route, ...part });
  const select = (name, label, options) => {
    const field = h(
      "select",
      { "aria-label": label, title: label, onchange: () => change({ [name]: field.value }) },
      ...options.map(([value, words]) => h("option", { value, selected: (route[name] ?? "") === value }, words)),
    );
    return field;
  };
  const kind = (name) => {
    const [words, any] = KINDS[name];
    const taxon = route[name];
    const choose = h(
      "button",
      {
        type: "button",
        class: "fg-filter-kind",
        "aria-pressed": String(Boolean(taxon)),
        onclick: () => openSearch(dialog, `Pictures ${words} which kind or group?`, (found) => change({ [name]: found.taxon })),
      },
      h("span", { class: "fg-quiet" }, words),
      " ",
      taxon ? h("b", {}, names[taxon] ?? taxon) : any,
    );
    return h(
      "span",
      { class: "fg-filter-pair" },
      choose,
      taxon
        ? h(
            "button",
            { type: "button", class: "fg-filter-clear", "aria-label": `${words} any kind again`, onclick: () => change({ [name]: null }) },
            "×",
          )
        : "",
    );
  };
  const when = (run) =>
    Number.isNaN(Date.parse(run)) ? run : new Date(run).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const splits = Object.keys(overview.splits);
  const { given, suggested } = route;
  const remarks = {
    class: "fg-link",
    href: new URL("fgdemo/remarks.csv", document.baseURI),
    download: "",
    title: "What visitors said of pictures that they did not leave here",
  };
  const words = route.state === "suggestion" ? [h("a", remarks, "Words without a picture"), " · "] : [];
  const csv = (query) => `${new URL("fgdemo/pictures.csv", document.baseURI)}${query ? `?${new URLSearchParams(query)}` : ""}`;
  root.replaceChildren(
    kind("given"),
    kind("suggested"),
    select("state", "State", Object.entries(STATES)),
    splits.length > 1 || route.split ? select("split", "Split", [["", "All splits"], ...splits.map((name) => [name, name])]) : "",
    overview.annotators.length > 1 || route.annotator
      ? select("annotator", "Whose label", [
          ["", "By anybody"],
          ...overview.annotators.map((name) => [name, name === "import" ? "As imported" : `By ${iso(name)}`]),
        ])
      : "",
    overview.imports.length > 1 || route.imported
      ? select("imported", "Import", [["", "All imports"], ...overview.imports.map((run) => [run, when(run)])])
      : "",
    select("sort", "Order", Object.entries(SORTS)),
    names[given] ? about(given, suggested, groups) : "",
    h(
      "span",
      { class: "fg-filter-end" },
      h("span", { class: "fg-count fg-num" }, total === null ? "" : total === 1 ? "1 picture" : `${total.toLocaleString("en")} pictures`),
      h(
        "span",
        { class: "fg-quiet" },
        ...words,
        "CSV of ",
        h("a", { class: "fg-link", href: csv(filterOf(route)), download: "" }, "these"),
        " or ",
        h("a", { class: "fg-link", href: csv(null), download: "" }, "all"),
      ),
    ),
  );
}

/** A link to what there is to know about the kinds of the filter. */
function about(given, suggested, groups) {
  const link = (words, to) => h("a", { class: "fg-link", href: linkTo(to) }, words);
  if (groups.includes(given)) return link("Confusions of this group", { view: "confusions", group: given });
  return suggested && suggested !== given && !groups.includes(suggested)
    ? link("Compare the two", { view: "pair", a: given, b: suggested })
    : link("About this kind", { view: "kind", taxon: given });
}

/** A dialog with a search over all kinds and groups. */
export function openSearch(dialog, title, onPick, about = "") {
  const picker = taxonSearch({
    label: "Kind or group",
    search: (query) => ask("review_search", { query }),
    onPick: (taxon) => {
      dialog.close();
      onPick(taxon);
    },
  });
  dialog.onkeydown = (event) => event.stopPropagation();
  dialog.replaceChildren(
    h("h2", {}, title),
    about ? h("p", { class: "fg-quiet fg-small" }, about) : "",
    picker,
    h(
      "p",
      { class: "fg-form-actions fg-search-room" },
      h("button", { type: "button", class: "fg-button", onclick: () => dialog.close() }, "Cancel"),
    ),
  );
  dialog.showModal();
  picker.field.focus();
}
