// A closer look in words: what was seen at first sight, and that there is another thing in the picture.

import { iso } from "../shared/names.js";
import { percent } from "../shared/words.js";

/**
 * "At first sight 71 %." beside the answer; of another answer its name too.
 *
 * @param {any} result of Classify, whose `closer` was taken
 */
export function firstSight({ answer, closer }) {
  const { first, first_prob } = closer;
  if (first.kind === "unknown") return answer.kind === "unknown" ? "As at first sight." : "At first sight none of the kinds I know.";
  if (answer.kind === "unknown") return `At first sight ${iso(first.name)}, ${percent(first.prob)}.`;
  const isSame = answer.taxon ? first.taxon === answer.taxon : first.name === answer.name;
  return isSame || answer.taxon === null
    ? `At first sight ${percent(first_prob)}.`
    : `At first sight ${iso(first.name)}, ${percent(first.prob)}.`;
}

/** @param {number} others that are in the picture besides the thing in the frame */
export function others(others) {
  if (!others) return "";
  return others === 1 ? "There is another one in the picture." : `There are ${others} others in the picture.`;
}

/**
 * Why there is no frame to look into.
 *
 * @param {any} result
 */
export function whyNot(result) {
  if (result.box) return "This is a part of the picture already.";
  if (result.coverage === null) return "A model that came as it is takes no closer look. Draw a box around the thing instead (C).";
  return "Nothing stands out in this picture to look at closer. Draw a box around the thing instead (C).";
}

const IN_THE_FRAME = ["neighbours", "trust", "methods", "measure_methods"];

/**
 * Of a result that is of both views the frame, where more is seen; else what was asked about.
 *
 * @param {any} result
 */
export function lookedAt(result) {
  return result.closer?.is_taken ? result.closer.box : result.box;
}

/**
 * What a question beside the answer is about: the map both views, some the frame alone, the others what was asked about.
 *
 * @param {string} name of the question
 * @param {any} result
 */
export function about(name, result) {
  if (name === "spread" || name === "cards") return { box: result.box, closer: result.closer?.is_taken ? "always" : "never" };
  return { box: IN_THE_FRAME.includes(name) ? lookedAt(result) : result.box };
}
