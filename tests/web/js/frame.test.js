import assert from "node:assert/strict";
import { test } from "node:test";
import { frameOf, keptInView, pointAt, rectOf, scaleThatFits, WHOLE } from "../../../fgdemo/web/static/shared/frame.js";

const STAGE = [400, 300];
const PICTURE = [200, 100];

test("an area just fits, by its wider side", () => {
  assert.equal(scaleThatFits(WHOLE, PICTURE, STAGE), 2);
  assert.equal(scaleThatFits({ left: 0.25, top: 0, right: 0.5, bottom: 1 }, PICTURE, STAGE), 3);
});

test("the centre is in the middle of the stage, and every point is found where it lies", () => {
  const frame = frameOf(4, PICTURE, [0.25, 0.5], STAGE);
  assert.deepEqual(pointAt(frame, 200, 150), [0.25, 0.5]);
  const [left, top, width, height] = rectOf({ left: 0.25, top: 0.5, right: 0.5, bottom: 1 }, frame);
  assert.deepEqual([left, top, width, height], [200, 150, 200, 200]);
});

test("no empty stage beside a picture that could fill it; one that is all in view stands in the middle", () => {
  const large = frameOf(8, PICTURE, [0, 0], STAGE);
  assert.deepEqual(keptInView([0, 1.5], large, STAGE, false), [0.125, 1 - 150 / 800]);
  assert.deepEqual(keptInView([0.5, 0.5], large, STAGE, false), [0.5, 0.5]);
  const flat = frameOf(2, PICTURE, [0.5, 0.5], STAGE);
  assert.deepEqual(keptInView([0.2, 0.2], flat, STAGE, false), [0.5, 0.5]);
  assert.deepEqual(keptInView([0.2, -0.2], flat, STAGE, true), [0.2, 0]);
});
