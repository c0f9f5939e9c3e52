import assert from "node:assert/strict";
import test from "node:test";
import { causesOf } from "../src/why.js";

const pair = { models: ["A", "B"] as [string, string], queryModel: null, query: Int32Array.from([0, 2, 2, 5]), row: Int32Array.from([7, 1, 3, 9]), bits: Int32Array.from([1, 2, 0b101, 4]) };
const [a, b] = ["A", "B"].map((model) => ({ model, queryModel: model }));

test("the causes of a query are those of its changed rows, whichever model is named first", () => {
  for (const [here, there] of [[a, b], [b, a]])
    assert.deepEqual([...causesOf({ why: [pair] }, here, there, 2)], [[1, [1]], [3, [0, 2]]]);
  assert.deepEqual([...causesOf({ why: [pair] }, a, b, 5)], [[9, [2]]]);
});

test("a query, a pair, or another query model without causes has none", () => {
  assert.equal(causesOf({ why: [pair] }, a, b, 3).size, 0);
  assert.equal(causesOf({ why: [pair] }, a, { model: "C" }, 2).size, 0);
  assert.equal(causesOf({ why: [pair] }, a, a, 2).size, 0);
  assert.equal(causesOf({ why: [{ ...pair, queryModel: "B" }] }, a, b, 2).size, 0);
});
