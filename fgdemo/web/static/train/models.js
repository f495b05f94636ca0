// All models of the workspace, newest first, and what the card of one says.

import { h, quietButton } from "../shared/dom.js";
import { counted, share, when } from "../shared/words.js";
import { addressOf, linkTo, shortName } from "./route.js";
import { goldChanged } from "./verdict.js";
import { outcome, PRESETS } from "./words.js";

/** The table; two that are ticked can be compared. */
export function drawHistory(root, now, acts) {
  const { models } = now;
  let chosen = [];
  const compare = h("button", { type: "button", class: "fg-button", disabled: true }, "Compare two");
  compare.addEventListener("click", () => {
    const [a, b] = models
      .filter((model) => chosen.includes(model.version))
      .map((model) => addressOf(models, model.version))
      .reverse();
    location.hash = linkTo({ view: "compare", a, b });
  });
  const boxes = new Map(
    models.map((model) => [model.version, h("input", { type: "checkbox", "aria-label": `Compare ${shortName(model.version)}` })]),
  );
  for (const [version, box] of boxes) {
    box.addEventListener("change", () => {
      chosen = chosen.filter((one) => one !== version);
      if (box.checked) chosen = [...chosen.slice(-1), version];
      for (const [other, its] of boxes) its.checked = chosen.includes(other);
      compare.disabled = chosen.length < 2;
      compare.textContent =
        chosen.length < 2
          ? "Compare two"
          : `Compare ${models
              .filter((model) => chosen.includes(model.version))
              .map((model) => shortName(model.version))
              .reverse()
              .join(" and ")}`;
    });
  }
  const span = accuracySpan(models);
  const many = models.length > 1;
  const heads = [...(many ? [""] : []), "Model", "From", "Labels until", "Accuracy", "Preset", "Live", ""];
  root.replaceChildren(
    h("header", { class: "fg-history-head" }, h("h2", {}, "Models"), many ? compare : ""),
    h(
      "table",
      { class: "fg-table fg-models fg-num" },
      h("thead", {}, h("tr", {}, ...heads.map((words) => (words ? h("th", { scope: "col" }, words) : h("td"))))),
      h("tbody", {}, ...models.map((model) => row(model, now, acts, many ? boxes.get(model.version) : null, span))),
    ),
    h(
      "p",
      { class: "fg-quiet fg-small" },
      `Accuracy is of models as they were judged, on gold pictures; Review shows that of the session’s model, which learns from every answer, on val pictures.${models.some((model) => model.accuracy && model.accuracy.on !== "gold") ? " * on held-out pictures of its own data, not on gold ones" : ""}`,
    ),
  );
}

function row(model, now, acts, box, span) {
  const isLive = model.version === now.live;
  const cell = (label, ...content) => h("td", { "data-label": label, "data-empty": content[0] === "–" }, h("span", {}, ...content));
  const name = h(
    "a",
    { class: "fg-link", href: linkTo({ view: "model", b: addressOf(now.models, model.version) }), title: model.version },
    shortName(model.version),
  );
  const mark = isLive
    ? h("span", { class: "fg-live-mark" }, "live")
    : model.version === now.previous
      ? h("span", { class: "fg-quiet fg-small" }, "live before")
      : model.state === "candidate" && model.verdict
        ? outcome(model.verdict.outcome)
        : "";
  const stale =
    !isLive && model.gold_changed ? h("span", { class: "fg-quiet fg-small fg-stale" }, " ", goldChanged(model.gold_changed)) : "";
  const promoted = model.promoted_at ? [`${when(model.promoted_at)}`, h("span", { class: "fg-quiet" }, ` ${model.promoted_by}`)] : ["–"];
  const last = now.promoting
    ? ""
    : isLive && now.previous
      ? quietButton("Roll back", acts.rollBack)
      : !isLive && model.version !== now.previous && model.job !== null
        ? quietButton("Delete", () => acts.remove(model.version), `Delete ${shortName(model.version)}`)
        : "";
  return h(
    "tr",
    { class: isLive ? "is-live" : null, "data-version": model.version },
    box ? h("td", { class: "fg-models-choose" }, box) : "",
    h("th", { scope: "row" }, name, " ", mark, stale),
    cell("From", model.parent ? shortName(model.parent) : "–"),
    cell("Labels until", model.labels_until ? when(model.labels_until) : "–"),
    cell("Accuracy", accuracy(model.accuracy, span)),
    cell("Preset", PRESETS[model.preset]?.[0] ?? "–"),
    cell("Live", ...promoted),
    h("td", { class: "fg-models-act" }, last),
  );
}

function accuracySpan(models) {
  const all = models.filter((model) => model.accuracy).flatMap((model) => model.accuracy.interval);
  const [least, most] = [Math.min(1, ...all), Math.max(0, ...all)];
  const room = 0.05 * (most - least || 0.1);
  return [least - room, most + room];
}

