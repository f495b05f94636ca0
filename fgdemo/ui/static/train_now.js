// What is met first on the Train page: how things stand, and the way to a better model.

import { duration } from "./data_views.js";
import { h } from "./dom.js";
import { shortName } from "./train_route.js";
import { button, counted, modelName, PRESETS, when } from "./train_words.js";

const LEAST_LABELLED = 10;
const OPEN = ["waiting", "running", "interrupted"];

/** "Live: model-3, since Tuesday. 312 labels are newer than it." */
export function drawState(root, now) {
  const live = now.models.find((model) => model.version === now.live);
  const since = live?.promoted_at ? `, since ${when(live.promoted_at)}` : "";
  const newer = now.newer ? `${counted(now.newer, "label is", "labels are")} newer than it.` : now.labelled ? "It has learned from every label." : "";
  root.replaceChildren(
    h("h1", {}, "Live: ", h("b", {}, modelName(now.live)), `${since}. `, h("span", { class: "fg-quiet fg-num" }, newer)),
    now.labelled || now.gold ? h("p", { class: "fg-figures fg-quiet fg-num" }, h("span", {}, `${now.labelled.toLocaleString("en")} labelled to learn from`), h("span", {}, `${now.checked.toLocaleString("en")} of them checked`), h("span", {}, `${counted(now.gold, "gold picture", "gold pictures")} to judge by`)) : "",
  );
}

/** How far the swap to another model is. Drawn anew only when it has moved. */
export function drawSwap(root, { promoting }) {
  root.hidden = !promoting;
  if (!promoting) return root.replaceChildren();
  const { name, done, of } = promoting;
  const bar = h("progress", { max: of || 1, "aria-label": "Another model goes live" });
  if (of) bar.value = done;
  const figures = of > 1 ? `${done.toLocaleString("en")} of ${of.toLocaleString("en")}` : "";
  return root.replaceChildren(h("p", {}, h("b", {}, "Another model goes live."), " The old one answers until then."), bar, h("p", { class: "fg-quiet fg-small fg-num" }, [name, figures].filter(Boolean).join(": ")));
}

/** Three presets and the button; or why there is nothing to begin yet. */
export class Starter {
  constructor(root, onStart) {
    Object.assign(this, { root, onStart, preset: null });
  }

  show(now) {
    const runs = OPEN.includes(now.jobs[0]?.state);
    this.root.hidden = runs;
    if (runs) return;
    this.preset ??= now.device.startsWith("cuda") ? "standard" : "quick";
    const hindrance = hindranceOf(now);
    if (hindrance) return this.root.replaceChildren(heading(), h("p", {}, hindrance.words), h("p", { class: "fg-row-actions" }, h("a", { class: "fg-button fg-primary", href: hindrance.href }, hindrance.act)));
    const start = button("Train a better model", async () => {
      start.disabled = true;
      await this.onStart(this.preset);
      start.disabled = false;
    }, { primary: true });
    const rows = Object.entries(PRESETS).map(([preset, [name, about]]) => this.row(preset, name, about, now.estimates[preset]));
    this.root.replaceChildren(heading(), h("div", { class: "fg-presets", role: "radiogroup", "aria-labelledby": "fg-train-begin" }, ...rows), h("p", { class: "fg-train-go" }, start, h("span", { class: "fg-quiet fg-small" }, `On this machine’s ${now.device.startsWith("cuda") ? "GPU" : "processor"}. What is live stays live meanwhile, and you may go on labelling.`)));
  }

  row(preset, name, about, seconds) {
    const choice = h("input", { type: "radio", name: "fg-preset", value: preset, checked: preset === this.preset, onchange: () => (this.preset = preset) });
    return h("label", { class: "fg-preset" }, choice, h("span", { class: "fg-preset-name" }, name), h("span", { class: "fg-preset-time fg-num" }, seconds === undefined ? "" : duration(seconds)), h("span", { class: "fg-quiet fg-small" }, about));
  }
}

function heading() {
  return h("h2", { id: "fg-train-begin" }, "Train a better model");
}

/** Why a training would be in vain, and where to mend that; null where it would not. */
function hindranceOf({ labelled, gold, live }) {
  if (labelled < LEAST_LABELLED) {
    const have = labelled ? `Only ${counted(labelled, "picture is", "pictures are")} labelled` : "Nothing is labelled yet";
    return { words: `${have}: a training needs ${LEAST_LABELLED} or more labelled pictures.`, act: labelled ? "Label pictures" : "Bring pictures in", href: labelled ? "#label" : "#data" };
  }
  if (!gold) return { words: `There are no gold pictures, so nothing could show that a new model is better than ${shortName(live)}. Bring in labelled pictures with a “test” folder: nothing ever trains on them.`, act: "Bring pictures in", href: "#data" };
  return null;
}
