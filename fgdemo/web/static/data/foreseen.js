// What an import would do, with a page of small pictures, and the question whether it is to be done.

import { h } from "../shared/dom.js";
import { iso } from "../shared/names.js";
import { pictures } from "./imports.js";

const number = (count) => count.toLocaleString("en");

/** What would happen, a sentence a thing. */
export function sentences(told) {
  const { pictures: all, looked_at: seen, known, removed, twice, unreadable, unlabelled, splits } = told;
  const part = seen < all ? `Of ${number(seen)} that were looked at, spread over all: ` : "";
  const facts = [
    `${number(told.new)} ${told.new === 1 ? "is" : "are"} new`,
    known && `${number(known)} ${known === 1 ? "is" : "are"} here already`,
    removed && `${number(removed)} ${removed === 1 ? "was" : "were"} removed before and would be back`,
    twice && `${number(twice)} ${twice === 1 ? "is" : "are"} there twice`,
    unreadable && `${number(unreadable)} cannot be read`,
  ].filter(Boolean);
  const held = Object.entries(splits)
    .filter(([, count]) => count)
    .map(([split, count]) => `${number(count)} ${split}`);
  return [
    `${part}${facts.join(", ")}.`,
    unlabelled ? `${unlabelled === all ? "All are" : `${number(unlabelled)} ${unlabelled === 1 ? "is" : "are"}`} unsorted.` : "",
    held.length > 1 ? `Split: ${held.join(", ")}. Near-duplicates are found as they come in, and share a split.` : "",
    ...told.notes.slice(0, 5),
  ].filter(Boolean);
}

function kindList(title, kinds, count) {
  if (!count) return "";
  const more = count > kinds.length ? ` and ${number(count - kinds.length)} more` : "";
  return h(
    "p",
    {},
    h("b", {}, `${title}: `),
    kinds.map(([name, times]) => `${iso(name)} (${number(times)})`).join(", "),
    h("span", { class: "fg-quiet" }, more),
  );
}

/** Draw the question; `onYes(unsorted)`, `onNo()`. */
export function drawForeseen(root, transfer, { onYes, onNo }) {
  const told = transfer.foreseen;
  const hasLabels = told.kind_count + told.new_kind_count > 0;
  const choice = (unsorted, words, about) =>
    h(
      "label",
      { class: "fg-format" },
      h("input", { type: "radio", name: "fg-sorted", value: String(unsorted), checked: !unsorted }),
      h("span", { class: "fg-format-name" }, words),
      h("span", { class: "fg-quiet fg-small" }, about),
    );
  const asked = hasLabels
    ? h(
        "fieldset",
        { class: "fg-formats" },
        h(
          "legend",
          { class: told.only ? null : "fg-hidden" },
          told.only ? `All lie in “${iso(told.only)}”. Is that what they show?` : "Labels",
        ),
        choice(
          false,
          told.only ? `Yes, all are ${iso(told.only)}` : "With these labels",
          told.only ? "A new kind of this name." : "As folders or tables say.",
        ),
        choice(true, told.only ? "No, they are unsorted" : "Unsorted", "They come without labels, to be sorted on Label."),
      )
    : "";
  const yes = () => onYes(root.querySelector('[name="fg-sorted"]:checked')?.value === "true");
  const leftOut = told.left_out_count
    ? h(
        "details",
        { class: "fg-left-out" },
        h("summary", {}, `${number(told.left_out_count)} would be left out`),
        h("ul", {}, ...told.left_out.map(([name, reason]) => h("li", {}, h("b", {}, name), ` ${reason}`))),
      )
    : "";
  const small = ({ src, name, label }) =>
    h("li", {}, h("img", { src, alt: label ? `${iso(name)}, ${iso(label)}` : iso(name), title: label || name, loading: "lazy" }));
  root.replaceChildren(
    h("h3", {}, `Bring in ${pictures(told.pictures)}?`),
    h("p", { class: "fg-quiet" }, `${iso(transfer.about)}. Nothing has changed yet.`),
    h("ul", { class: "fg-foreseen-pictures", "aria-label": "Some of the pictures" }, ...told.thumbnails.map(small)),
    ...sentences(told).map((sentence) => h("p", {}, sentence)),
    kindList("Known kinds", told.kinds, told.kind_count),
    kindList("New kinds", told.new_kinds, told.new_kind_count),
    asked,
    leftOut,
    h(
      "p",
      { class: "fg-row-actions" },
      h(
        "button",
        { type: "button", class: "fg-button fg-primary", onclick: yes },
        told.new + told.removed || told.known ? "Bring them in" : "Bring in all the same",
      ),
      h("button", { type: "button", class: "fg-button", onclick: onNo }, "Leave it"),
    ),
  );
}
