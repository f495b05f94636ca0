// The arithmetic behind every map and bar: exact sums of the numbers the server sent, and their colours.
// Grids are arrays of rows × cols numbers, row by row. Evidence is in log-odds (nats).

/** @typedef {[number, number]} Grid rows and columns */
/** @typedef {[number, number, number]} Colour red, green, blue */
/** @typedef {{evidence: number[], bias: number, [more: string]: any}} Candidate `evidence` of each place */
/** @typedef {{name?: string, colour: string, share: number[], [more: string]: any}} Part `share` at each place */

/**
 * Evidence for A less evidence for B at every place; with the biases it sums to ln(p_A / p_B).
 *
 * @param {Candidate} a
 * @param {Candidate} b
 */
export function difference(a, b) {
  return a.evidence.map((value, place) => value - b.evidence[place]);
}

/**
 * How much each part says for A and against B. The rows sum, exactly, to the difference of the two logits.
 * Returns {rows: [{part | null, kind, value}], total}; kind is "part", "background" or "base".
 *
 * @param {Part[]} parts
 * @param {Candidate} a
 * @param {Candidate} b
 */
export function partSums(parts, a, b) {
  const contrast = difference(a, b);
  /** @type {{kind: string, part: any, value: number}[]} */
  const rows = parts.map((part) => ({
    kind: "part",
    part,
    value: contrast.reduce((sum, value, place) => sum + part.share[place] * value, 0),
  }));
  const everywhere = contrast.reduce((sum, value) => sum + value, 0);
  const inParts = rows.reduce((sum, row) => sum + row.value, 0);
  rows.push({ kind: "background", part: null, value: everywhere - inParts });
  rows.push({ kind: "base", part: null, value: a.bias - b.bias });
  return { rows, total: everywhere + a.bias - b.bias };
}

/**
 * Where a map is strongest: {place, value, peak} with peak = the largest absolute value.
 *
 * @param {number[]} values
 */
export function strongest(values) {
  let place = 0;
  let peak = 0;
  values.forEach((value, at) => {
    if (value > values[place]) place = at;
    peak = Math.max(peak, Math.abs(value));
  });
  return { place, value: values[place], peak };
}

/**
 * A map as it is drawn: on the finer grid that the server sent, in log-odds a place of the evidence's own grid; or as it is.
 *
 * @param {number[]} values
 * @param {Grid} grid
 * @param {{values: number[], grid: Grid} | null} [fine]
 */
export function asDrawn(values, grid, fine = null) {
  if (!fine) return { values, grid };
  const cells = fine.values.length / values.length;
  return { values: fine.values.map((value) => value * cells), grid: fine.grid };
}

/**
 * "upper left", "centre", … of a place in the grid.
 *
 * @param {number} place
 * @param {Grid} grid
 */
export function placeInWords(place, [rows, cols]) {
  /** @param {number} at @param {number} count */
  const third = (at, count) => Math.min(2, Math.floor((3 * (at + 0.5)) / count));
  const row = third(Math.floor(place / cols), rows);
  const col = third(place % cols, cols);
  if (row === 1 && col === 1) return "centre";
  if (row === 1) return col === 0 ? "left" : "right";
  if (col === 1) return row === 0 ? "top" : "bottom";
  return `${row === 0 ? "upper" : "lower"} ${col === 0 ? "left" : "right"}`;
}

/**
 * The part that holds most of a place, or null where that is background.
 *
 * @param {Part[]} parts
 * @param {number} place
 */
export function partAt(parts, place) {
  /** @type {any} */
  let best = null;
  let most = 1 - parts.reduce((sum, part) => sum + part.share[place], 0);
  for (const part of parts) {
    if (part.share[place] > most) [best, most] = [part, part.share[place]];
  }
  return best;
}

/**
 * Values at width × height points by Catmull–Rom interpolation through the centres of the cells
 * (smooth, and exact at the centres, so a peak keeps its height).
 *
 * @param {ArrayLike<number>} values
 * @param {Grid} grid
 * @param {number} width
 * @param {number} height
 */
