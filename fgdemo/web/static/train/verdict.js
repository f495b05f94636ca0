// Whether a candidate is better than what it stands beside: the sentence, the checks, and how sure that is.

import { button, h } from "../shared/dom.js";
import { counted, share } from "../shared/words.js";
import { shortName } from "./route.js";
import { outcome } from "./words.js";

const CHECKS = {
  accuracy: "Accuracy",
  kinds: "Every kind",
  forgetting: "Nothing forgotten",
  calibration: "Honest percentages",
  maps: "Trustworthy maps",
};

/** The verdict on the version `after` in sum; of one that counts no more `changed` says how many gold labels changed. */
export function drawSum(verdict, after, changed = 0) {
  const check = ({ name, passed, sentence }) =>
    h(
      "li",
      { "data-passed": String(passed) },
      h("span", { class: "fg-check-sign", role: "img", "aria-label": passed ? "passed" : "not passed" }, passed ? "✓" : "✗"),
      h("span", {}, h("b", {}, CHECKS[name] ?? name), " ", h("span", { class: "fg-quiet" }, sentence)),
    );
  return h(
    "div",
    { class: "fg-verdict", "data-outcome": verdict.outcome },
    h(
      "p",
      { class: "fg-verdict-outcome" },
      outcome(verdict.outcome),
      changed ? h("span", { class: "fg-quiet fg-small" }, ` by gold labels of before. ${goldChanged(changed)}`) : "",
    ),
    h("p", { class: "fg-verdict-said" }, headline(verdict)),
    h(
      "div",
      { class: "fg-verdict-columns" },
      h("ul", { class: "fg-checks" }, ...verdict.checks.map(check)),
      intervals(verdict, shortName(verdict.beside || "before"), shortName(after)),
    ),
  );
}

/** What the verdict says beside the checks, which stand below it by themselves. */
function headline({ sentence, checks }) {
  const told = checks.flatMap((check) => check.sentence.split(/(?<=\.) (?=\p{Lu}|\d)/u));
  const said = told.reduce((left, one) => left.replace(one, ""), sentence);
  return said.replace(/\s+/g, " ").trim() || sentence;
}

