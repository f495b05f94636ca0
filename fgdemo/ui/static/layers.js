// Turns grids of numbers into small transparent pictures that the viewer lays over the photograph.

import { alphaOf, rgb, table, upsample } from "./maps.js";

const SOFT_SIDE = 288; // pixels on the longer side of a smooth map; the browser smooths the rest of the way
const LINE_SIDE = 512; // the same where there are lines to draw
const LINE_PX = 1.6;

function canvasFor([rows, cols], aspect, side) {
  const canvas = document.createElement("canvas");
  canvas.width = aspect >= 1 ? side : Math.max(cols, Math.round(side * aspect));
  canvas.height = aspect >= 1 ? Math.max(rows, Math.round(side / aspect)) : side;
  return canvas;
}

function paint(canvas, colourAt) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  for (let point = 0; point < canvas.width * canvas.height; point++) colourAt(point, image.data, 4 * point);
  context.putImageData(image, 0, 0);
  return canvas;
}

/** How much of a line just inside `depth` = 0 covers each point, from 0 to 1; `depth` is positive inside. */
function lineCover(depth, width, point) {
  const right = depth[point + 1] ?? depth[point];
  const below = depth[point + width] ?? depth[point];
  const slope = Math.hypot(right - depth[point], below - depth[point]) || 1e-9;
  return Math.min(1, Math.max(0, LINE_PX + 0.5 - depth[point] / slope));
}

/** A map with a sign: `positive` and `negative` name colour scales; `peak` is the value of full strength. */
export function signedLayer(values, grid, aspect, { positive, negative, peak }) {
  const canvas = canvasFor(grid, aspect, SOFT_SIDE);
  const fine = upsample(values, grid, canvas.width, canvas.height);
  const [above, below] = [table(positive), table(negative)];
  return paint(canvas, (point, pixels, at) => {
    const strength = peak > 0 ? Math.min(1, Math.abs(fine[point]) / peak) : 0;
    const colour = (fine[point] < 0 ? below : above)[Math.round(255 * strength)];
    pixels[at] = colour[0];
    pixels[at + 1] = colour[1];
    pixels[at + 2] = colour[2];
    pixels[at + 3] = 255 * alphaOf(strength);
  });
}

/** Every part where it holds more of a place than any other part or the background: tinted, with a line around it. */
export function partsLayer(parts, grid, aspect) {
  const canvas = canvasFor(grid, aspect, LINE_SIDE);
  const { width, height } = canvas;
  const fine = parts.map((part) => upsample(part.share, grid, width, height));
  const depth = new Float32Array(width * height);
  const owner = new Int8Array(width * height).fill(-1);
  for (let point = 0; point < depth.length; point++) {
    let [first, second, left] = [0, 0, 1];
    for (let k = 0; k < fine.length; k++) {
      const share = fine[k][point];
      left -= share;
      if (share > first) [second, first, owner[point]] = [first, share, k];
      else if (share > second) second = share;
    }
    if (left > first) owner[point] = -1;
    depth[point] = first - Math.max(second, left);
  }
  const colours = parts.map((part) => rgb(part.colour));
  return paint(canvas, (point, pixels, at) => {
    if (owner[point] < 0) return;
    for (let axis = 0; axis < 3; axis++) pixels[at + axis] = colours[owner[point]][axis];
    pixels[at + 3] = 255 * Math.max(0.34, lineCover(depth, width, point));
  });
}

/** One part: everything else is darkened, and a line in the part's colour runs around it at half its height. */
export function spotlightLayer(part, grid, aspect) {
  const canvas = canvasFor(grid, aspect, LINE_SIDE);
  const level = 0.5 * Math.min(1, Math.max(0.02, ...part.share));
  const depth = upsample(part.share, grid, canvas.width, canvas.height).map((share) => share - level);
  const colour = rgb(part.colour);
  return paint(canvas, (point, pixels, at) => {
    const line = depth[point] >= 0 ? lineCover(depth, canvas.width, point) : 0;
    for (let axis = 0; axis < 3; axis++) pixels[at + axis] = line * colour[axis];
    pixels[at + 3] = depth[point] < 0 ? 150 : 255 * line;
  });
}

/** Where to write each part's name: the place of the grid that is most its own, as fractions; absent parts are left out. */
export function partLabels(parts, [rows, cols]) {
  return parts.flatMap((part) => {
    const place = part.share.indexOf(Math.max(...part.share));
    if (part.share[place] < 0.34) return [];
    return [{ text: part.name, colour: part.colour, x: ((place % cols) + 0.5) / cols, y: (Math.floor(place / cols) + 0.5) / rows }];
  });
}