/** A share with its interval, drawn on the scale that all rows have in common. */
function accuracy(found, [from, to]) {
  if (!found) return h("span", { class: "fg-quiet" }, "not measured");
  const [mean, low, high] = found.interval;
  const x = (value) => `${(100 * (value - from)) / (to - from)}%`;
  const on =
    found.on === "gold"
      ? counted(found.n, "gold picture", "gold pictures")
      : `${found.n ? counted(found.n, "held-out picture", "held-out pictures") : "held-out pictures"}, not gold`;
  return h(
    "span",
    { class: "fg-accuracy", title: `95 % interval ${share(low)} to ${share(high)}, ${on}` },
    h("span", {}, share(mean), found.on === "gold" ? "" : h("span", { class: "fg-quiet" }, " *")),
    h(
      "span",
      { class: "fg-whisker-line", "aria-hidden": "true" },
      h("span", { style: { left: x(low), right: `calc(100% - ${x(high)})` } }),
      h("i", { style: { left: x(mean) } }),
    ),
    h("span", { class: "fg-hidden" }, `between ${share(low)} and ${share(high)}, ${on}`),
  );
}

const CARD = {
  name: "Name",
  network: "Network",
  kinds: "Kinds",
  parent: "Trained from",
  start_weights: "Start weights",
  data: "Learned from",
  licences: "Licences",
  metrics: "How well",
  frozen_start: "Before training",
  recipe: "Recipe",
  blend: "Blend",
  calibrated_on: "Percentages set by",
  epochs_done: "Epochs",
  seed: "Seed",
  command: "Made by",
  made: "How",
  weights_sha256: "Fingerprint",
};
const CODE = ["command", "weights_sha256"];
const MOST_LINES = 32; // of one field; what is longer nobody reads

/** The card as a list of what it says; what it does not say is left out. */
export function cardFields(card) {
  const names = [...Object.keys(CARD), ...Object.keys(card).filter((name) => !(name in CARD) && name !== "epochs")];
  const said = names.filter((name) => card[name] !== null && card[name] !== undefined && card[name] !== "");
  return h(
    "dl",
    { class: "fg-card" },
    ...said.flatMap((name) => [
      h("dt", {}, CARD[name] ?? words(name)),
      h("dd", {}, CODE.includes(name) ? h("code", {}, String(card[name])) : value(card[name])),
    ]),
  );
}

function words(name) {
  const spaced = name.replaceAll("_", " ");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

function value(one) {
  if (Array.isArray(one) && one.length === 3 && one.every((number) => typeof number === "number" && number >= 0 && number <= 1))
    return h("span", { class: "fg-num" }, `${share(one[0])} [${share(one[1])}, ${share(one[2])}]`);
  if (Array.isArray(one))
    return one.every((item) => typeof item !== "object")
      ? h("span", {}, one.slice(0, 12).join("; ") + (one.length > 12 ? "; …" : ""))
      : h("span", { class: "fg-quiet" }, counted(one.length, "entry", "entries"));
  if (one && typeof one === "object" && Object.keys(one).length > MOST_LINES)
    return h("span", { class: "fg-quiet" }, counted(Object.keys(one).length, "entry", "entries"));
  if (one && typeof one === "object")
    return h("dl", {}, ...Object.entries(one).flatMap(([name, inner]) => [h("dt", {}, words(name)), h("dd", {}, value(inner))]));
  if (typeof one === "number")
    return h("span", { class: "fg-num" }, Number.isInteger(one) ? one.toLocaleString("en") : String(Number(one.toPrecision(4))));
  if (typeof one === "boolean") return one ? "yes" : "no";
  return String(one ?? "–");
}

/** "12 of 20 → 17 of 20", with a bar each. */
export function changes(title, rows, nameOf, good) {
  if (!rows.length) return "";
  const row = (one) => {
    const better = good === "more" ? one.after > one.before : one.after < one.before;
    const same = one.after === one.before;
    return h(
      "li",
      { "data-change": same ? "same" : better ? "better" : "worse" },
      h("span", {}, nameOf(one)),
      h("span", { class: "fg-num" }, `${one.before} → `, h("b", {}, String(one.after)), h("span", { class: "fg-quiet" }, ` of ${one.n}`)),
      h("span", { class: "fg-change-sign" }, same ? "same" : better ? "better" : "worse"),
    );
  };
  const [first, rest] = [rows.slice(0, 10), rows.slice(10)];
  return h(
    "section",
    { class: "fg-changes" },
    h("h2", {}, title),
    h("ol", {}, ...first.map(row)),
    rest.length ? h("details", {}, h("summary", { class: "fg-small fg-quiet" }, `${rest.length} more`), h("ol", {}, ...rest.map(row))) : "",
  );
}
