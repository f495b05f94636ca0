// What is met first on the Train page: how things stand, and the way to a better model.

import { button, h } from "../shared/dom.js";
import { counted, duration, when } from "../shared/words.js";
import { shortName } from "./route.js";
import { modelName, PRESETS } from "./words.js";

const LEAST_LABELLED = 10;
const LABEL = ["Label pictures", "#label"];
const BRING = ["Bring pictures in", "#data"];
const OPEN = ["waiting", "running", "interrupted"];

/** "Live: model-3, since Tuesday. 312 labels are newer than it." */
export function drawState(root, now) {
  const live = now.models.find((model) => model.version === now.live);
  const since = live?.promoted_at ? `, since ${when(live.promoted_at)}` : "";
  const newer = now.newer
    ? `${counted(now.newer, "label is", "labels are")} newer than it.`
    : labelledOf(now)
      ? "It has learned from every label."
      : "";
  root.replaceChildren(
    h("h1", {}, "Live: ", h("b", {}, modelName(now.live)), `${since}. `, h("span", { class: "fg-quiet fg-num" }, newer)),
    goldOf(now),
    labelledOf(now) || now.gold
      ? h("p", { class: "fg-figures fg-quiet fg-num" }, ...figuresOf(now).map((figure) => h("span", {}, figure)))
      : "",
  );
}

/** "1 of 35 gold labels looks wrong.", or "" where all is well. */
export function goldInWords(gold) {
  if (!gold || !(gold.looks_wrong || gold.disputed)) return "";
  const of = ` of ${counted(gold.labelled, "gold label", "gold labels")}`;
  const wrong = gold.looks_wrong && `${counted(gold.looks_wrong, `${of} looks`, `${of} look`)} wrong`;
  const disputed = gold.disputed && `${counted(gold.disputed, `${wrong ? "" : of} is`, `${wrong ? "" : of} are`)} disputed`;
  return `${[wrong, disputed].filter(Boolean).join(", and ")}.`.replace(/\s+/g, " ");
}

/** What the link beside that says. */
export function wayToMend({ looks_wrong: wrong, disputed }) {
  if (wrong) return "Check gold first";
  return disputed === 1 ? "Settle it" : "Settle them";
}

/** How many gold labels look wrong, and the way to check them: models are judged by these. */
function goldOf({ gold_check: gold, jobs }) {
  const told = goldInWords(gold);
  if (!told) return "";
  const isJudging = ["waiting", "running"].includes(jobs[0]?.state);
  const ways = isJudging
    ? h("span", { class: "fg-quiet" }, "They can be checked once the training that runs has its verdict.")
    : h("a", { class: "fg-link", href: `#label/${gold.looks_wrong ? "gold" : "adjudication"}` }, wayToMend(gold));
  return h("p", { class: "fg-gold-check" }, h("b", {}, told), " Models are judged by them. ", ways);
}

/** Labelled pictures of which none is gold. */
function labelledOf({ train, val }) {
  return train + val;
}

function figuresOf({ train, val, checked, gold }) {
  const number = (count) => count.toLocaleString("en");
  return [
    `${number(train)} labelled to learn from`,
    `${number(val)} to choose by`,
    `${number(checked)} checked`,
    `${counted(gold, "gold picture", "gold pictures")} to judge by`,
  ];
}

/** How far the swap to another model is. Drawn anew only when it has moved. */
export function drawSwap(root, { promoting, is_comparing: isComparing }) {
  root.hidden = !promoting;
  if (!promoting) return root.replaceChildren();
  const { name, done, of } = promoting;
  const bar = h("progress", { max: of || 1, "aria-label": isComparing ? "Two models are compared" : "Another model goes live" });
  if (of) bar.value = done;
  const figures = of > 1 ? `${done.toLocaleString("en")} of ${of.toLocaleString("en")}` : "";
  return root.replaceChildren(
    h(
      "p",
      {},
      h("b", {}, isComparing ? "Two models are compared." : "Another model goes live."),
      isComparing ? " What is live stays live." : " The old one answers until then.",
    ),
    bar,
    h("p", { class: "fg-quiet fg-small fg-num" }, [name, figures].filter(Boolean).join(": ")),
  );
}

/** Where a job runs, and what it is likely to cost; at most that of the hours after which it is ended. */
function placeOf({ offer, trouble, preset }, now) {
  if (!offer) return trouble || "Asking Hugging Face what it costs…";
  const dollars = (hours) => `$${Math.max(hours * offer.usd_per_hour, 0.01).toFixed(2)}`;
  const likely = now.estimates[preset] === undefined ? "" : `, about ${dollars(now.estimates[preset] / 3600)} of training`;
  return `On Hugging Face, in your name and at your cost: ${offer.shown_name}, ${dollars(1)} an hour${likely}, and the time to start.`;
}

