// The list of keys, behind "?".

import { h } from "../shared/dom.js";
import { keyOf } from "../shared/keyboard.js";

/** @type {[string[], string][]} */
const KEYS = [
  [["1", "2", "3", "4", "5"], "picture, class map, A versus B, parts, methods"],
  [["F"], "the map in its colours, not only its outline"],
  [["M"], "the same place in pictures of A and of B, side by side; a click on a place does it, too"],
  [["C"], "draw a box around what to look at"],
  [["L"], "look closer at the thing, or at first sight alone"],
  [["+", "\u2212"], "zoom"],
  [["0"], "the whole picture again"],
  [["Esc"], "leave the box, the lit part, the zoom"],
  [["Ctrl", "V"], "paste a picture"],
  [["?"], "this list"],
];

/** Fill a dialog that is open. */
export function openKeys(dialog) {
  const close = () => dialog.close();
  dialog.onclick = (event) => event.target === dialog && close(); // beside it
  dialog.onkeydown = (event) => {
    event.stopPropagation(); // the page would take "?" as the wish to see this list
    if (keyOf(event) === "?") close();
  };
  const button = h("button", { type: "button", class: "fg-button", onclick: close }, "Close");
  dialog.replaceChildren(
    h("h2", { id: "fg-keys-title" }, "Keys"),
    h(
      "dl",
      { class: "fg-keys" },
      ...KEYS.flatMap(([keys, does]) => [h("dt", {}, ...keys.map((key) => h("kbd", {}, key))), h("dd", {}, does)]),
    ),
    h("p", { class: "fg-form-actions" }, button),
  );
  button.focus();
}
