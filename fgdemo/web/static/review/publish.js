// Pictures for everybody: credit and licence are asked for once, and stand under each of them.

import { button, h } from "../shared/dom.js";
import { creditOf } from "../shared/pictures.js";
import { pictures } from "./chosen.js";

const KEPT = "fg-review-publication";
export const PUBLISH = "Published pictures are references and examples for everybody, with credit and licence";

/** What the key does with these pictures. */
export function publishWords(targets) {
  return targets.every((tile) => tile.published) ? "Withdraw" : "Publish…";
}

/** What was done. */
export function publicationWords(publication) {
  return publication ? `published: ${creditOf(publication)}` : "withdrawn";
}

/** Publish pictures, or withdraw them where all of them are published. */
export function askToPublish(dialog, bulk) {
  const { targets } = bulk.grid;
  if (!targets.length || !bulk.mayAdjudicate) return;
  if (bulk.locked) return bulk.say("Gold pictures measure every model, so they are not published.", true);
  if (targets.every((tile) => tile.published)) return bulk.publish(null, targets);
  const bare = targets.filter((tile) => !tile.given).length;
  if (bare) return bulk.say(`${pictures(bare)} without a label: only labelled pictures are published.`, true);
  openPublish(dialog, targets, (publication) => bulk.publish(publication, targets));
}

function openPublish(dialog, targets, onPublish) {
  const before = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
  /** @returns {[HTMLLabelElement, HTMLInputElement]} */
  const field = (name, words, longest, example) => {
    const input = h("input", { type: "text", id: `fg-publish-${name}`, maxlength: longest, required: true, placeholder: example });
    input.value = before[name] ?? "";
    return [h("label", { class: "fg-quiet fg-small", for: input.id }, words), input];
  };
  const [creditLabel, credit] = field("credit", "Whose pictures they are", 200, "Mia Miller, Museum of Natural History");
  const [licenceLabel, licence] = field("licence", "Licence", 100, "CC BY 4.0");
  const submit = (event) => {
    event.preventDefault();
    const publication = { credit: credit.value.trim().replace(/\s+/g, " "), licence: licence.value.trim().replace(/\s+/g, " ") };
    if (!publication.credit || !publication.licence) return;
    localStorage.setItem(KEPT, JSON.stringify(publication));
    dialog.close();
    onPublish(publication);
  };
  dialog.onkeydown = (event) => event.stopPropagation(); // keys pressed in here answer nothing
  dialog.replaceChildren(
    h(
      "form",
      { class: "fg-form", onsubmit: submit },
      h("h2", {}, `Publish ${pictures(targets.length)}?`),
      h(
        "p",
        { class: "fg-quiet" },
        "Everybody sees them from then on, as references and examples, with these words under them. V withdraws them again.",
      ),
      creditLabel,
      credit,
      licenceLabel,
      licence,
      h(
        "p",
        { class: "fg-form-actions" },
        button("Not now", () => dialog.close()),
        h("button", { type: "submit", class: "fg-button fg-primary" }, "Publish"),
      ),
    ),
  );
  dialog.showModal();
  (credit.value ? licence : credit).focus();
}
