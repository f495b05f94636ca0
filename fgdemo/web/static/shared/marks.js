// What the viewer draws over a picture besides maps: the name of a part, and the crop box.

import { shown } from "./names.js";

/** @typedef {[number, number, number, number]} Rectangle left, top, width, height */

/** @typedef {[number, number]} Point */
/** @typedef {{text: string, colour: string, places: Point[]}} Label `places` in fractions of the layer, the best first */
/** @typedef {{width: number, places: Point[]}} Chip its width with the name, and where its part is, the best first */
/** @typedef {{left: number, top: number, width: number, anchor: Point, isLed: boolean, isShort: boolean}} Placed */

const CHIP_PX = 24; // its height, and its width where there is no room for the name
const GAP_PX = 3;
const TURNS = 16;
const RING_PX = 8;
const FURTHEST_PX = 160;

/**
 * Where the chips of parts stand: none over another, all within the room, each on its part. Where that is taken it stands
 * beside it, and a line leads to the part (`isLed`). Where there is no room for all names, all are short. Null: out of sight.
 *
 * @param {Chip[]} chips places in pixels
 * @param {[number, number]} room width and height
 * @param {Rectangle[]} [taken] what lies over the picture already
 * @returns {(Placed | null)[]}
 */
export function placeChips(chips, room, taken = []) {
  const seen = chips.map(({ width, places }) => ({
    width,
    places: places.filter(([x, y]) => x >= 0 && y >= 0 && x <= room[0] && y <= room[1]),
  }));
  const named = placed(seen, room, taken, false);
  const hasAll = named.every((one, at) => one || !seen[at].places.length);
  return hasAll ? named : placed(seen, room, taken, true);
}

/**
 * @param {Chip[]} chips
 * @param {[number, number]} room
 * @param {Rectangle[]} over
 * @param {boolean} isShort
 */
function placed(chips, room, over, isShort) {
  const taken = [...over];
  const middle = meanOf(chips.flatMap(({ places }) => places.slice(0, 1)));
  /** @param {Rectangle} chip */
  const isFree = (chip) => !taken.some((one) => overlap(one, chip));
  /** @type {(Placed | null)[]} */
  const found = chips.map(() => null);
  const order = chips.map((_, at) => at).sort((a, b) => chips[a].places.length - chips[b].places.length); // small parts have little choice
  for (const at of order) {
    const { places } = chips[at];
    const width = isShort ? CHIP_PX : chips[at].width;
    if (!places.length || width + 2 * GAP_PX > room[0] || CHIP_PX + 2 * GAP_PX > room[1]) continue;
    for (const [anchor, middleOfChip] of [...places.map((one) => [one, one]), ...around(places[0], middle, width)]) {
      const chip = within(middleOfChip, width, room);
      const isLed = !holds(chip, anchor);
      if (!isFree(chip) || (isLed && anchor === middleOfChip)) continue;
      taken.push(chip);
      found[at] = { left: chip[0], top: chip[1], width, anchor, isLed, isShort };
      break;
    }
  }
  return found;
}

/**
 * Middles of a chip beside its part, nearer ones first, and first away from the other parts: [the part, the middle].
 *
 * @param {Point} anchor
 * @param {Point} others
 * @param {number} width
 * @returns {[Point, Point][]}
 */
function around(anchor, others, width) {
  const outward = Math.atan2(anchor[1] - others[1], anchor[0] - others[0]);
  /** @type {[Point, Point][]} */
  const found = [];
  for (let away = CHIP_PX; away <= FURTHEST_PX; away += RING_PX) {
    for (let turn = 0; turn < TURNS; turn++) {
      const angle = outward + (turn % 2 ? 1 : -1) * Math.ceil(turn / 2) * ((2 * Math.PI) / TURNS);
      found.push([anchor, [anchor[0] + (away + width / 2) * Math.cos(angle), anchor[1] + away * Math.sin(angle)]]);
    }
  }
  return found;
}

/** A chip with this middle, moved into the room. @param {Point} middle @param {number} width @param {[number, number]} room @returns {Rectangle} */
function within([x, y], width, [roomWidth, roomHeight]) {
  return [
    Math.min(Math.max(x - width / 2, GAP_PX), roomWidth - width - GAP_PX),
    Math.min(Math.max(y - CHIP_PX / 2, GAP_PX), roomHeight - CHIP_PX - GAP_PX),
    width,
    CHIP_PX,
  ];
}

