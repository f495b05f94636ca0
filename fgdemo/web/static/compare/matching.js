// The same place of two pictures, in the numbers that the server sent (as fgdemo/values/classification/same_place.py has it).
// Places are fractions of what was read of a picture, from its upper left corner.

import { WHOLE } from "../shared/frame.js";

/** @typedef {import("../shared/frame.js").Box} Box */
/** @typedef {import("../shared/maps.js").Grid} Grid rows and columns */
/** @typedef {{x: number, y: number}} Spot */

const TOGETHER = 2.5; // tokens: matches of neighbouring places further apart are not interpolated
export const RING = 1.5; // radius of the ring, in tokens

/**
 * The match of a place: `found` holds x, y and sureness for each place of the grid, row by row. Null where there is none.
 *
 * @param {number[]} found
 * @param {Grid} grid
 * @param {Spot} spot
 */
export function matchOf(found, [rows, columns], { x, y }) {
  if (!found.length) return null;
  const [top, bottom, down] = between(y, rows);
  const [left, right, across] = between(x, columns);
  /** @type {[number, number, number][]} */
  const corners = [
    [top, left, (1 - down) * (1 - across)],
    [top, right, (1 - down) * across],
    [bottom, left, down * (1 - across)],
    [bottom, right, down * across],
  ];
  const near = corners.map(([row, column, weight]) => {
    const at = 3 * (row * columns + column);
    return { x: found[at], y: found[at + 1], sureness: found[at + 2], weight };
  });
  const best = near.reduce((one, other) => (other.weight > one.weight ? other : one));
  const together = near.filter((one) => Math.hypot((one.x - best.x) * columns, (one.y - best.y) * rows) <= TOGETHER);
  const sum = together.reduce((total, one) => total + one.weight, 0);
  /** @param {"x" | "y" | "sureness"} what */
  const mean = (what) => together.reduce((total, one) => total + (one.weight / sum) * one[what], 0);
  return { x: mean("x"), y: mean("y"), sureness: mean("sureness") };
}

/** @param {number} fraction @param {number} count @returns {[number, number, number]} two places, and how far from the first */
function between(fraction, count) {
  const at = Math.min(Math.max(fraction * count - 0.5, 0), count - 1);
  const first = Math.min(Math.floor(at), Math.max(count - 2, 0));
  return [first, Math.min(first + 1, count - 1), at - first];
}

/**
 * What the places say that lie within the ring: a part of the sum of the map.
 *
 * @param {number[]} values
 * @param {Grid} grid
 * @param {Spot} spot
 * @param {Spot} radius across and down, in fractions of what the map covers
 */
export function insideOf(values, [rows, columns], { x, y }, radius) {
  let sum = 0;
  values.forEach((value, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    const away = Math.hypot(((column + 0.5) / columns - x) / radius.x, ((row + 0.5) / rows - y) / radius.y);
    if (away <= 1 + 1e-9) sum += value;
  });
  return sum;
}

/**
 * Radius of the ring in fractions of `box`, of which there are so many tokens, or of the `area` that it lies in.
 *
 * @param {Grid} tokens
 * @param {Box} [box]
 * @param {Box} [area]
 * @returns {Spot}
 */
export function radiusOf([rows, columns], box = WHOLE, area = box) {
  return {
    x: ((RING / columns) * (box.right - box.left)) / (area.right - area.left),
    y: ((RING / rows) * (box.bottom - box.top)) / (area.bottom - area.top),
  };
}

/** @param {Spot} spot @param {Box} box that it is of @returns {Spot} the same of the picture */
export function ontoPicture({ x, y }, { left, top, right, bottom }) {
  return { x: left + x * (right - left), y: top + y * (bottom - top) };
}

/** @param {Spot} spot of the picture @param {Box} box @returns {Spot} the same of the box */
export function intoBox({ x, y }, { left, top, right, bottom }) {
  return { x: (x - left) / (right - left), y: (y - top) / (bottom - top) };
}

/** @param {Box} box @param {Spot} spot of the picture */
export function holds({ left, top, right, bottom }, { x, y }) {
  return x >= left && x <= right && y >= top && y <= bottom;
}

/**
 * The middle of a place of the grid.
 *
 * @param {number} place
 * @param {Grid} grid
 * @returns {Spot}
 */
export function middleOf(place, [rows, columns]) {
  return { x: ((place % columns) + 0.5) / columns, y: (Math.floor(place / columns) + 0.5) / rows };
}

/** @param {Grid} grid @param {Spot} spot the number of the place of the grid that it lies in */
export function placeOf([rows, columns], { x, y }) {
  return Math.min(Math.floor(y * rows), rows - 1) * columns + Math.min(Math.floor(x * columns), columns - 1);
}

/** @param {Spot} spot @returns {Spot} within the picture */
export function within({ x, y }) {
  return { x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)) };
}