/** Both accuracies with their 95 % intervals on one scale. */
function intervals({ before, after, n, p_value: p, difference, fixed_count: fixed, broken_count: broken }, beforeName, afterName) {
  const least = Math.min(before[1], after[1]);
  const most = Math.max(before[2], after[2]);
  const step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5].find((one) => (most - least) / one <= 3) ?? 0.5;
  const from = Math.max(0, Math.floor(least / step - 0.01) * step);
  const to = Math.min(1, Math.ceil(most / step + 0.01) * step);
  const x = (value) => `${(100 * (value - from)) / (to - from || 1)}%`;
  const ticks = Array.from({ length: Math.round((to - from) / step) + 1 }, (_, at) => from + at * step);
  const row = (name, [mean, low, high], side) =>
    h(
      "div",
      { class: "fg-whisker", "data-side": side },
      h("span", { class: "fg-whisker-name" }, name),
      h(
        "span",
        { class: "fg-whisker-line", "aria-hidden": "true" },
        h("span", { style: { left: x(low), right: `calc(100% - ${x(high)})` } }),
        h("i", { style: { left: x(mean) } }),
      ),
      h(
        "span",
        { class: "fg-num" },
        h("b", {}, share(mean)),
        h("span", { class: "fg-hidden" }, `, between ${share(low)} and ${share(high)}`),
      ),
    );
  const scale = h(
    "div",
    { class: "fg-whisker fg-whisker-scale fg-num", "aria-hidden": "true" },
    h("span"),
    h(
      "span",
      { class: "fg-whisker-line" },
      ...ticks.map((tick, at) =>
        h("span", { style: { left: x(tick) } }, `${Math.round(100 * tick)}${at === ticks.length - 1 ? "\u00a0%" : ""}`),
      ),
    ),
    h("span"),
  );
  const points = (value) => `${value < 0 ? "−" : "+"}${Math.abs(100 * value).toFixed(1)}`;
  return h(
    "div",
    { class: "fg-whiskers" },
    row(beforeName, before, "before"),
    row(afterName, after, "after"),
    scale,
    h(
      "p",
      { class: "fg-quiet fg-small fg-num" },
      `${points(difference[0])} points [${points(difference[1])}, ${points(difference[2])}], ${p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`}`,
    ),
    h(
      "p",
      { class: "fg-quiet fg-small fg-num" },
      `${counted(n, "gold picture", "gold pictures")}: ${fixed} newly right, ${broken} newly wrong`,
    ),
  );
}

/**
 * What may be done with a model: to let it go live, to go back, to delete it. `more` stands between.
 *
 * @param {any} model
 * @param {any} now
 * @param {any} acts
 * @param {Node | null} [more]
 */
export function modelActions(model, now, acts, more = null) {
  const isLive = model.version === now.live;
  const busy = Boolean(now.promoting);
  const actions = [];
  let why = "";
  let refused = false;
  if (isLive) {
    if (now.previous) actions.push(button(`Roll back to ${shortName(now.previous)}`, acts.rollBack, { disabled: busy }));
  } else {
    const judged = isBeside(model.verdict, now.live) && model.gold_changed === 0;
    refused = judged && !model.verdict.may_go_live;
    if (refused) why = refusal(model.verdict);
    else if (!judged) why = comparedFirst(model, now.live);
    if (refused && model.verdict.may_go_live_on_word)
      actions.push(button("Make it live all the same…", () => acts.promoteOnWord(model), { disabled: busy, describedby: "fg-why-not" }));
    else
      actions.push(
        button("Make it live", () => acts.promote(model.version), {
          primary: judged,
          disabled: refused || busy,
          describedby: why ? "fg-why-not" : null,
        }),
      );
    if (!judged)
      actions.unshift(
        button(model.verdict ? "Compare again" : "Compare", () => acts.judge(model.version), {
          primary: true,
          disabled: busy,
          describedby: "fg-why-not",
        }),
      );
  }
  if (more) actions.push(more);
  if (!isLive && model.version !== now.previous && model.job !== null) actions.push(button("Delete", () => acts.remove(model.version)));
  return h(
    "div",
    { class: "fg-model-actions" },
    h("p", { class: "fg-row-actions" }, ...actions),
    why ? h("p", { class: `fg-small ${refused ? "fg-why-not" : "fg-quiet"}`, id: "fg-why-not" }, why) : "",
  );
}

/** Whether a verdict says how its candidate stands beside this model, by limits that count: earlier ones had none. */
function isBeside(verdict, live) {
  return verdict?.beside === live && typeof verdict.loss_limit === "number";
}

/** The paragraphs that a maintainer reads before a candidate goes live of which too little is proven. */
export function onWord(verdict, live) {
  const open = verdict.open_loss;
  const failed = verdict.checks.filter((check) => !check.passed && check.name !== "accuracy").map((check) => check.sentence);
  return [
    `${open.charAt(0).toUpperCase()}${open.slice(1)} (95\u00a0% certain). Nothing speaks against it otherwise, but nothing proves it either.`,
    ...failed,
    `More gold pictures would tell. Your word is kept with these figures, and ${live} can be rolled back to.`,
  ];
}

/** Why its verdict counts no more, and what is done before it goes live. */
function comparedFirst({ verdict, gold_changed: changed }, live) {
  const before = `Before it goes live it is compared with ${shortName(live)}, which takes minutes.`;
  if (!verdict) return `It was never judged. ${before}`;
  if (!verdict.beside) return `It is not known which model it was compared with. ${before}`;
  if (verdict.beside !== live) return `It was compared with ${shortName(verdict.beside)}, which is not live now. ${before}`;
  if (typeof verdict.loss_limit !== "number") return `It was judged by an earlier version, which took too little for proven. ${before}`;
  return `${goldChanged(changed)} ${before.replace("is compared", "is compared again")}`;
}

/** "Gold has changed since: 3 labels." */
export function goldChanged(labels) {
  return labels ? `Gold has changed since: ${counted(labels, "label", "labels")}.` : "It is not known by which gold labels it was judged.";
}

function refusal(verdict) {
  if (verdict.outcome === "worse") return "It cannot go live: it is worse than what is live.";
  if (verdict.may_go_live_on_word) return `It does not go live by itself: ${verdict.open_loss}.`;
  const failed = verdict.checks.filter((check) => !check.passed).map((check) => (CHECKS[check.name] ?? check.name).toLowerCase());
  return `It cannot go live: ${failed.join(", ")} did not pass.`;
}
