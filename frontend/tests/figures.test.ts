import assert from "node:assert/strict";
import test from "node:test";
import { decimal, farthest } from "../src/charts.js";
import { crowded, logSteps, pareto, shortNames, steps } from "../src/cost.js";
import { rateWords, stepNear } from "../src/cutoffs.js";
import { dumbbells, losses, ownShares } from "../src/figures.js";
import { numberRows } from "../src/numbers.js";
import { together } from "../src/order.js";
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

test("a dumbbell for each collection: what came back of the exact answer, and what it shares with the others", () => {
  const scores = [
    score("overlap@5", ["a", "b"], 0.5),
    score("overlap@5", ["a", "c"], 0.2),
    score("exact_overlap@5", ["a", "b"], 0.6),
    score("exact_overlap@5", ["a", "c"], 0.7),
    score("index_recall@5", ["a"], 0.8, "a"),
    score("index_recall@5", ["d"], 0.9, "q"),
    score("index_recall@5", ["e"], null),
  ];
  const [a, d, ...rest] = dumbbells({ scores });
  assert.equal(rest.length, 0);
  assert.deepEqual([a.model, a.asked, a.recall.value], ["a", "", 0.8]);
  assert.ok(Math.abs((a.agreement?.exact ?? 0) - 0.65) < 1e-12 && Math.abs((a.agreement?.searched ?? 0) - 0.35) < 1e-12);
  assert.deepEqual([d.asked, d.agreement], ["asked with q", null]);
});

test("axes have about five round numbers", () => {
  assert.deepEqual(steps(1), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(steps(1177.6), [0, 200, 400, 600, 800, 1000]);
  assert.deepEqual(steps(0.0043), [0, 0.001, 0.002, 0.003, 0.004]);
});

test("a log axis has round numbers, and of many powers the powers alone", () => {
  assert.deepEqual(logSteps(0.03, 0.9), [0.05, 0.1, 0.2, 0.5]);
  assert.deepEqual(logSteps(0.5, 20_000), [1, 10, 100, 1_000, 10_000]);
});

test("on the line of the best is whom no other beats in both", () => {
  const of = (seconds: number, worth: number) => ({ seconds, worth });
  const best = pareto([of(3, 0.9), of(1, 0.5), of(2, 0.4), of(2, 0.7), of(4, 0.9), of(5, 0.1)], (each) => each.seconds, (each) => each.worth);
  assert.deepEqual(best, [of(1, 0.5), of(2, 0.7), of(3, 0.9)]);
});

test("variants are told apart by what differs", () => {
  assert.deepEqual(shortNames(["minilm?dim=64&vectors=int8", "minilm?dim=384&vectors=binary"]), ["64, int8", "384, binary"]);
  assert.deepEqual(shortNames(["m-64-int8", "m-64-binary"]), ["int8", "binary"]);
  assert.deepEqual(shortNames(["st:a", "minilm"]), ["st:a", "minilm"]);
  assert.deepEqual(shortNames(["minilm"]), ["minilm"]);
});

test("models that agree stand together, a few as they were named", () => {
  const group = (name: string) => name[0];
  const agreement = (a: string, b: string) => (group(a) === group(b) ? 0.9 : 0.1);
  assert.deepEqual(together(["x1", "y1", "x2"], agreement), ["x1", "y1", "x2"]);
  const order = together(["x1", "y1", "x2", "y2", "x3", "z"], agreement);
  assert.deepEqual(new Set(order), new Set(["x1", "x2", "x3", "y1", "y2", "z"]));
  const runs = order.map(group).filter((each, at, all) => each !== all[at - 1]);
  assert.equal(runs.length, 3);
  const line = [0, 1, 2, 3, 4, 5].map((at) => `m${at}`);
  const close = (a: string, b: string) => 1 / (1 + Math.abs(Number(a[1]) - Number(b[1])));
  assert.ok([line.join(), [...line].reverse().join()].includes(together(["m3", "m0", "m5", "m1", "m4", "m2"], close).join()));
  assert.equal(together(["a", "b", "c", "d", "e"], () => null).length, 5);
});

test("groups by how much they find themselves, the least first", () => {
  const own = [
    { model: "a", groups: ["x", "y", "z"], share: [0.5, 0.1, null], chance: [0.3, 0.3, 0.4] },
    { model: "b", groups: ["x", "y", "z"], share: [0.7, 0.3, 0.9], chance: [0.3, 0.3, 0.4] },
  ];
  assert.deepEqual(ownShares({ own }).map(({ group, chance, shares }) => [group, chance, ...shares.map(({ value }) => value)]), [["y", 0.3, 0.1, 0.3], ["x", 0.3, 0.5, 0.7], ["z", 0.4, null, 0.9]]);
});

test("a share of pairs is told as people say it, and a cut-off finds its step", () => {
  assert.deepEqual([rateWords(1), rateWords(0.01234), rateWords(1 / 52_000)], ["100 % of the pairs", "1.23 % of the pairs", "one of 52,000 pairs"]);
  assert.equal(stepNear({ lines: [{ model: "a", cuts: [0.9, 0.7, 0.2] }, { model: "b", cuts: [1, 1, 1] }] }, 0.65), 1);
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

test("names at the right of dots stand over another only where it is near at that height", () => {
  assert.equal(crowded([[100, 50, 6], [180, 55, 6]]), false);
  assert.equal(crowded([[100, 50, 13], [180, 55, 6]]), true);
  assert.equal(crowded([[180, 55, 6], [100, 50, 13]]), true);
  assert.equal(crowded([[100, 50, 13], [180, 90, 6]]), false);
});

test("numbers are rounded as in the terminal: halfway to the even one", () => {
  assert.deepEqual([12.5, 13.5, 0.5, -12.5, 12.500001, 12.4].map((value) => decimal(value, 0)), ["12", "14", "0", "-12", "13", "12"]);
  assert.deepEqual([0.125, 0.375, 0.46499999999999997, 0.1, 2, 1.005].map((value) => decimal(value)), ["0.12", "0.38", "0.46", "0.10", "2.00", "1.00"]);
  assert.deepEqual([decimal(4.25, 1), decimal(4.75, 1), decimal(0.0625, 3), decimal(null)], ["4.2", "4.8", "0.062", "n/a"]);
});
