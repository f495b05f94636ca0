// The keys of a session: what each does, which key it is, and how a person changes that.

import { h } from "../shared/dom.js";
import { bindingOf, digitOf, keyOf, means } from "../shared/keyboard.js";

const STORED = "fgdemo.label.keys";
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
  fill: ["f", "Colours of the map, or its outline", "Fill"],
  compare: ["m", "The same place in pictures of both kinds, side by side", "Compare"],
  history: ["h", "What was said about it", "History"],
  points: ["p", "Teach parts: place points on it", "Points"],
  help: ["?", "All keys", "Keys"],
};

/** {action: key}, with what this person has changed: a key is its character, or {key, code} with its place. */
export function readKeys() {
  /** @type {Record<string, unknown>} */
  let changed = {};
  try {
    changed = JSON.parse(localStorage.getItem(STORED) ?? "{}");
  } catch {
    // unreadable: the usual keys
  }
  return Object.fromEntries(Object.entries(ACTIONS).map(([action, [key]]) => [action, isBinding(changed[action]) ? changed[action] : key]));
}

function isBinding(one) {
  return typeof one === "string" || (typeof one?.key === "string" && typeof one.code === "string");
}

/** What a key press means with these keys, or undefined. */
export function actionOf(event, keys) {
  return Object.keys(keys).find((action) => means(event, keys[action]));
}

/** Whether the focus was brought to a button by keys, so that Enter and Space mean that button. */
export function isReachedByTab(target) {
  return target.matches?.("a:focus-visible, button:focus-visible") ?? false;
}

/** Whether a person has chosen the key of this action. */
export function isChosen(action, keys) {
  return Boolean(action) && keys[action] !== ACTIONS[action][0];
}

export function keyName(binding) {
  const key = binding.key ?? binding;
  return { " ": "Space", Enter: "↵" }[key] ?? (key.length === 1 ? key.toUpperCase() : key);
}

/** The list of keys; a click on one and the next key press changes it. */
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

/** Keep the keys; null brings the usual ones back. Gives what holds from now on. */
export function storeKeys(keys) {
  if (keys) localStorage.setItem(STORED, JSON.stringify(keys));
  else localStorage.removeItem(STORED);
  return readKeys();
}
