// What the Train page says in more than one place.

import { h } from "../shared/dom.js";
import { shortName } from "./route.js";

const DAY_MS = 86_400_000;
export const OUTCOMES = { better: ["✓", "Better"], "not worse": ["=", "Not worse"], worse: ["✗", "Worse"], unproven: ["?", "Not proven"] };
export const PRESETS = {
  head: ["Head only", "What it was taught by key, for visitors too. The network stays as it is."],
  quick: ["Quick", "A short look at what your labels bring."],
  standard: ["Standard", "The whole network learns. The usual choice."],
  thorough: ["Thorough", "The longest and most careful. Best with a GPU."],
};

/** "today at 14:05", "Tuesday", "3 March", "3 March 2024". */
export function when(iso, now = new Date()) {
  const then = new Date(iso);
  const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
  const days = Math.round((midnight(now) - midnight(then)) / DAY_MS);
  if (days <= 0) return `today at ${then.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })}`;
  if (days < 7) return then.toLocaleDateString("en-GB", { weekday: "long" });
  return then.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: then.getFullYear() === now.getFullYear() ? undefined : "numeric" });
}

/** The name of a model; the whole version where the pointer rests. */
export function modelName(version) {
  return h("span", { title: version }, shortName(version));
}

/** The outcome as a sign, a word and a colour. */
export function outcome(name) {
  const [sign, word] = OUTCOMES[name] ?? ["?", name];
  return h("span", { class: "fg-outcome", "data-outcome": name }, h("span", { "aria-hidden": "true" }, sign), word);
}

export function counted(number, one, many) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** 0.9134 → "91.3 %". */
export function share(value) {
  return `${(100 * value).toFixed(1)}\u00a0%`;
}

/** Seconds that have gone by: "4 s", "12 min", "1 h 05 min". */
export function elapsed(seconds) {
  if (seconds < 90) return `${Math.round(seconds)}\u00a0s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes}\u00a0min` : `${Math.floor(minutes / 60)}\u00a0h\u00a0${String(minutes % 60).padStart(2, "0")}\u00a0min`;
}

/** A button; the one that the page is about is `primary`. */
export function button(words, onclick, { primary = false, disabled = false, describedby = null } = {}) {
  return h("button", { type: "button", class: `fg-button${primary ? " fg-primary" : ""}`, onclick, disabled, "aria-describedby": describedby }, words);
}

export function quietButton(words, onclick, label = null) {
  return h("button", { type: "button", class: "fg-link", onclick, "aria-label": label }, words);
}

/** What becomes of what a training has learned when somebody stops it. */
export function costOfStopping({ device, epochs, state }) {
  const there = device.startsWith("jobs:") ? "Its job on Hugging Face is cancelled, too. " : "";
  if (!there && !epochs.length) return "It has learned nothing yet.";
  if (state === "interrupted") return `${there}What it has learned until now is lost.`;
  return there ? `${there}What it has learned is kept only if that was over already.` : "What it has learned until now is kept: it becomes a candidate and is judged.";
}

/** Ask once before something that cannot be taken back. */
export function confirmIn(dialog, title, words, act, onAct) {
  const yes = () => {
    dialog.close();
    onAct();
  };
  const actions = h("p", { class: "fg-form-actions" }, button("Not now", () => dialog.close()), button(act, yes, { primary: true }));
  dialog.replaceChildren(h("div", { class: "fg" }, h("h2", {}, title), ...[words].flat().map((one) => h("p", { class: "fg-quiet" }, one)), actions));
  dialog.showModal();
}
