// A scene worked by hand: four rows, two models, k = 2.

import type { Answer, Header, Scene } from "../src/payload.js";

export function answer(model: string, queryModel: string, rows: number[], elsewhere: [number, number][][]): Answer {
  const width = 2;
  const elseWidth = Math.max(0, ...elsewhere.map((each) => each.length));
  const flat = (of: (pair: [number, number] | undefined) => number) =>
    elsewhere.flatMap((each) => Array.from({ length: elseWidth }, (_, at) => of(each[at])));
  return {
    model,
    queryModel,
    beside: model === "bm25",
    distanceWord: "cosine",
    width,
    rows: Int32Array.from(rows),
    distance: Float32Array.from(rows, (_, at) => 1 - (at % width) / 10),
    isSelf: new Uint8Array(rows.length),
    elseWidth,
    elseRows: Int32Array.from(flat((pair) => pair?.[0] ?? -1)),
    elseRanks: Int32Array.from(flat((pair) => pair?.[1] ?? -1)),
    elseDistance: Float32Array.from(flat((pair) => (pair ? 0.1 : Number.NaN))),
    lostWidth: 0,
    lostRows: new Int32Array(),
  };
}

export function scene(disagreement: number[], answers: Answer[], groups?: string[]): Scene {
  const ids = ["a", "b", "c", "d"];
  const head = {
    items: { ids, texts: ["alpha", "Beta", "gamma <b>", "delta"], lengths: null, groups: groups ?? null, columns: [] },
    parts: { by: "none", names: [] },
    headline: { standings: [], agreement: [], where: [], by_part: [] },
    queries: { rows: null, ids: [], texts: [], own: true },
    expected: null,
  } as unknown as Header;
  return {
    head,
    thumbnails: { items: null, queries: null },
    answers,
    maps: [{ model: "A", method: "pca", about: "", x: Float32Array.from([-0.5, 0.5, 0.5, -0.5]), y: Float32Array.from([-0.5, -0.5, 0.5, 0.5]) }],
    disagreement: Float64Array.from(disagreement),
    rowDisagreement: Float32Array.from([0.5, Number.NaN, 0, 0.25]),
    partOfRow: new Int32Array(),
    partOfQuery: new Int32Array(),
    columns: [],
    why: [],
    queryRow: Int32Array.from([0, 1, 2, 3]),
    queryOfRow: Int32Array.from([0, 1, 2, 3]),
  };
}
