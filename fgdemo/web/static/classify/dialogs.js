// What opens over the Classify tab. The script of each comes when it is asked for; its dialog is there at once, so that
// nothing that is pressed or typed meanwhile reaches the page: neither its keys, nor the same button a second time.

import { needed } from "../shared/client.js";
import { h } from "../shared/dom.js";
import { taxonSearch } from "../shared/taxon_search.js";

const RECEIPT = "#classify&receipt="; // behind the hash, so that it stands in no log of any server

/** Show an empty dialog, and call `fill(module)` when the script is there, unless the person has closed it or asked again. */
async function openWith(dialog, load, fill) {
  const waiting = h("p", { class: "fg-quiet", role: "status" }, "One moment…");
  dialog.replaceChildren(waiting);
  if (!dialog.open) dialog.showModal();
  const module = await needed(load);
  if (dialog.open && dialog.contains(waiting)) fill(module);
}

/** The field for another kind to compare with, or away with it; `onPick(id)` with a kind, never a group. */
export function openCompare(place, search, onPick) {
  place.hidden = !place.hidden;
  if (place.hidden) return;
  const picker = taxonSearch({
    label: "Compare with…",
    search: async (query) => {
      const reply = await search(query);
      return reply.error ? reply : { taxa: reply.taxa.filter((taxon) => taxon.is_leaf) };
    },
    onPick: ({ taxon }) => {
      place.hidden = true;
      onPick(taxon);
    },
  });
  picker.addEventListener("keydown", (event) => {
    if (event.key === "Escape") place.hidden = true;
  });
  place.replaceChildren(picker);
  picker.field.focus();
}

export function showKeys(dialog) {
  return openWith(
    dialog,
    () => import("./keys.js"),
    ({ openKeys }) => openKeys(dialog),
  );
}

/** What it really is, in the words of `openSuggestion`. */
export function suggest(dialog, told) {
  return openWith(
    dialog,
    () => import("./suggest.js"),
    ({ openSuggestion }) => openSuggestion(dialog, told),
  );
}

/** `onFile(file)` with a photograph, or `onError(sentence)`; neither where the person gives up. */
export function photograph(dialog, onFile, onError) {
  return openWith(
    dialog,
    () => import("./camera.js"),
    async ({ takePhoto }) => {
      try {
        const file = await takePhoto(dialog);
        if (file) onFile(file);
      } catch {
        dialog.close();
        onError("The camera cannot be used here. Choose a picture instead.");
      }
    },
  );
}

/** Where a visitor has opened the link to a picture that was left here. */
export function followReceipt(dialog) {
  const show = () => {
    if (!location.hash.startsWith(RECEIPT)) return;
    const receipt = location.hash.slice(RECEIPT.length);
    openWith(
      dialog,
      () => import("./receipt.js"),
      ({ openReceipt }) => openReceipt(dialog, receipt),
    );
  };
  dialog.addEventListener("close", () => location.hash.startsWith(RECEIPT) && history.replaceState(null, "", "#classify"));
  addEventListener("hashchange", show);
  show();
}
