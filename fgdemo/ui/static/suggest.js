// "That's wrong": what it is instead, and why, kept as a suggestion for the experts.

import { h } from "./dom.js";
import { taxonSearch } from "./taxon_search.js";

/** `save({taxon, new_name, comment})` resolves to null, or to a sentence saying what went wrong. */
export function openSuggestion(dialog, { answered, search, save }) {
  let chosen = null;
  const message = h("p", { class: "fg-form-message", role: "status" });
  const send = h("button", { type: "submit", class: "fg-button fg-primary" }, "Save suggestion");
  const picker = taxonSearch({
    label: "Search, or write a new name",
    search,
    onPick: (taxon) => (chosen = taxon),
    onText: () => (chosen = null),
  });
  const comment = h("textarea", { rows: 3, maxlength: 2000, id: "fg-comment", placeholder: "The wing bars are too faint for …" });
  const form = h(
    "form",
    {
      method: "dialog",
      novalidate: true,
      onsubmit: async (event) => {
        event.preventDefault();
        const name = picker.field.value.trim();
        if (!name) {
          message.textContent = "Say what it is: choose a kind, or write the name of another.";
          picker.field.focus();
          return;
        }
        send.disabled = true;
        message.textContent = "Saving…";
        const problem = await save({ taxon: chosen?.taxon ?? null, new_name: chosen || !name ? null : name, comment: comment.value.trim() || null });
        send.disabled = false;
        if (problem) message.textContent = problem;
        else thank(dialog);
      },
    },
    h("h2", { id: "fg-wrong-title" }, "What is it really?"),
    h("p", { class: "fg-quiet" }, `The answer was: “${answered}”.`),
    picker,
    h("label", { for: "fg-comment" }, "Comment"),
    comment,
    h("p", { class: "fg-quiet" }, "The picture is kept with your suggestion, so that an expert can look at it."),
    message,
    h("p", { class: "fg-form-actions" }, h("button", { type: "button", class: "fg-button", onclick: () => dialog.close() }, "Cancel"), send),
  );
  dialog.replaceChildren(form);
  dialog.showModal();
  picker.field.focus();
}

function thank(dialog) {
  const done = h("button", { type: "button", class: "fg-button fg-primary", onclick: () => dialog.close() }, "Done");
  dialog.replaceChildren(
    h("h2", { id: "fg-wrong-title" }, "Saved. Thank you."),
    h("p", {}, "The experts will see it with the picture."),
    h("p", { class: "fg-form-actions" }, done),
  );
  done.focus();
}
