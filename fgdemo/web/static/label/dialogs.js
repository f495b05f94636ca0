// The dialogs of the Label page: a new kind, and what was said about a picture.

import { h } from "../shared/dom.js";
import { pointWords } from "../points/placing.js";
import { iso } from "../shared/names.js";
import { publishedWords } from "../shared/pictures.js";
import { taxonSearch } from "../shared/taxon_search.js";
import { ACTIONS } from "./keys.js";

/** Ask for a new kind and its place in the tree. `make({name, latin, parent})` gives {taxon} or {error}. */
export function openNewKind(dialog, { search, make, onMade }) {
  let parent = null;
  const name = h("input", { type: "text", id: "fg-kind", maxlength: 120, required: true });
  const latin = h("input", { type: "text", id: "fg-latin", maxlength: 120, class: "fg-latin-field" });
  const message = h("p", { class: "fg-form-message", role: "alert" });
  const groups = async (query) => {
    const reply = await search(query);
    return reply.error ? reply : { taxa: reply.taxa.filter((taxon) => !taxon.is_leaf) };
  };
  const group = taxonSearch({
    label: "Group it belongs to",
    search: groups,
    onPick: (taxon) => (parent = taxon.taxon),
    onText: () => (parent = null),
  });
  group.field.id = "fg-group";
  group.field.placeholder = "may be left empty";
  const submit = async (event) => {
    event.preventDefault();
    send.disabled = true;
    const reply = await make({ name: name.value, latin: latin.value || null, parent });
    send.disabled = false;
    if (reply.error) {
      message.textContent = reply.error;
      return;
    }
    dialog.close();
    onMade(reply.taxon);
  };
  const cancel = h("button", { type: "button", class: "fg-button", onclick: () => dialog.close() }, "Cancel");
  const send = h("button", { type: "submit", class: "fg-button fg-primary" }, "Make it, and label this picture so");
  const label = (id, text) => h("label", { for: id }, text);
  show(
    dialog,
    h(
      "form",
      { onsubmit: submit },
      h("h2", {}, "A new kind"),
      label("fg-kind", "Name"),
      name,
      label("fg-latin", "Latin name"),
      latin,
      label("fg-group", "Group it belongs to"),
      group,
      message,
      h("p", { class: "fg-form-actions" }, cancel, send),
    ),
  );
  name.focus();
}

/**
 * What was said; resolves to why that is not known, or to "". `found` is {events, isBlind}, or a promise of {events} or
 * {error}: the dialog is there at once, so that the keys of the page rest meanwhile.
 */
export async function openHistory(dialog, found) {
  const close = h("button", { type: "button", class: "fg-button fg-primary", onclick: () => dialog.close() }, "Close");
  const place = h("div", {}, h("p", { class: "fg-quiet", role: "status" }, "…"));
  show(dialog, place, h("p", { class: "fg-form-actions" }, close));
  const { error, events, isBlind = false } = await found;
  if (!error) place.replaceChildren(historyList(events, isBlind));
  else if (place.isConnected) dialog.close();
  return error ?? "";
}

function show(dialog, ...content) {
  dialog.onkeydown = (event) => event.stopPropagation(); // keys pressed in here answer nothing
  dialog.replaceChildren(...content);
  dialog.showModal();
}

/** A picture's events, newest first. */
function historyList(events, blind = false) {
  const undone = new Set(events.map((event) => event.undoes));
  const rows = events
    .filter((event) => event.kind !== "undo")
    .reverse()
    .map((event) =>
      h(
        "li",
        { class: undone.has(event.id) ? "is-undone" : null },
        h(
          "b",
          {},
          pointWords(event.point) ??
            publishedWords(event) ??
            event.name ??
            { import: "no label", ...ACTION_WORDS }[event.kind] ??
            event.kind,
        ),
        h(
          "span",
          { class: "fg-quiet" },
          ` ${event.kind === "import" ? "came with the picture" : iso(event.annotator)}, ${new Date(event.when).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}${undone.has(event.id) ? ", taken back" : ""}`,
        ),
        event.comment ? h("p", {}, `“${event.comment}”`) : null,
      ),
    );
  return h(
    "div",
    { class: "fg-history" },
    h("h2", {}, "What was said about this picture"),
    blind ? h("p", { class: "fg-quiet" }, "Hidden until you have given your opinion.") : h("ol", {}, ...rows),
  );
}

const ACTION_WORDS = Object.fromEntries(["unsure", "skip", "unusable", "none"].map((kind) => [kind, ACTIONS[kind][2].toLowerCase()]));