export function upsample(values, [rows, cols], width, height) {
  const across = new Float32Array(rows * width);
  const weightsX = taps(cols, width);
  for (let row = 0; row < rows; row++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (const [index, weight] of weightsX[x]) sum += weight * values[row * cols + index];
      across[row * width + x] = sum;
    }
  }
  const out = new Float32Array(width * height);
  const weightsY = taps(rows, height);
  for (let y = 0; y < height; y++) {
    for (const [index, weight] of weightsY[y]) {
      for (let x = 0, at = y * width, from = index * width; x < width; x++) out[at++] += weight * across[from++];
    }
  }
  return out;
}

/** @param {number} cells @param {number} points */
function taps(cells, points) {
  return Array.from({ length: points }, (_, point) => {
    const at = ((point + 0.5) * cells) / points - 0.5;
    const base = Math.floor(at);
    const t = at - base;
    const weights = [
      (-t + 2 * t * t - t * t * t) / 2,
      (2 - 5 * t * t + 3 * t * t * t) / 2,
      (t + 4 * t * t - 3 * t * t * t) / 2,
      (-t * t + t * t * t) / 2,
    ];
    return weights.map((weight, tap) => [Math.min(cells - 1, Math.max(0, base + tap - 1)), weight]);
  });
}

// --- colours -------------------------------------------------------------------------------------------

/**
 * Colour stops from weak to strong; they are mixed in OKLab so that equal steps look equal.
 *
 * @type {Record<string, string[]>}
 */
export const SCALES = {
  evidence: ["#5c2a9d", "#b5309b", "#f4567f", "#ff8f5e", "#ffdf5a"],
  against: ["#1d4a54", "#2c7d86", "#57b5b4", "#b9ece2"],
  a: ["#7fb2fb", "#559bff", "#2f80f5", "#1c6ce8"],
  b: ["#ffb56e", "#ff9a42", "#f98220", "#ea6a00"],
};

/** @type {Map<string, number[][]>} */
const tables = new Map();

/**
 * 256 × [r, g, b] of a named scale.
 *
 * @param {string} name
 */
export function table(name) {
  if (!tables.has(name)) {
    const stops = SCALES[name].map((hex) => oklab(rgb(hex)));
    tables.set(
      name,
      Array.from({ length: 256 }, (_, step) => {
        const at = (step / 255) * (stops.length - 1);
        const low = Math.min(stops.length - 2, Math.floor(at));
        return unlab(stops[low].map((value, axis) => value + (at - low) * (stops[low + 1][axis] - value)));
      }),
    );
  }
  return /** @type {number[][]} */ (tables.get(name));
}

/**
 * A CSS gradient from strong negative over clear zero to strong positive, as the map draws it.
 *
 * @param {string} negative
 * @param {string} positive
 */
export function gradient(negative, positive) {
  const stops = [];
  for (let step = -10; step <= 10; step++) {
    const strength = Math.abs(step) / 10;
    const [r, g, b] = table(step < 0 ? negative : positive)[Math.round(255 * strength)];
    stops.push(`rgb(${r} ${g} ${b} / ${alphaOf(strength).toFixed(3)})`);
  }
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

/**
 * Opacity of a value of this strength in [0, 1]: weak places stay clear, or they would veil the whole picture; and
 * even the strongest lets the photograph through, because the mark that decided is under it.
 *
 * @param {number} strength
 */
export function alphaOf(strength) {
  return 0.78 * strength * strength * (3 - 2 * strength);
}

/** @param {string} hex @returns {[number, number, number]} */
export function rgb(hex) {
  return /** @type {[number, number, number]} */ ([1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
}

/** @param {Colour} colour */
function oklab([r, g, b]) {
  const [x, y, z] = [r, g, b].map((v) => (v <= 10.31475 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  const l = Math.cbrt(0.4122214708 * x + 0.5363325363 * y + 0.0514459929 * z);
  const m = Math.cbrt(0.2119034982 * x + 0.6806995451 * y + 0.1073969566 * z);
  const s = Math.cbrt(0.0883024619 * x + 0.2817188376 * y + 0.6299787005 * z);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/** @param {number[]} colour */
function unlab([L, A, B]) {
  const l = (L + 0.3963377774 * A + 0.2158037573 * B) ** 3;
  const m = (L - 0.1055613458 * A - 0.0638541728 * B) ** 3;
  const s = (L - 0.0894841775 * A - 1.291485548 * B) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((v) => {
    const clipped = Math.min(1, Math.max(0, v));
    return Math.round(255 * (clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055));
  });
}
