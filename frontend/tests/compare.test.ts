import assert from "node:assert/strict";
import test from "node:test";
import { alike, columns, queryModels, returnedRows } from "../src/compare.js";
import { answer, scene } from "./fixture.js";

const a = answer("A", "A", [1, 2, 0, 2, 3, 0, 0, 1], [[[3, 3]], [[3, 3]], [], []]);
const b = answer("B", "B", [2, 3, 0, 3, 3, 0, 0, -1], [[[1, 3]], [[2, 3]], [], [[1, 2]]]);

test("kept, moved, lost and gained by hand", () => {
  const [first, second] = columns([a, b], 0, 0);
  assert.deepEqual(
    first.entries.map(({ row, rank, returned, status }) => [row, rank, returned, status]),
    [
      [1, 1, true, "lost"],
      [2, 2, true, "same list"],
      [3, 3, false, "gained"],
    ],
  );
  assert.deepEqual(
    second.entries.map(({ row, rank, returned, status }) => [row, rank, returned, status]),
    [
      [2, 1, true, "moved"],
      [3, 2, true, "gained"],
      [1, 3, false, "lost"],
    ],
  );
});

test("the other model can be the one compared with", () => {
  const [first] = columns([a, b], 1, 1);
  assert.deepEqual(
    first.entries.map(({ row, status }) => [row, status]),
    [
      [0, "kept"],
      [2, "gained"],
      [3, "lost"],
    ],
  );
});

test("short lists hold only what was returned", () => {
  assert.deepEqual(returnedRows(b, 3), [0]);
  assert.deepEqual(
    columns([a, b], 3, 0)[1].entries.map(({ row, rank, status }) => [row, rank, status]),
    [
      [0, 1, "kept"],
      [1, 2, "lost"],
    ],
  );
});

test("answers stand side by side by who asked", () => {
  const crossed = scene([0, 0, 0, 0], [a, answer("B", "A", [0, 0], []), answer("A", "B", [0, 0], []), b]);
  assert.deepEqual(queryModels(crossed), ["A", "B"]);
  assert.deepEqual(alike(crossed, "B").map((each) => each.model), ["A", "B"]);
  assert.deepEqual(queryModels(scene([0], [a, b])), []);
  assert.equal(alike(scene([0], [a, b]), null).length, 2);
});
