// The arithmetic of maps and bars, and what is drawn of them.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { dragged, grown, gripAt, isLargeEnough, moved } from "../../../fgdemo/web/static/shared/crop.js";
import { partLabels, partsLayer, signedLayer, spotlightLayer } from "../../../fgdemo/web/static/shared/layers.js";
import { alphaOf, gradient, partAt, placeInWords, table, upsample } from "../../../fgdemo/web/static/shared/maps.js";
import { drawBox, drawLabels } from "../../../fgdemo/web/static/shared/marks.js";

const near = (a, b, by = 1e-6) => Math.abs(a - b) <= by;

/** A canvas that keeps the pixels which are put on it. */
class Canvas {
  width = 0;
  height = 0;
  pixels = new Uint8ClampedArray();

  getContext() {
    return {
      createImageData: (width, height) => ({ data: new Uint8ClampedArray(4 * width * height) }),
      putImageData: (image) => {
        this.pixels = image.data;
      },
    };
  }

  /** [r, g, b, a] at fractions of the canvas. */
  at(x, y) {
    const start = 4 * (Math.floor(y * this.height) * this.width + Math.floor(x * this.width));
    return [...this.pixels.slice(start, start + 4)];
  }
}

beforeEach(() => {
  globalThis.document = /** @type {any} */ ({ createElement: () => new Canvas(), querySelectorAll: () => [] });
});

test("a map keeps its values at the middle of each place, and mirrors its edges", () => {
  const values = [1, -2, 3, 0.5];
  const fine = upsample(values, [2, 2], 6, 6);
  const middle = (row, column) => fine[(3 * row + 1) * 6 + 3 * column + 1];
  assert.ok(values.every((value, at) => near(middle(Math.floor(at / 2), at % 2), value, 1e-5)));
  const flat = upsample([4, 4, 4], [1, 3], 9, 5);
  assert.ok(flat.every((value) => near(value, 4, 1e-5)));
});

test("places in words", () => {
  const said = [0, 4, 8, 1, 3].map((place) => placeInWords(place, [3, 3]));
  assert.deepEqual(said, ["upper left", "centre", "lower right", "top", "left"]);
});

test("a place belongs to the part that holds most of it, or to the background", () => {
  const parts = [
    { name: "crown", share: [0.6, 0.2, 0.4] },
    { name: "bill", share: [0.3, 0.2, 0.45] },
  ];
  assert.deepEqual(
    [0, 1, 2].map((place) => partAt(parts, place)?.name),
    ["crown", undefined, "bill"],
  );
});

test("colours run from the weakest to the strongest stop, and zero is clear", () => {
  assert.deepEqual(table("a")[0], [127, 178, 251]);
  assert.deepEqual(table("a")[255], [28, 108, 232]);
  assert.deepEqual([alphaOf(0), alphaOf(1)], [0, 0.78]);
  assert.match(gradient("b", "a"), /^linear-gradient\(to right, rgb\(234 106 0 \/ 0\.780\), .*\)$/);
});

test("a map is clear where it is weak, lets the photograph through, and has a line at half of its peak", () => {
  const ramp = Array.from({ length: 21 }, (_, at) => (at - 10) / 10);
  const canvas = signedLayer([...ramp, ...ramp], [2, 21], 21, { positive: "a", negative: "b", peak: 1 });
  const alphas = Array.from({ length: canvas.width }, (_, x) => canvas.pixels[4 * x + 3] / 255);
  assert.ok(
    alphas.every((alpha, at) => near(alpha, alphas[alphas.length - 1 - at], 0.3)),
    "for and against are drawn alike",
  );
  const at = (value) => alphas[Math.floor(((Math.round(10 * value) + 10.5) * alphas.length) / 21)];
  assert.equal(at(0), 0);
  assert.ok(0 < at(0.2) && at(0.2) < 0.1);
  assert.ok(at(0.2) < at(0.4) && at(0.4) < at(0.7) && at(0.7) < at(1) && at(1) < 0.8);
  const half = (alphas.length * 15.5) / 21;
  const line = [...alphas.keys()].filter((x) => alphas[x] > 0.8 && x > alphas.length / 2);
  assert.ok(line.length > 0);
  assert.ok(line.every((x) => Math.abs(x - half) < 4));
});

test("each part is tinted where it holds most, and the background is clear", () => {
  const parts = [
    { name: "crown", colour: "#ff0000", share: [0.9, 0, 0] },
    { name: "bill", colour: "#0000ff", share: [0, 0, 0.9] },
  ];
  const canvas = partsLayer(parts, [1, 3], 3);
  assert.deepEqual(canvas.at(0.1, 0.5).slice(0, 3), [255, 0, 0]);
  assert.equal(canvas.at(0.5, 0.5)[3], 0);
  assert.deepEqual(canvas.at(0.9, 0.5).slice(0, 3), [0, 0, 255]);
});

