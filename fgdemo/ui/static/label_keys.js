// The keys of a session: what each does, which key it is, and how a person changes that.

import { h } from "./dom.js";

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
  history: ["h", "What was said about it", "History"],
  help: ["?", "All keys", "Keys"],
};

/** {action: key}, with what this person has changed. */
export function readKeys() {
  let changed = {};
  try {
    changed = JSON.parse(localStorage.getItem(STORED)) ?? {};
  } catch {
    // unreadable: the usual keys
  }
  return Object.fromEntries(Object.entries(ACTIONS).map(([action, [key]]) => [action, typeof changed[action] === "string" ? changed[action] : key]));
}

export function keyName(key) {
  return { " ": "Space", Enter: "↵" }[key] ?? (key.length === 1 ? key.toUpperCase() : key);
}

/** The list of keys; a click on one and the next key press changes it. */
export function openKeys(dialog, keys, onChange) {
  let waiting = null;
  const message = h("p", { class: "fg-form-message", role: "status" });
  const close = () => dialog.close();
  const draw = () => {
    const rows = Object.entries(ACTIONS).flatMap(([action, [, about]]) => [
      h("dt", {}, h("button", { type: "button", class: "fg-keycap", "aria-pressed": String(waiting === action), title: "Change this key", onclick: () => ((waiting = action), draw(), dialog.focus()) }, h("kbd", {}, waiting === action ? "…" : keyName(keys[action])))),
      h("dd", {}, about),
    ]);
    dialog.replaceChildren(
      h("h2", {}, "Keys"),
      h("dl", { class: "fg-keys" }, h("dt", {}, h("kbd", {}, "1"), "–", h("kbd", {}, "9")), h("dd", {}, "The kind with this number"), ...rows),
      h("p", { class: "fg-quiet" }, "Click a key to change it."),
      message,
      h("p", { class: "fg-form-actions" }, h("button", { type: "button", class: "fg-button", onclick: () => ((keys = onChange(null)), draw()) }, "The usual keys"), h("button", { type: "button", class: "fg-button fg-primary", onclick: close }, "Close")),
    );
  };
  dialog.onkeydown = (event) => {
    event.stopPropagation();
    if (!waiting) return event.key === "?" ? close() : undefined;
    event.preventDefault();
    if (event.key !== "Escape") {
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      const taken = Object.keys(keys).find((action) => keys[action] === key && action !== waiting);
      if (taken || /^[1-9]$/.test(key) || key === "Tab") message.textContent = `${keyName(key)} is in use.`;
      else {
        message.textContent = "";
        keys = onChange({ ...keys, [waiting]: key });
      }
    }
    waiting = null;
    draw();
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