/** @param {Rectangle} one @param {Rectangle} other */
function overlap([left, top, width, height], [otherLeft, otherTop, otherWidth, otherHeight]) {
  return (
    left < otherLeft + otherWidth + GAP_PX &&
    otherLeft < left + width + GAP_PX &&
    top < otherTop + otherHeight + GAP_PX &&
    otherTop < top + height + GAP_PX
  );
}

/** @param {Rectangle} rectangle @param {Point} point */
function holds([left, top, width, height], [x, y]) {
  return x >= left && x <= left + width && y >= top && y <= top + height;
}

/** @param {Point[]} points @returns {Point} */
function meanOf(points) {
  const sum = points.reduce(([x, y], [px, py]) => [x + px, y + py], [0, 0]);
  return [sum[0] / (points.length || 1), sum[1] / (points.length || 1)];
}

/**
 * The names of parts over the layer that lies in `rectangle`.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Label[]} labels
 * @param {Rectangle} rectangle
 * @param {[number, number]} room width and height of the stage
 * @param {string} fontFamily
 */
export function drawLabels(context, labels, [left, top, width, height], room, fontFamily) {
  context.font = `500 13px ${fontFamily}`;
  context.textBaseline = "middle";
  const names = labels.map(({ text }) => shown(text));
  const chips = labels.map(({ places }, at) => ({
    width: context.measureText(names[at]).width + 30,
    places: places.map(([x, y]) => /** @type {Point} */ ([left + x * width, top + y * height])),
  }));
  const places = placeChips(chips, room, liesOver(context.canvas));
  for (const [at, one] of places.entries()) if (one?.isLed) drawLead(context, one, labels[at].colour);
  for (const [at, one] of places.entries()) if (one) drawChip(context, one, labels[at].colour, names[at]);
}

/** Buttons and notes over the picture, from its upper left. @param {HTMLCanvasElement} canvas @returns {Rectangle[]} */
function liesOver(canvas) {
  const { left, top } = canvas.getBoundingClientRect();
  return [...document.querySelectorAll("[data-over] > *, .fg-stage-note:not([hidden])")].map((one) => {
    const box = one.getBoundingClientRect();
    return [box.left - left, box.top - top, box.width, box.height];
  });
}

/** @param {CanvasRenderingContext2D} context @param {Placed} placed @param {string} colour */
function drawLead(context, { left, top, width, anchor: [x, y] }, colour) {
  context.beginPath();
  context.moveTo(Math.min(Math.max(x, left), left + width), Math.min(Math.max(y, top), top + CHIP_PX));
  context.lineTo(x, y);
  for (const [style, thickness] of /** @type {[string, number][]} */ ([
    ["rgb(8 12 12 / 0.72)", 4],
    [colour, 1.5],
  ])) {
    context.strokeStyle = style;
    context.lineWidth = thickness;
    context.stroke();
  }
  dot(context, x, y, colour);
}

/** @param {CanvasRenderingContext2D} context @param {Placed} placed @param {string} colour @param {string} name */
function drawChip(context, { left, top, width, isShort }, colour, name) {
  context.fillStyle = "rgb(8 12 12 / 0.72)";
  context.beginPath();
  context.roundRect(left, top, width, CHIP_PX, 4);
  context.fill();
  dot(context, left + 12, top + 12, colour);
  if (isShort) return;
  context.fillStyle = "#fff";
  context.fillText(name, left + 21, top + 12.5);
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {string} colour */
function dot(context, x, y, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, 4, 0, 2 * Math.PI);
  context.fill();
}

/**
 * The picture in `frame` is darkened outside the rectangle; with `handles` its corners can be taken.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Rectangle} rectangle
 * @param {{x: number, y: number, width: number, height: number}} frame
 * @param {boolean} handles
 */
export function drawBox(context, [x, y, width, height], frame, handles) {
  context.save();
  context.beginPath();
  context.rect(frame.x, frame.y, frame.width, frame.height);
  context.rect(x, y, width, height);
  context.fillStyle = handles ? "rgb(8 12 12 / 0.5)" : "rgb(8 12 12 / 0.62)";
  context.fill("evenodd");
  context.strokeStyle = "#fff";
  context.lineWidth = 1;
  context.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
  if (handles) drawCorners(context, x, y, width, height);
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 */
function drawCorners(context, x, y, width, height) {
  const arm = Math.min(18, width / 3, height / 3);
  context.lineWidth = 3;
  for (const [cx, dx] of [
    [x, arm],
    [x + width, -arm],
  ]) {
    for (const [cy, dy] of [
      [y, arm],
      [y + height, -arm],
    ]) {
      context.beginPath();
      context.moveTo(cx + dx, cy);
      context.lineTo(cx, cy);
      context.lineTo(cx, cy + dy);
      context.stroke();
    }
  }
}
