// The keys of a session: what each does, which key it is, and how a person changes that.

import { h } from "../shared/dom.js";
import { bindingOf, digitOf, keyOf, means } from "../shared/keyboard.js";

/** @typedef {string | {key: string, code: string}} Binding a character, or a key with its place */
/** @typedef {Record<string, Binding>} Keys by action */

const STORED = "fgdemo.label.keys";

/** By action: its usual key, what it does, and its button. @type {Record<string, [string, string, string]>} */
export const ACTIONS = {
  accept: ["Enter", "Accept the likeliest", "Accept"],
  keep: ["g", "The label is right as given", "Given is right"],
  unsure: ["u", "I cannot tell", "Unsure"],
  skip: [" ", "Later, or somebody else", "Skip"],
  unusable: ["x", "The picture cannot be labelled", "Unusable"],
  none: ["o", "None of these kinds", "None of these"],
  search: ["/", "Search all kinds and groups", "Search"],
  create: ["n", "A new kind", "New kind"],
  comment: ["c", "Write a comment", "Comment"],
  undo: ["z", "Take back, step by step", "Undo"],
  explain: ["e", "Show why: hold, or press shortly", "Why"],
  view: ["v", "A versus B, parts", "View"],
  closer: ["l", "Look closer at the thing, or at the whole", "Closer"],
  fill: ["f", "Colours of the map, or its outline", "Fill"],
  compare: ["m", "The same place in pictures of both kinds, side by side", "Compare"],
  history: ["h", "What was said about it", "History"],
  points: ["p", "Teach parts: place points on it", "Points"],
  help: ["?", "All keys", "Keys"],
};

/** With what this person has changed. @returns {Keys} */
export function readKeys() {
  /** @type {Record<string, any>} */
  let changed = {};
  try {
    changed = JSON.parse(localStorage.getItem(STORED) ?? "{}");
  } catch {
    // unreadable: the usual keys
  }
  return Object.fromEntries(Object.entries(ACTIONS).map(([action, [key]]) => [action, isBinding(changed[action]) ? changed[action] : key]));
}

/** @param {any} one @returns {one is Binding} */
function isBinding(one) {
  return typeof one === "string" || (typeof one?.key === "string" && typeof one.code === "string");
}

/** What a key press means with these keys, or undefined. @param {KeyboardEvent} event @param {Keys} keys */
export function actionOf(event, keys) {
  return Object.keys(keys).find((action) => means(event, keys[action]));
}

/** Whether the focus was brought to a button by keys, so that Enter and Space mean that button. @param {any} target @returns {boolean} */
export function isReachedByTab(target) {
  return target.matches?.("a:focus-visible, button:focus-visible") ?? false;
}

/** Whether a person has chosen the key of this action. @param {string | undefined} action @param {Keys} keys */
export function isChosen(action, keys) {
  return action !== undefined && keys[action] !== ACTIONS[action][0];
}

/** @param {Binding} binding */
export function keyName(binding) {
  const key = typeof binding === "string" ? binding : binding.key;
  if (key === " ") return "Space";
  if (key === "Enter") return "↵";
  return key.length === 1 ? key.toUpperCase() : key;
}

/**
 * The list of keys; a click on one and the next key press changes it.
 *
 * @param {HTMLDialogElement} dialog
 * @param {Keys} keys
 * @param {(keys: Keys | null) => Keys} onChange gives what holds from now on; null brings the usual ones back
 */
export function openKeys(dialog, keys, onChange) {
  /** @type {string | null} */
  let waiting = null; // the action whose key is being changed
  const message = h("p", { class: "fg-form-message", role: "status" });
  const close = () => dialog.close();
  const usual = () => {
    keys = onChange(null);
    draw();
  };
  const draw = () => {
    const rows = Object.entries(ACTIONS).flatMap(([action, [, about]]) => [
      h(
        "dt",
        {},
        h(
          "button",
          {
            type: "button",
            class: "fg-keycap",
            "aria-pressed": String(waiting === action),
            title: "Change this key",
            onclick: () => {
              waiting = action;
              draw();
              dialog.focus();
            },
          },
          h("kbd", {}, waiting === action ? "…" : keyName(keys[action])),
        ),
      ),
      h("dd", {}, about),
    ]);
    dialog.replaceChildren(
      h("h2", {}, "Keys"),
      h(
        "dl",
        { class: "fg-keys" },
        h("dt", {}, h("kbd", {}, "1"), "–", h("kbd", {}, "9")),
        h("dd", {}, "The kind with this number"),
        ...rows,
      ),
      h("p", { class: "fg-quiet" }, "Click a key to change it."),
      message,
      h(
        "p",
        { class: "fg-form-actions" },
        h("button", { type: "button", class: "fg-button", onclick: usual }, "The usual keys"),
        h("button", { type: "button", class: "fg-button fg-primary", onclick: close }, "Close"),
      ),
    );
  };
  dialog.onkeydown = (event) => {
    event.stopPropagation();
    if (!waiting) return keyOf(event) === "?" ? close() : undefined;
    event.preventDefault();
    const binding = bindingOf(event);
    if (!binding) return undefined; // Shift, or an accent that a letter follows
    if (event.key !== "Escape") {
      const taken = actionOf(event, keys);
      if ((taken && taken !== waiting) || (digitOf(event) ?? 0) > 0 || event.key === "Tab")
        message.textContent = `${keyName((digitOf(event) ?? 0) > 0 ? String(digitOf(event)) : binding)} is in use.`;
      else {
        message.textContent = "";
        keys = onChange({ ...keys, [waiting]: binding });
      }
    }
    waiting = null;
    return draw();
  };
  dialog.tabIndex = -1;
  draw();
  dialog.showModal();
}

/** Keep the keys; null brings the usual ones back. Gives what holds from now on. @param {Keys | null} keys */
export function storeKeys(keys) {
  if (keys) localStorage.setItem(STORED, JSON.stringify(keys));
  else localStorage.removeItem(STORED);
  return readKeys();
}
