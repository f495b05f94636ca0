// What each view shows, as numbers and as words; nothing is drawn here.

import { difference, partAt, placeInWords, strongest } from "../shared/maps.js";
import { iso } from "../shared/names.js";
import { signed } from "../shared/words.js";

export const VIEWS = ["picture", "class", "contrast", "parts", "methods"];
const FAINT = 0.02; // of the peak; less is called nothing

/** 0.71 → "trust 0.71", with a real minus sign. */
export function trustInWords(score) {
  return `trust ${score.toFixed(2).replace("-", "\u2212")}`;
}

/**
 * {values, scale} of a signed map, or {parts}, or neither for the bare picture; always {words, note}: the map in words,
 * and what is written over the picture where there is nothing to draw.
 */
export function describe(view, result, a, b) {
  const { grid, parts } = result;
  if (view === "class") return classMap(a, grid, parts);
  if (view === "contrast") return contrastMap(a, b, grid, parts);
  if (view === "parts") return partMap(parts);
  return { words: "", note: "" };
}

function where(place, grid, parts) {
  const part = partAt(parts, place);
  return `at the ${placeInWords(place, grid)}${part ? ` (${iso(part.name)})` : ""}`;
}

function classMap(a, grid, parts) {
  const { place, value, peak } = strongest(a.evidence);
  const scale = { positive: "evidence", negative: "against", peak };
  if (value <= FAINT * peak) {
    const words = `No positive evidence for ${iso(a.name)} in this picture.`;
    return { values: a.evidence, scale, words, note: words };
  }
  const words = `Speaks for ${iso(a.name)}; strongest ${signed(value)} ${where(place, grid, parts)}.`;
  return { values: a.evidence, scale, words, note: "" };
}

function contrastMap(a, b, grid, parts) {
  const values = difference(a, b);
  const most = strongest(values);
  const least = strongest(values.map((value) => -value));
  const said = ({ place, value, peak }, taxon) =>
    value > FAINT * peak ? `for ${iso(taxon.name)} ${where(place, grid, parts)}` : `nothing for ${iso(taxon.name)}`;
  const scale = { positive: "a", negative: "b", peak: most.peak };
  return { values, scale, words: `Strongest ${said(most, a)}; ${said(least, b)}.`, note: "" };
}

function partMap(parts) {
  if (!parts.length) {
    const words = "This model knows no parts for this kind of thing.";
    return { words, note: words };
  }
  const named = parts.filter((part) => !/^part \d+$/.test(part.name)).map((part) => part.name);
  const words = named.length
    ? `${parts.length} parts: ${parts.map((part) => iso(part.name)).join(", ")}.`
    : `${parts.length} parts that the model found by itself; they have no names yet.`;
  return { parts, words, note: "" };
}
