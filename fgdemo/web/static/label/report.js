// What a session has brought: while it lasts, and at its end.

import { h } from "../shared/dom.js";

/** @typedef {{right: number, n: number, low: number, high: number}} Share */
/** @typedef {{on: string, mean: number, low: number, high: number}} Accuracy */

/**
 * What the server says of a session.
 *
 * @typedef {object} Report
 * @property {number} id
 * @property {string} order what is asked first
 * @property {number | null} goal
 * @property {number} done
 * @property {number | null} left null while nobody knows
 * @property {number | null} per_minute
 * @property {Share | null} agreement
 * @property {Share | null} audit
 * @property {Accuracy | null} accuracy_before
 * @property {Accuracy | null} accuracy_now
 * @property {number} corrections
 * @property {string} sentence
 */

/**
 * How far the session is and what it has brought.
 *
 * @param {Element} root
 * @param {Report} report
 * @param {{done: number, offline: boolean, unsaved: object[]}} queue
 * @param {() => void} onStop
 */
export function drawStanding(root, report, queue, onStop) {
  const { done } = queue;
  const of = report.goal ? ` of ${report.goal}` : "";
  const saving = queue.offline
    ? h("b", { class: "fg-unsaved" }, `${queue.unsaved.length} not saved yet, trying again`)
    : h(
        "span",
        { class: "fg-quiet", "data-saving": String(queue.unsaved.length > 0) },
        queue.unsaved.length ? `saving ${queue.unsaved.length}…` : "all saved",
      );
  /** @param {string} number @param {string} words */
  const figure = (number, words) => h("span", { class: "fg-figure" }, h("b", { class: "fg-num" }, number), ` ${words}`);
  /** @param {Share} one */
  const share = (one) => `${Math.round((100 * one.right) / one.n)} %`;
  const facts = [figure(`${done}${of}`, "done"), figure(report.left?.toLocaleString("en") ?? "…", "left")];
  if (report.per_minute) facts.push(figure(report.per_minute.toFixed(0), "a minute"));
  if (report.agreement) facts.push(figure(share(report.agreement), "as given"));
  const words = [
    accuracySentence(report),
    report.audit
      ? `Random checks: ${report.audit.right} of ${report.audit.n} labels were right [${Math.round(100 * report.audit.low)}, ${Math.round(100 * report.audit.high)} %].`
      : "",
    report.sentence,
  ];
  root.replaceChildren(
    report.goal ? h("progress", { max: report.goal, value: Math.min(done, report.goal), "aria-label": "Goal" }) : "",
    h("p", { class: "fg-figures" }, ...facts, saving),
    ...words.filter(Boolean).map((text) => h("p", { class: "fg-quiet fg-small" }, text)),
    h("p", {}, h("button", { type: "button", class: "fg-link", onclick: onStop }, "End the session")),
  );
}

/** What the session came to; `onAgain` for another one. @param {Element} root @param {Report} report @param {() => void} onAgain */
export function drawFinished(root, report, onAgain) {
  root.replaceChildren(
    h("h1", {}, report.done === 1 ? "One picture done" : `${report.done} pictures done`),
    ...[accuracySentence(report), report.sentence].filter(Boolean).map((text) => h("p", {}, text)),
    h("p", { class: "fg-quiet" }, "Every answer is saved."),
    h(
      "p",
      { class: "fg-row-actions" },
      h("button", { type: "button", class: "fg-button fg-primary", onclick: onAgain }, "Another session"),
      h("a", { class: "fg-button", href: "#review" }, "Review"),
    ),
  );
}

/** "Held-out accuracy 75.1 → 75.9 % [73.4, 78.3] after 62 corrections". @param {Report} report */
export function accuracySentence(report) {
  const now = report.accuracy_now;
  if (!now) return "";
  /** @param {number} share */
  const one = (share) => (100 * share).toFixed(1);
  const before = report.accuracy_before && report.accuracy_before.on === now.on ? `${one(report.accuracy_before.mean)} → ` : "";
  const where = now.on === "val" ? "Accuracy on held-out (val) pictures" : "Accuracy on pictures left out in turn";
  if (!report.corrections) return `${where} ${one(now.mean)} % [${one(now.low)}, ${one(now.high)}].`;
  const after = report.corrections === 1 ? "1 correction" : `${report.corrections} corrections`;
  return `${where} ${before}${one(now.mean)} % [${one(now.low)}, ${one(now.high)}] after ${after}.`;
}
