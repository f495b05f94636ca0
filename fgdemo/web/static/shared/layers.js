// Turns grids of numbers into small transparent pictures that the viewer lays over the photograph.

import { alphaOf, rgb, table, upsample } from "./maps.js";

/** @typedef {import("./maps.js").Grid} Grid */
/** @typedef {import("./maps.js").Part} Part */

const LINE_SIDE = 512; // pixels on the longer side of a layer; the browser smooths the rest of the way
const LINE_PX = 1.6;
const CONTOUR_PX = 1.2;
const RIM_PX = 1.4; // of dark beside an outline, so that it is seen on white, too
const RIM = [16, 20, 24];
const COARSE = 28; // rows of a grid that is smooth as it is
const WHITE = [255, 255, 255];
const SEEN = 0.34; // share of a place from which on a part is said to be there
const FAINTEST = 1e-3; // shares come with three digits

/**
 * @param {Grid} grid
 * @param {number} aspect
 * @param {number} side
 */
function canvasFor([rows, cols], aspect, side) {
  const canvas = document.createElement("canvas");
  canvas.width = aspect >= 1 ? side : Math.max(cols, Math.round(side * aspect));
  canvas.height = aspect >= 1 ? Math.max(rows, Math.round(side / aspect)) : side;
  return canvas;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {(point: number, pixels: Uint8ClampedArray, at: number) => void} colourAt
 */
function paint(canvas, colourAt) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(canvas.width, canvas.height);
  const pixels = image.data;
  for (let point = 0, at = 0; at < pixels.length; point++, at += 4) colourAt(point, pixels, at);
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * How much of a line just inside `depth` = 0 covers each point, from 0 to 1; `depth` is positive inside.
 *
 * @param {Float32Array} depth
 * @param {number} width
 * @param {number} point
 * @param {number} [thickness]
 */
function lineCover(depth, width, point, thickness = LINE_PX) {
  const here = depth[point];
  const across = (point + 1 < depth.length ? depth[point + 1] : here) - here;
  const down = (point + width < depth.length ? depth[point + width] : here) - here;
  const distance = here / (Math.sqrt(across * across + down * down) + 1e-9);
  return distance >= thickness + 0.5 ? 0 : Math.min(1, thickness + 0.5 - distance);
}

/**
 * A map with a sign: `positive` and `negative` name colour scales; `peak` is the value of full strength.
 * A line runs where the map has half of that.
 *
 * @param {number[]} values
 * @param {Grid} grid
 * @param {number} aspect
 * @param {{positive: string, negative: string, peak: number}} scale
 */
export function signedLayer(values, grid, aspect, { positive, negative, peak }) {
  const canvas = canvasFor(grid, aspect, LINE_SIDE);
  const fine = upsample(values, grid, canvas.width, canvas.height);
  const depth = fine.map((value) => Math.abs(value) - peak / 2);
  const [above, below] = [table(positive), table(negative)];
  return paint(canvas, (point, pixels, at) => {
    const strength = peak > 0 ? Math.min(1, Math.abs(fine[point]) / peak) : 0;
    const colour = (fine[point] < 0 ? below : above)[Math.round(255 * strength)];
    pixels[at] = colour[0];
    pixels[at + 1] = colour[1];
    pixels[at + 2] = colour[2];
    const line = depth[point] >= 0 ? lineCover(depth, canvas.width, point, CONTOUR_PX) : 0;
    pixels[at + 3] = 255 * Math.max(alphaOf(strength), line);
  });
}

/**
 * Only the line of `signedLayer`, where the map has half of its strongest: white, or in the colours of A and B.
 *
 * @param {number[]} values
 * @param {Grid} grid
 * @param {number} aspect
 * @param {{positive: string, negative: string, peak: number}} scale
 */
export function outlineLayer(values, grid, aspect, { positive, negative, peak }) {
  const canvas = canvasFor(grid, aspect, LINE_SIDE);
  const calm = grid[0] > COARSE ? smoothed(smoothed(values, grid), grid) : values;
  const fine = upsample(calm, grid, canvas.width, canvas.height);
  const depth = fine.map((value) => Math.abs(value) - peak / 2);
  const [above, below] = [positive, negative].map((name) => (name.length === 1 ? table(name)[128] : WHITE));
  return paint(canvas, (point, pixels, at) => {
    if (peak <= 0 || depth[point] < 0) return;
    const line = lineCover(depth, canvas.width, point);
    const rim = lineCover(depth, canvas.width, point, LINE_PX + RIM_PX);
    const colour = fine[point] < 0 ? below : above;
    for (let channel = 0; channel < 3; channel++) pixels[at + channel] = line * colour[channel] + (1 - line) * RIM[channel];
    pixels[at + 3] = 255 * Math.max(line, 0.6 * rim);
  });
}

/**
 * Each value with its neighbours, so that a line round a map on a fine grid is a stroke and not a string of beads.
 *
 * @param {number[]} values
 * @param {Grid} grid
 */
function smoothed(values, [rows, cols]) {
  /** @param {number} at @param {number} count */
  const near = (at, count) => [Math.max(0, at - 1), at, at, Math.min(count - 1, at + 1)];
  return values.map((_, place) => {
    const down = near(Math.floor(place / cols), rows);
    const across = near(place % cols, cols);
    return down.reduce((sum, row) => sum + across.reduce((part, col) => part + values[row * cols + col], 0), 0) / 16;
  });
}

/**
 * Every part where it holds more of a place than any other part or the background: tinted, with a line around it.
 * Between places the logarithms of the shares are smoothed, which is what parts that were taught are linear in.
 *
 * @param {Part[]} parts
 * @param {Grid} grid
 * @param {number} aspect
 */
export function partsLayer(parts, grid, aspect) {
  const canvas = canvasFor(grid, aspect, LINE_SIDE);
  const { width, height } = canvas;
  const background = Array.from({ length: grid[0] * grid[1] }, (_, place) => parts.reduce((left, part) => left - part.share[place], 1));
  const fine = [...parts.map((part) => part.share), background].map((shares) =>
    upsample(
      shares.map((share) => Math.log(Math.max(share, FAINTEST))),
      grid,
      width,
      height,
    ).map(Math.exp),
  );
  const depth = new Float32Array(width * height);
  const owner = new Int8Array(width * height).fill(-1);
  for (let point = 0; point < depth.length; point++) {
    let first = 0;
    let second = 0;
    let all = 0;
    for (let k = 0; k < fine.length; k++) {
      const share = fine[k][point];
      all += share;
      if (share > first) {
        second = first;
        first = share;
        owner[point] = k < parts.length ? k : -1;
      } else if (share > second) second = share;
    }
    depth[point] = (owner[point] < 0 ? second - first : first - second) / all;
  }
  const colours = parts.map((part) => rgb(part.colour));
  return paint(canvas, (point, pixels, at) => {
    if (owner[point] < 0) return;
    const colour = colours[owner[point]];
    pixels[at] = colour[0];
    pixels[at + 1] = colour[1];
    pixels[at + 2] = colour[2];
    pixels[at + 3] = 255 * Math.max(0.34, lineCover(depth, width, point));
  });
}

/**
 * One part: everything else is darkened, and a line in the part's colour runs around it at half its height.
 *
 * @param {Part} part
 * @param {Grid} grid
 * @param {number} aspect
 */
export function spotlightLayer(part, grid, aspect) {
  const canvas = canvasFor(grid, aspect, LINE_SIDE);
  const level = 0.5 * Math.min(1, Math.max(0.02, ...part.share));
  const depth = upsample(part.share, grid, canvas.width, canvas.height).map((share) => share - level);
  const colour = rgb(part.colour);
  return paint(canvas, (point, pixels, at) => {
    const line = depth[point] >= 0 ? lineCover(depth, canvas.width, point) : 0;
    if (line > 0) [pixels[at], pixels[at + 1], pixels[at + 2]] = colour;
    pixels[at + 3] = depth[point] < 0 ? 150 : 255 * line;
  });
}

/**
 * Where to write each part's name: the places of its largest piece, as fractions, those first that are most its own. A place is
 * that of the part that has most of it; parts that are not seen are left out.
 *
 * @param {Part[]} parts
 * @param {Grid} grid
 */
export function partLabels(parts, [rows, cols]) {
  const left = parts.reduce((rest, { share }) => rest.map((value, place) => value - share[place]), Array(rows * cols).fill(1));
  const most = left.map((background, place) => Math.max(background, ...parts.map(({ share }) => share[place])));
  return parts.flatMap(({ name, colour, share }) => {
    const own = share.flatMap((value, place) => (value >= SEEN && value === most[place] ? [place] : []));
    const [piece] = pieces(own, cols)
      .map((one) => ({ one, size: one.reduce((sum, place) => sum + share[place], 0) }))
      .sort((a, b) => b.size - a.size);
    if (!piece) return [];
    const sorted = piece.one.sort((a, b) => share[b] - share[a]);
    /** @param {number} place @returns {[number, number]} */
    const middle = (place) => [((place % cols) + 0.5) / cols, (Math.floor(place / cols) + 0.5) / rows];
    return [{ text: name ?? "", colour, places: sorted.map(middle) }];
  });
}

/**
 * Places that touch, together.
 *
 * @param {number[]} places
 * @param {number} cols
 */
function pieces(places, cols) {
  const left = new Set(places);
  /** @type {number[][]} */
  const found = [];
  for (const first of places) {
    if (!left.delete(first)) continue;
    const piece = [first];
    for (const place of piece) {
      for (const near of [place - cols, place + cols, ...(place % cols ? [place - 1] : []), ...((place + 1) % cols ? [place + 1] : [])])
        if (left.delete(near)) piece.push(near);
    }
    found.push(piece);
  }
  return found;
}
