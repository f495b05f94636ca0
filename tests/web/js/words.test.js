// Numbers, sets and standings as words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { predictionSetInWords } from "../../../fgdemo/web/static/classify/answer.js";
import { describe } from "../../../fgdemo/web/static/classify/views.js";
import { counted, duration, elapsed, percent, share, signed, when } from "../../../fgdemo/web/static/shared/words.js";
import { goldInWords, wayToMend } from "../../../fgdemo/web/static/train/now.js";

test("a probability never reads as certain or impossible where it is neither", () => {
  const said = [0, 0.001, 0.005, 0.5, 0.994, 0.9951, 1].map((prob) => percent(prob).replace("\u00a0", " "));
  assert.deepEqual(said, ["0 %", "<1 %", "1 %", "50 %", "99 %", ">99 %", "100 %"]);
});

test("signed numbers have a real minus sign, and zero has none", () => {
  assert.deepEqual(
    [signed(1.234), signed(-0.5), signed(-0.001), signed(0), signed(2.25, 1)],
    ["+1.23", "\u22120.50", "0.00", "0.00", "+2.3"],
  );
});

test("times", () => {
  assert.deepEqual([0.2, 1, 89, 90, 5399, 5400].map(duration), [
    "about 1 second",
    "about 1 second",
    "about 89 seconds",
    "about 2 minutes",
    "about 90 minutes",
    "about 2 hours",
  ]);
  assert.deepEqual(
    [4, 720, 5400].map((seconds) => elapsed(seconds).replaceAll("\u00a0", " ")),
    ["4 s", "12 min", "1 h 30 min"],
  );
  assert.equal(share(0.9134), "91.3\u00a0%");
  assert.deepEqual([counted(1, "picture", "pictures"), counted(1200, "picture", "pictures")], ["1 picture", "1,200 pictures"]);
});

test("days: today, this week, this year, before", () => {
  const now = new Date(2026, 11, 1, 12);
  const said = [new Date(2026, 11, 1, 9, 5), new Date(2026, 10, 30, 23), new Date(2026, 2, 3), new Date(2024, 2, 3)];
  assert.deepEqual(
    said.map((then) => when(then.toISOString(), now)),
    ["today at 09:05", "Monday", "3 March", "3 March 2024"],
  );
});

for (const [count, prob, is_unknown, sentence] of [
  [0, 0, false, ""],
  [1, 0.04, true, "If it is one I know: no kind stands out."],
  [1, 0.9, false, "Only K0 is plausible (right 90 times in 100)."],
  [2, 0.4, false, "Either K0 or K1 (right 90 times in 100)."],
  [3, 0.3, false, "One of K0, K1 or K2 (right 90 times in 100)."],
  [5, 0.2, false, "One of 5 kinds, most likely K0 or K1 (right 90 times in 100)."],
  [24, 0.04, true, "If it is one I know: one of 24 kinds, most likely K0 or K1 (right 90 times in 100)."],
]) {
  test(`the prediction set of ${count}, ${prob}`, () => {
    const prediction_set = Array.from({ length: count }, (_, rank) => ({ name: `K${rank}`, prob }));
    assert.equal(predictionSetInWords({ prediction_set, coverage: 0.9, unknown: { is_unknown } }), sentence);
  });
}

for (const [names, words] of [
  [["crown", "part 2"], "2 parts: crown, part 2."],
  [["part 1", "part 2"], "2 parts that the model found by itself; they have no names yet."],
]) {
  test(`the parts ${names}`, () => {
    const parts = names.map((name) => ({ name }));
    assert.equal(describe("parts", { grid: [1, 1], parts }, undefined, undefined).words, words);
  });
}

for (const [looks_wrong, disputed, said, way] of [
  [1, 0, "1 of 35 gold labels looks wrong.", "Check gold first"],
  [6, 1, "6 of 35 gold labels look wrong, and 1 is disputed.", "Check gold first"],
  [0, 1, "1 of 35 gold labels is disputed.", "Settle it"],
  [0, 6, "6 of 35 gold labels are disputed.", "Settle them"],
  [0, 0, "", null],
]) {
  test(`gold: ${looks_wrong} look wrong, ${disputed} disputed`, () => {
    const gold = { labelled: 35, looks_wrong, disputed };
    assert.equal(goldInWords(gold), said);
    if (said) assert.equal(wayToMend(gold), way);
  });
}
