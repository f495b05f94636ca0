// Removing pictures for good, for maintainers: asked once, with the reason, which stays in their histories.

import { ask } from "../shared/client.js";
import { h } from "../shared/dom.js";

const pictures = (count) => `${count.toLocaleString("en")} pictures`;

/** Ask whether these pictures are to go; `onGone()` when they are. */
export function askRemoval(dialog, tiles, onGone) {
  if (!tiles.length) return;
  const close = () => dialog.close();
  const one = tiles.length === 1;
  const gold = tiles.filter((tile) => tile.locked).length;
  const why = h("input", { type: "text", id: "fg-removal-why", dir: "auto", maxlength: 500, autocomplete: "off" });
  const message = h("p", { class: "fg-form-message", role: "alert" });
  const yes = h("button", { type: "submit", class: "fg-button fg-primary" }, one ? "Remove it for good" : "Remove them for good");
  const submit = async (event) => {
    event.preventDefault();
    yes.disabled = true;
    const reply = await ask("data_remove", { images: tiles.map((tile) => tile.image), why: why.value });
    yes.disabled = false;
    if (reply.error) message.textContent = reply.error;
    else {
      close();
      onGone(reply.removed.length);
    }
  };
  dialog.onkeydown = (event) => event.stopPropagation();
  dialog.replaceChildren(
    h(
      "form",
      { class: "fg", onsubmit: submit },
      h("h2", {}, `Remove ${one ? "this picture" : pictures(tiles.length)} for good?`),
      h(
        "p",
        { class: "fg-quiet" },
        `The ${one ? "file goes, its thumbnail" : "files go, their thumbnails"} and what models have seen in ${one ? "it" : "them"}, here and at the backup. What was said about ${one ? "it" : "them"} stays as history.`,
      ),
      gold
        ? h(
            "p",
            { class: "fg-quiet" },
            `${one ? "It is gold" : `${gold.toLocaleString("en")} of them are gold`}: models are judged anew without ${gold === 1 ? "it" : "them"}.`,
          )
        : "",
      h("label", { for: "fg-removal-why" }, "Why (stays in the history)"),
      why,
      message,
      h("p", { class: "fg-form-actions" }, h("button", { type: "button", class: "fg-button", onclick: close }, "Not now"), yes),
    ),
  );
  dialog.showModal();
  why.focus();
}
