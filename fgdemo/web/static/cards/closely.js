// One card closely: both pictures whole, with the places outlined, and what would be said without the labelled one.

import { button, h } from "../shared/dom.js";
import { iso } from "../shared/names.js";
import { creditLine } from "../shared/pictures.js";
import { signed } from "../shared/words.js";

/** `now` is the logit of `a` less that of `b`; `named` the kind that the card spoke for. */
export function openCard(card, { named, own, a, b, now }) {
  const src = new URL(`fgdemo/pictures/${card.image}/display`, document.baseURI).href;
  const dialog = h("dialog", { class: "fg-dialog fg-spoke-closely", "aria-label": `${card.part}: both pictures` });
  const without =
    card.without === null
      ? `Without this picture nothing would be known of ${iso(named.name)}.`
      : `Without this picture it would be ${signed(card.without)}: another head, fitted without it.`;
  dialog.replaceChildren(
    h(
      "div",
      { class: "fg" },
      h("h2", {}, h("span", { class: "fg-dot", style: { background: card.colour || "var(--fg-track)" } }), ` ${card.part} ↔ ${card.part}`),
      h(
        "div",
        { class: "fg-spoke-both" },
        outlined(own.image.src, card.here, "this picture"),
        outlined(src, card.there, `labelled ${iso(named.name)}${card.checked ? ", checked" : ""}`, card.publication),
      ),
      h(
        "p",
        {},
        `By its ${iso(card.part)}, all labelled pictures of ${iso(named.name)} here say ${signed(card.of_part)} for it; of that these two places alone say ${signed(card.value, 3)}.`,
      ),
      h("p", {}, `${iso(a.name)} against ${iso(b.name)} is ${signed(now)} now. ${without}`),
      h(
        "p",
        { class: "fg-form-actions" },
        button("Close", () => dialog.close(), { primary: true }),
      ),
    ),
  );
  dialog.addEventListener("keydown", (event) => event.stopPropagation()); // keys pressed in here answer nothing
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function outlined(src, { left, top, right, bottom }, words, publication = null) {
  const share = (value) => `${100 * value}%`;
  return h(
    "figure",
    {},
    h(
      "div",
      { class: "fg-spoke-whole" },
      h("img", { src, alt: words }),
      h("span", {
        class: "fg-spoke-box",
        style: { left: share(left), top: share(top), width: share(right - left), height: share(bottom - top) },
      }),
    ),
    h("figcaption", { class: "fg-quiet fg-small" }, words),
    creditLine(publication),
  );
}
