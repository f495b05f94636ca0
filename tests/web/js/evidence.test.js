// The browser's arithmetic on maps, held against the same numbers as the server's (test_evidence.py).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { alphaOf, difference, partSums, strongest } from "../../../fgdemo/web/static/shared/maps.js";

const golden = JSON.parse(readFileSync(new URL("../../support/golden/evidence.json", import.meta.url), "utf8"));

function near(found, told) {
  assert.equal(found.length, told.length);
  for (const [at, value] of found.entries()) assert.ok(Math.abs(value - told[at]) <= 1e-12, `${value} is not ${told[at]}`);
}

for (const { name, a, b, parts, told } of golden.cases) {
  test(name, () => {
    near(difference(a, b), told.difference);
    const { rows, total } = partSums(
      parts.map((share) => ({ share })),
      a,
      b,
    );
    assert.deepEqual(
      rows.map((row) => row.kind),
      [...parts.map(() => "part"), "background", "base"],
    );
    near(
      rows.map((row) => row.value),
      [...told.parts, told.background, told.base],
    );
    near([total], [told.total]);
    const { place, value, peak } = strongest(told.difference);
    near([place, value, peak], [told.place, told.value, told.peak]);
  });
}

test("opacity", () =>
  near(
    golden.opacity.map(([strength]) => alphaOf(strength)),
    golden.opacity.map(([, alpha]) => alpha),
  ));