/** The presets and the button; or why there is nothing to begin yet. */
export class Starter {
  constructor(root, onStart, onOffer) {
    this.root = root;
    this.onStart = onStart;
    this.onOffer = onOffer;
    this.preset = null;
    this.offer = null;
    this.trouble = "";
  }

  /** What an hour costs where Hugging Face trains; asked once, and nothing begins before it is known. */
  async price(now) {
    if (this.asked) return;
    this.asked = true;
    const reply = await this.onOffer();
    this.offer = reply.offer ?? null;
    this.trouble = reply.error ?? "";
    this.asked = Boolean(this.offer);
    this.show(now);
  }

  show(now) {
    this.now = now;
    const runs = OPEN.includes(now.jobs[0]?.state);
    this.root.hidden = runs;
    if (runs) return;
    this.preset ??= now.device.startsWith("cuda") ? "standard" : "quick";
    const hindrance = hindranceOf(now);
    if (hindrance)
      return this.root.replaceChildren(heading(), h("p", {}, hindrance.words), h("p", { class: "fg-row-actions" }, ...hindrance.ways));
    const start = button(
      "Train a better model",
      async () => {
        start.disabled = true;
        await this.onStart(this.preset);
        start.disabled = false;
      },
      { primary: true },
    );
    const elsewhere = now.device.startsWith("jobs:");
    if (elsewhere && !this.offer) {
      start.disabled = true;
      if (!this.trouble) this.price(now);
    }
    const rows = Object.entries(PRESETS).map(([preset, [name, about]]) => this.row(preset, name, about, now.estimates[preset]));
    this.root.replaceChildren(
      heading(),
      h("div", { class: "fg-presets", role: "radiogroup", "aria-labelledby": "fg-train-begin" }, ...rows),
      h(
        "p",
        { class: "fg-train-go" },
        start,
        h(
          "span",
          { class: "fg-quiet fg-small" },
          `${elsewhere ? placeOf(this, now) : `On this machine’s ${now.device.startsWith("cuda") ? "GPU" : "processor"}.`} What is live stays live meanwhile, and you may go on labelling.`,
        ),
        this.trouble ? button("Ask again", () => this.askAgain()) : "",
      ),
    );
  }

  askAgain() {
    this.trouble = "";
    this.show(this.now);
  }

  choose(preset) {
    this.preset = preset;
    if (this.offer) this.show(this.now);
  }

  row(preset, name, about, seconds) {
    const choice = h("input", {
      type: "radio",
      name: "fg-preset",
      value: preset,
      checked: preset === this.preset,
      onchange: () => this.choose(preset),
    });
    return h(
      "label",
      { class: "fg-preset" },
      choice,
      h("span", { class: "fg-preset-name" }, name),
      h("span", { class: "fg-preset-time fg-num" }, seconds === undefined ? "" : duration(seconds)),
      h("span", { class: "fg-quiet fg-small" }, about),
    );
  }
}

function heading() {
  return h("h2", { id: "fg-train-begin" }, "Train a better model");
}

/** Why a training would be in vain, and where to mend that; null where it would not. */
function hindranceOf(now) {
  const { val, gold, live } = now;
  const labelled = labelledOf(now);
  if (labelled < LEAST_LABELLED) {
    const have = labelled ? `Only ${counted(labelled, "picture is", "pictures are")} labelled` : "Nothing is labelled yet";
    return {
      words: `${have}: a training needs ${LEAST_LABELLED} or more labelled pictures.`,
      ways: labelled ? [way(...LABEL, true)] : [way(...BRING, true), way(...LABEL)],
    };
  }
  const ways = [way(...LABEL, true), way(...BRING)];
  if (!val)
    return {
      words:
        "A training keeps what does best on held-out pictures, and none of the labelled ones is held out. Label more of them: of what comes without splits a tenth is. Or bring in labelled pictures with a “val” folder.",
      ways,
    };
  if (!gold)
    return {
      words: `No gold picture is labelled, so nothing could show that a new model is better than ${shortName(live)}. Label more pictures: of what comes without splits a tenth is gold. Or bring in labelled pictures with a “test” folder. Nothing ever trains on them.`,
      ways,
    };
  return null;
}

function way(words, href, isFirst = false) {
  return h("a", { class: `fg-button${isFirst ? " fg-primary" : ""}`, href }, words);
}