test("between two places the part is the one that is likely in both", () => {
  const parts = [
    { name: "crown", colour: "#ff0000", share: [0.9, 0] },
    { name: "bill", colour: "#0000ff", share: [0.1, 0.2] },
  ];
  const canvas = partsLayer(parts, [1, 2], 2);
  assert.deepEqual(canvas.at(0.1, 0.5).slice(0, 3), [255, 0, 0]);
  assert.deepEqual(canvas.at(0.5, 0.5).slice(0, 3), [0, 0, 255]);
  assert.equal(canvas.at(0.9, 0.5)[3], 0);
});

test("beside the part in the spotlight all is darkened", () => {
  const canvas = spotlightLayer({ colour: "#ff0000", share: [1, 0, 0] }, [1, 3], 3);
  assert.equal(canvas.at(0.1, 0.5)[3], 0);
  assert.deepEqual(canvas.at(0.9, 0.5), [0, 0, 0, 150]);
});

test("the name of a part stands where it is most itself; one that is not there has none", () => {
  const parts = [
    { name: "crown", colour: "#f00", share: [0.1, 0.8, 0, 0] },
    { name: "bill", colour: "#00f", share: [0.2, 0.2, 0.3, 0.1] },
  ];
  assert.deepEqual(partLabels(parts, [2, 2]), [{ text: "crown", colour: "#f00", places: [[0.75, 0.25]] }]);
  const tail = { name: "tail", colour: "#0f0", share: [0.4, 0, 0.5, 0.7] };
  assert.deepEqual(partLabels([tail], [2, 2])[0].places, [
    [0.75, 0.75],
    [0.25, 0.75],
  ]); // where it is more than background, the most first
  const wing = { name: "wing", colour: "#0f0", share: [0.9, 0, 0, 0, 0, 0.6, 0.7, 0.6] };
  assert.deepEqual(partLabels([wing], [2, 4])[0].places[0], [0.625, 0.75]); // its largest piece, not its strongest place
});

// --- the crop box -------------------------------------------------------------------------------------

const BOX = { left: 0.2, top: 0.2, right: 0.6, bottom: 0.6 };
const REACH = [0.05, 0.05];

test("a press takes a corner, the box, or begins a new one", () => {
  assert.deepEqual(gripAt(BOX, [0.21, 0.58], REACH), { kind: "corner", fixed: [0.6, 0.2], before: BOX });
  assert.deepEqual(gripAt(BOX, [0.4, 0.4], REACH), { kind: "move", start: [0.4, 0.4], before: BOX });
  assert.deepEqual(gripAt(BOX, [0.9, 1.4], REACH), { kind: "corner", fixed: [0.9, 1], before: BOX });
  assert.deepEqual(gripAt(null, [-1, 0.5], REACH), { kind: "corner", fixed: [0, 0.5], before: null });
});

test("what is dragged stays within the picture", () => {
  const round = (box) => Object.fromEntries(Object.entries(box).map(([side, value]) => [side, Number(value.toFixed(6))]));
  assert.deepEqual(round(dragged(gripAt(BOX, [0.4, 0.4], REACH), [2, 0.5])), { left: 0.6, top: 0.3, right: 1, bottom: 0.7 });
  assert.deepEqual(round(dragged(gripAt(BOX, [0.2, 0.2], REACH), [0.8, 0.9])), { left: 0.6, top: 0.6, right: 0.8, bottom: 0.9 });
  assert.deepEqual(round(moved(BOX, [1, 0])), { left: 0.22, top: 0.2, right: 0.62, bottom: 0.6 });
  assert.ok(grown(BOX, [1, 1]).right > BOX.right);
  assert.ok(isLargeEnough(BOX));
  assert.ok(!isLargeEnough({ ...BOX, right: 0.21 }));
  assert.ok(!isLargeEnough(null));
});

// --- marks --------------------------------------------------------------------------------------------

/** A drawing context that writes down what is called. */
function written() {
  const calls = [];
  const context = new Proxy(
    {},
    {
      get: (held, name) =>
        held[name] ??
        (name === "canvas" ? { getBoundingClientRect: () => ({ left: 0, top: 0 }) } : null) ??
        ((...given) => {
          calls.push([name, ...given]);
          return { width: 50 };
        }),
    },
  );
  return { context, calls };
}

test("a label is centred on its place, and shows what would turn text around", () => {
  const { context, calls } = written();
  drawLabels(context, [{ text: "cro\u202ewn", colour: "#f00", places: [[0.5, 0.5]] }], [0, 0, 400, 200], [400, 200], "serif");
  assert.deepEqual(
    calls.find(([name]) => name === "roundRect"),
    ["roundRect", 160, 88, 80, 24, 4],
  );
  assert.deepEqual(
    calls.find(([name]) => name === "fillText"),
    ["fillText", "cro\ufffdwn", 181, 100.5],
  );
});

test("the corners of a box can be seen where they can be taken", () => {
  const frame = { x: 0, y: 0, width: 100, height: 100 };
  const corners = (handles) => {
    const { context, calls } = written();
    drawBox(context, [10, 10, 30, 60], frame, handles);
    return calls.filter(([name]) => name === "moveTo").length;
  };
  assert.deepEqual([corners(true), corners(false)], [4, 0]);
});
