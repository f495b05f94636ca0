// "That's wrong": what it is instead, and why, kept as a suggestion for the experts.

import { newKey } from "../shared/client.js";
import { h } from "../shared/dom.js";
import { taxonSearch } from "../shared/taxon_search.js";
import { receiptLink } from "./receipt.js";

/** Fill an open dialog. `save({taxon, new_name, comment, keep_picture, key})` resolves to {saved, receipt, kept_until}, or to {error}. */
export function openSuggestion(dialog, { answered, keepDays, search, save }) {
  /** @type {any} */
  let chosen = null;
  let [sent, key] = ["", ""];
  const message = h("p", { class: "fg-form-message", role: "status" });
  const send = h("button", { type: "submit", class: "fg-button fg-primary" }, "Save suggestion");
  const picker = taxonSearch({
    label: "Search, or write a new name",
    search,
    onPick: (taxon) => (chosen = taxon),
    onText: () => (chosen = null),
  });
  const comment = h("textarea", { rows: 3, maxlength: 2000, id: "fg-comment", placeholder: "The wing bars are too faint for …" });
  const keep = h("input", { type: "checkbox", id: "fg-keep", role: "switch" });
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
        const said = {
          taxon: chosen?.taxon ?? null,
          new_name: chosen ? null : name,
          comment: comment.value.trim() || null,
          keep_picture: keep.checked,
        };
        // One that is sent again because its reply was lost is the same; one that was changed since is another.
        if (sent !== JSON.stringify(said)) [sent, key] = [JSON.stringify(said), newKey()];
        const reply = await save({ ...said, key });
        send.disabled = false;
        if (reply.error) message.textContent = reply.error;
        else thank(dialog, reply);
      },
    },
    h("h2", { id: "fg-wrong-title" }, "What is it really?"),
    h("p", { class: "fg-quiet" }, `The answer was: “${answered}”.`),
    picker,
    h("label", { for: "fg-comment" }, "Comment"),
    comment,
    h("label", { class: "fg-keep", for: "fg-keep" }, keep, h("span", {}, "Leave my picture for the experts, too")),
    h(
      "p",
      { class: "fg-quiet" },
      `Without it only your words are kept. With it experts see the picture, without place, time and camera; after ${keepDays} days it is removed, unless one of them accepts it: then models may learn from it. You can delete it at any time.`,
    ),
    message,
    h(
      "p",
      { class: "fg-form-actions" },
      h("button", { type: "button", class: "fg-button", onclick: () => dialog.close() }, "Cancel"),
      send,
    ),
  );
  dialog.replaceChildren(form);
  picker.field.focus();
}

function thank(dialog, { receipt, kept_until }) {
  const done = h("button", { type: "button", class: "fg-button fg-primary", onclick: () => dialog.close() }, "Done");
  const kept = receipt ? receiptLink(receipt, kept_until) : [h("p", {}, "Your words are kept; your picture is not.")];
  dialog.replaceChildren(h("h2", { id: "fg-wrong-title" }, "Saved. Thank you."), ...kept, h("p", { class: "fg-form-actions" }, done));
  done.focus();
}
