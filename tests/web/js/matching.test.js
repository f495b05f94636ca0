// The same place of two pictures, held against the same numbers as the server's (test_same_place.py).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  holds,
  insideOf,
  intoBox,
  matchOf,
  middleOf,
  ontoPicture,
  placeOf,
  radiusOf,
  within,
} from "../../../fgdemo/web/static/compare/matching.js";

const golden = JSON.parse(readFileSync(new URL("../../support/golden/same_place.json", import.meta.url), "utf8"));

for (const { grid, matches, values, spots } of golden) {
  test(`matches and sums of a grid of ${grid.join(" × ")}`, () => {
    for (const { x, y, match, inside } of spots) {
      const found = matchOf(matches, grid, { x, y });
      for (const [at, value] of [found.x, found.y, found.sureness].entries())
        assert.ok(Math.abs(value - match[at]) <= 1e-9, `${value} is not ${match[at]} at ${x}, ${y}`);
      assert.ok(Math.abs(insideOf(values, grid, { x, y }, radiusOf(grid)) - inside) <= 1e-9);
    }
  });
}

test("without matches there is no place", () => assert.equal(matchOf([], [14, 14], { x: 0.5, y: 0.5 }), null));

test("places are within the picture", () => {
  assert.deepEqual(within({ x: -0.2, y: 3 }), { x: 0, y: 1 });
  assert.deepEqual(middleOf(5, [2, 4]), { x: 0.375, y: 0.75 });
  assert.equal(placeOf([2, 4], { x: 0.375, y: 0.75 }), 5);
  assert.equal(placeOf([2, 4], { x: 1, y: 1 }), 7);
});

test("a frame and the picture that it lies in", () => {
  const frame = { left: 0.5, top: 0.25, right: 1, bottom: 0.5 };
  assert.deepEqual(ontoPicture({ x: 0.5, y: 1 }, frame), { x: 0.75, y: 0.5 });
  assert.deepEqual(intoBox({ x: 0.75, y: 0.5 }, frame), { x: 0.5, y: 1 });
  assert.deepEqual([holds(frame, { x: 0.6, y: 0.3 }), holds(frame, { x: 0.4, y: 0.3 })], [true, false]);
  assert.deepEqual(radiusOf([3, 6], frame, { left: 0, top: 0, right: 1, bottom: 1 }), { x: 0.125, y: 0.125 });
  assert.deepEqual(radiusOf([3, 6]), { x: 0.25, y: 0.5 });
});
