// What the second collection kept, moved, lost and gained against the first, for one query. No page, no state.

import type { Answer, Scene } from "./payload.js";

export type Status = "kept" | "moved" | "lost" | "gained" | "same list";

export interface Entry {
  row: number;
  rank: number;
  distance: number;
  isSelf: boolean;
  returned: boolean;
  status: Status;
}

export interface Column {
  model: string;
  distanceWord: string;
  entries: Entry[];
}

/** Has no vectors: asked with the words of the query, whoever else asks. */
const LEXICAL = "bm25";

/** Answers that stand side by side: all of one query model, or each model's own where nobody else asked. */
export function alike(scene: Scene, queryModel: string | null): Answer[] {
  return queryModel === null ? scene.answers : scene.answers.filter((answer) => answer.queryModel === queryModel || answer.model === LEXICAL);
}

/** The query models that asked every collection; empty where each model asked its own. */
export function queryModels(scene: Scene): string[] {
  const crossed = scene.answers.some((answer) => answer.model !== answer.queryModel);
  return crossed ? [...new Set(scene.answers.map((answer) => answer.queryModel))].filter((name) => name !== LEXICAL) : [];
}

export function returnedRows(answer: Answer, query: number): number[] {
  const from = query * answer.width;
  return Array.from(answer.rows.subarray(from, from + answer.width)).filter((row) => row >= 0);
}

/** One column for each answer: its rows by rank, then rows that only others returned, at their exact place here. */
export function columns(answers: Answer[], query: number, reference: number): Column[] {
  const base = answers[reference] ? returnedRows(answers[reference], query) : [];
  const placeInBase = new Map(base.map((row, place) => [row, place]));
  const elsewhere = new Map<number, boolean>();
  answers.forEach((answer, at) => {
    if (at !== reference) for (const row of base) if (!returnedRows(answer, query).includes(row)) elsewhere.set(row, true);
  });
  // A run may know the place of rows that a list not shown here returned (bm25 beside the models): those stay out.
  const shown = new Set(answers.flatMap((answer) => returnedRows(answer, query)));
  return answers.map((answer, at) => ({
    model: answer.model,
    distanceWord: answer.distanceWord,
    entries: [
      ...returned(answer, query).map((entry) => ({
        ...entry,
        status: statusOf(entry, at === reference, placeInBase, elsewhere),
      })),
      ...missing(answer, query)
        .filter((entry) => shown.has(entry.row))
        .map((entry) => ({
        ...entry,
        status: (placeInBase.has(entry.row) ? "lost" : "gained") as Status,
      })),
    ],
  }));
}

type Place = Omit<Entry, "status">;

function returned(answer: Answer, query: number): Place[] {
  const from = query * answer.width;
  const found: Place[] = [];
  for (let place = 0; place < answer.width; place++) {
    const row = answer.rows[from + place];
    if (row < 0) continue;
    found.push({
      row,
      rank: place + 1,
      distance: answer.distance[from + place],
      isSelf: answer.isSelf[from + place] === 1,
      returned: true,
    });
  }
  return found;
}

function missing(answer: Answer, query: number): Place[] {
  const from = query * answer.elseWidth;
  const found: Place[] = [];
  for (let at = from; at < from + answer.elseWidth; at++) {
    const row = answer.elseRows[at];
    if (row < 0) continue;
    found.push({ row, rank: answer.elseRanks[at], distance: answer.elseDistance[at], isSelf: false, returned: false });
  }
  return found.sort((a, b) => a.rank - b.rank);
}

function statusOf(
  entry: Place,
  isReference: boolean,
  placeInBase: Map<number, number>,
  elsewhere: Map<number, boolean>,
): Status {
  if (isReference) return elsewhere.has(entry.row) ? "lost" : "same list";
  const place = placeInBase.get(entry.row);
  if (place === undefined) return "gained";
  return place + 1 === entry.rank ? "kept" : "moved";
}
