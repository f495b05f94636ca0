// What the Train page says in more than one place.

import { h } from "../shared/dom.js";
import { shortName } from "./route.js";

export const OUTCOMES = { better: ["✓", "Better"], "not worse": ["=", "Not worse"], worse: ["✗", "Worse"], unproven: ["?", "Not proven"] };
export const PRESETS = {
  head: ["Head only", "What it was taught by key, for visitors too. The network stays as it is."],
  quick: ["Quick", "A short look at what your labels bring."],
  standard: ["Standard", "The whole network learns. The usual choice."],
  thorough: ["Thorough", "The longest and most careful. Best with a GPU."],
};

/** The name of a model; the whole version where the pointer rests. */
export function modelName(version) {
  return h("span", { title: version }, shortName(version));
}

/** The outcome as a sign, a word and a colour. */
export function outcome(name) {
  const [sign, word] = OUTCOMES[name] ?? ["?", name];
  return h("span", { class: "fg-outcome", "data-outcome": name }, h("span", { "aria-hidden": "true" }, sign), word);
}

/** What becomes of what a training has learned when somebody stops it. */
export function costOfStopping({ device, epochs, state }) {
  const there = device.startsWith("jobs:") ? "Its job on Hugging Face is cancelled, too. " : "";
  if (!there && !epochs.length) return "It has learned nothing yet.";
  if (state === "interrupted") return `${there}What it has learned until now is lost.`;
  return there
    ? `${there}What it has learned is kept only if that was over already.`
    : "What it has learned until now is kept: it becomes a candidate and is judged.";
}
