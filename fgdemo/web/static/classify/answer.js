// The answer in words, the taxonomy path, and the candidates with their bars.

import { focusedIn, h, named } from "../shared/dom.js";
import { iso } from "../shared/names.js";
import { percent } from "../shared/words.js";

const LISTED = 5;

/** Sentence, Latin name, verdict on belonging here at all, and the path from group to leaf. */
export function showAnswer(root, result) {
  const { answer, unknown } = result;
  const sentence = root.querySelector("h1");
  sentence.replaceChildren(...unbroken(answer.sentence));
  sentence.classList.toggle("is-long", answer.sentence.length > 44);
  const latin = root.querySelector(".fg-latin");
  latin.textContent = answer.taxon ? (answer.latin ?? "") : "";
  latin.hidden = !latin.textContent;
  const verdict = root.querySelector(".fg-unknown");
  const isUnknown = unknown?.is_unknown === true; // where nothing measured that there is no verdict, which the caveat says
  verdict.textContent = isUnknown && unknown.sentence === answer.sentence ? "" : (unknown?.sentence ?? "");
  verdict.classList.toggle("is-unknown", isUnknown);
  const few = result.candidates.find((one) => one.taxon === answer.taxon)?.few;
  if (few) verdict.append(` Known from ${few === 1 ? "one picture" : `${few} pictures`} only, so how sure it is was not measured.`);
  verdict.hidden = !verdict.textContent;
  root.querySelector(".fg-crop-hint").hidden = result.box !== null || !["unknown", "unsure"].includes(answer.kind);
  const steps = result.path.map((step) =>
    h(
      "li",
      { class: step.taxon === answer.taxon ? "is-answer" : null, "aria-current": step.taxon === answer.taxon ? "true" : null },
      step.name,
      " ",
      h("span", { class: "fg-num" }, percent(step.prob)),
    ),
  );
  const path = root.querySelector(".fg-path");
  path.replaceChildren(h("ol", {}, ...steps));
  path.hidden = steps.length === 1 && result.path[0].taxon === answer.taxon; // the sentence has said it
}

/** The text, with "Red-winged" and "81 %" kept on one line each. */
function unbroken(text) {
  if (text.includes("\u2068")) return [text]; // or a name that is written from right to left would be cut
  return text.split(/(\S+-\S+|[<>]?\d+\s%)/).map((piece, at) => (at % 2 ? h("span", { class: "fg-unbroken" }, piece) : piece));
}

/** The candidates with their bars; `onPick("a" | "b", taxon)` when another A or B is chosen. */
export function showCandidates(root, result, { a, b }, onPick) {
  const likely = new Set(result.prediction_set.map((taxon) => taxon.taxon));
  const listed = result.candidates.filter((one, rank) => rank < LISTED || one.taxon === a || one.taxon === b);
  const focused = focusedIn(root)?.dataset.pick;
  root.replaceChildren(...listed.map((candidate) => row(candidate, likely.has(candidate.taxon), { a, b }, onPick)));
  if (focused) root.querySelector(`[data-pick="${CSS.escape(focused)}"]`)?.focus();
}

function row(candidate, isLikely, { a, b }, onPick) {
  const { taxon, name, prob } = candidate;
  const role = taxon === a ? "a" : taxon === b ? "b" : "";
  const pick = (side, title) =>
    h(
      "button",
      {
        type: "button",
        class: `fg-pick fg-pick-${side}`,
        "aria-pressed": String(role === side),
        "aria-label": `${title}: ${iso(name)}`,
        title,
        "data-pick": `${side}:${taxon}`,
        onclick: () => onPick(side, taxon),
      },
      side.toUpperCase(),
    );
  return h(
    "div",
    { class: `fg-candidate${isLikely ? " is-likely" : ""}`, "data-role": role, "data-taxon": taxon },
    pick("a", "Ask about this kind"),
    pick("b", "Compare with this kind"),
    h("span", { class: "fg-candidate-name", title: candidate.latin ? `${iso(name)}, ${iso(candidate.latin)}` : name }, ...named(candidate)),
    h("span", { class: "fg-bar", "aria-hidden": "true" }, h("span", { style: { width: `${Math.max(0.4, 100 * prob)}%` } })),
    h("span", { class: "fg-num" }, percent(prob)),
  );
}

/** What the marked candidates promise: the prediction set, in words. */
export function showPredictionSet(element, result) {
  element.textContent = predictionSetInWords(result);
  const times = Math.round(100 * result.coverage);
  element.title = result.coverage === null ? "" : `Of all pictures of kinds I know, ${times} in 100 have the right kind in this list.`;
}

/** One sentence, or none where the set is empty; where nothing was calibrated, what is to be known of the model. */
export function predictionSetInWords(result) {
  if (result.coverage === null) return result.caveat;
  const names = result.prediction_set.map((taxon) => taxon.name);
  const times = Math.round(100 * result.coverage);
  let text;
  const none = names.length === 1 && result.prediction_set[0].prob < 0.5; // kept in the set because one must be
  if (none) text = "No kind stands out";
  else if (names.length === 1) text = `Only ${iso(names[0])} is plausible`;
  else if (names.length === 2) text = `Either ${iso(names[0])} or ${iso(names[1])}`;
  else if (names.length <= 4) text = `One of ${names.slice(0, -1).map(iso).join(", ")} or ${iso(names.at(-1))}`;
  else text = `One of ${names.length} kinds, most likely ${iso(names[0])} or ${iso(names[1])}`;
  const whole = result.unknown?.is_unknown ? `If it is one I know: ${text[0].toLowerCase()}${text.slice(1)}` : text;
  const promise = none ? "" : ` (right ${times} times in 100)`;
  return names.length ? `${whole}${promise}.` : "";
}
