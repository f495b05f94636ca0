// What draws an answer of Classify: its scripts come in one go, while the first picture is read.

export { drawCards } from "../cards/cards.js";
export { CloserLook } from "../closer/closer.js";
export { about, lookedAt } from "../closer/words.js";
export { comparing } from "../compare/opening.js";
export { EvidenceMap } from "../maps/evidence_map.js";
export { showAnswer, showCandidates, showPredictionSet } from "./answer.js";
export { showNeighbours, showReasons } from "./reasons.js";
