import assert from "node:assert/strict";
import test from "node:test";
import { farthest, steps } from "../src/charts.js";
import { losses } from "../src/figures.js";
import { numberRows } from "../src/numbers.js";
import type { Header, Score } from "../src/payload.js";

function score(measure: string, models: string[], value: number | null, asked: string | null = null): Score {
  return { measure, models, query_model: asked, value, low: null, high: null, chance: null, n: 4, reason: null };
}

test("each pair as searched stands beside the same pair among exact neighbours, the largest gap first", () => {
  const head = {
    scores: [
      score("overlap@5", ["a", "b"], 0.5),
      score("overlap@5", ["a", "c"], 0.2),
      score("overlap@5", ["a", "d"], null),
      score("overlap@5", ["a", "b"], 0.9, "q"),
      score("exact_overlap@5", ["a", "b"], 0.6),
      score("exact_overlap@5", ["a", "c"], 0.7),
      score("exact_overlap@5", ["a", "d"], 0.1),
    ],
  } as unknown as Header;
  const found = losses(head).map(({ words, searched, exact }) => [words, searched.value, exact.value]);
  assert.deepEqual(found, [
    ["a and c", 0.2, 0.7],
    ["a and b", 0.5, 0.6],
  ]);
});

test("axes have about five round numbers", () => {
  assert.deepEqual(steps(1), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(steps(1177.6), [0, 200, 400, 600, 800, 1000]);
  assert.deepEqual(steps(0.0043), [0, 0.001, 0.002, 0.003, 0.004]);
});

test("of more lines than colours the highest and the lowest at their ends are drawn", () => {
  const line = (name: string, end: number): [string, { k: number; score: Score }[]] => [
    name,
    [{ k: 5, score: score("overlap@5", ["a", "b"], end) }, { k: 1, score: score("overlap@1", ["a", "b"], 1 - end) }],
  ];
  const lines = Array.from({ length: 11 }, (_, at) => line(`l${at}`, ((at * 7) % 11) / 11));
  assert.equal(farthest(lines.slice(0, 8)).length, 8);
  const kept = farthest(lines).map(([, points]) => Math.round((points[0].score.value as number) * 11));
  assert.deepEqual(kept, [10, 9, 8, 7, 3, 2, 1, 0]);
});

test("every number has its interval, its unit and what it says; one without a value its reason", () => {
  const measures = { "overlap@5": { unit: "0, 1", about: "Share of neighbours in common." } };
  const sure = { ...score("overlap@5", ["a", "b"], 0.5, "a"), low: 0.25, high: 0.75, chance: 0.1, n: 1234 };
  const [first, second] = numberRows({ scores: [sure, { ...score("cka", ["a", "b"], null), reason: "bm25 has no vectors" }], measures });
  assert.deepEqual(Object.values(first), ["overlap@5", "a | b, asked with a", "0.500 [0.250, 0.750]", "0.100", "1,234", "0, 1", "Share of neighbours in common."]);
  assert.deepEqual([second.value, second.about], ["n/a", "bm25 has no vectors"]);
});
