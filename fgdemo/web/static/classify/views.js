// What each view shows, as numbers and as words; nothing is drawn here.

import { asDrawn, difference, partAt, placeInWords, strongest } from "../shared/maps.js";
import { iso } from "../shared/names.js";
import { signed } from "../shared/words.js";

export const VIEWS = ["picture", "class", "contrast", "parts", "methods"];
const FAINT = 0.02; // of the peak; less is called nothing

/** 0.71 → "trust 0.71", with a real minus sign. */
export function trustInWords(score) {
  return `trust ${score.toFixed(2).replace("-", "\u2212")}`;
}

/**
 * {values, grid, scale} of a signed map, or {parts}, or neither for the bare picture; always {words, note}: the map in words,
 * and what is written over the picture where there is nothing to draw. `fine` is the map on the finer grid, once it is here.
 */
export function describe(view, result, a, b, fine = null) {
  if (view === "class") return classMap(a, asDrawn(a.evidence, result.grid, fine), result);
  if (view === "contrast") return contrastMap(a, b, asDrawn(difference(a, b), result.grid, fine), result);
  if (view === "parts") return partMap(result.parts);
  return { words: "", note: "" };
}

function where(place, [rows, cols], { grid, parts }) {
  const row = Math.floor((Math.floor(place / cols) * grid[0]) / rows);
  const part = partAt(parts, row * grid[1] + Math.floor(((place % cols) * grid[1]) / cols));
  return `at the ${placeInWords(place, [rows, cols])}${part ? ` (${iso(part.name)})` : ""}`;
}

function classMap(a, { values, grid }, result) {
  const { place, value, peak } = strongest(values);
  const scale = { positive: "evidence", negative: "against", peak };
  if (value <= FAINT * peak) {
    const words = `No positive evidence for ${iso(a.name)} in this picture.`;
    return { values, grid, scale, words, note: words };
  }
  const words = `Speaks for ${iso(a.name)}; strongest ${signed(value)} ${where(place, grid, result)}.`;
  return { values, grid, scale, words, note: "" };
}

function contrastMap(a, b, { values, grid }, result) {
  const most = strongest(values);
  const least = strongest(values.map((value) => -value));
  const said = ({ place, value, peak }, taxon) =>
    value > FAINT * peak ? `for ${iso(taxon.name)} ${where(place, grid, result)}` : `nothing for ${iso(taxon.name)}`;
  const scale = { positive: "a", negative: "b", peak: most.peak };
  return { values, grid, scale, words: `Strongest ${said(most, a)}; ${said(least, b)}.`, note: "" };
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
