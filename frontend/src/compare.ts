// What two models returned to one query: in common and each alone. No page, no state.

import type { Answer, Scene } from "./payload.js";
import type { State } from "./state.js";

/** Answers that stand side by side: all of one query model, or each model's own where nobody else asked. */
export function alike(scene: Scene, queryModel: string | null): Answer[] {
  return queryModel === null ? scene.answers : scene.answers.filter((answer) => answer.queryModel === queryModel || answer.beside);
}

/** The query models that asked every collection; empty where each model asked its own. */
export function queryModels(scene: Scene): string[] {
  const asked = scene.answers.filter((answer) => !answer.beside);
  const crossed = asked.some((answer) => answer.model !== answer.queryModel);
  return crossed ? [...new Set(asked.map((answer) => answer.queryModel))] : [];
}

/** The answers to what is shown: to the query typed, else to the one chosen, and its number among them. */
export function shownAnswers(scene: Scene, state: Pick<State, "typed" | "query" | "queryModel">): { answers: Answer[]; query: number | null } {
  return state.typed ? { answers: state.typed.answers, query: 0 } : { answers: alike(scene, state.queryModel), query: state.query };
}

export function returnedRows(answer: Answer, query: number): number[] {
  const from = query * answer.width;
  return Array.from(answer.rows.subarray(from, from + answer.width)).filter((row) => row >= 0);
}

/** One row of a diff: its rank in either model (0: not known) and whether it was returned there. */
export interface Entry {
  row: number;
  ranks: [number, number];
  distances: [number, number];
  isSelf: boolean;
}

export interface Blocks {
  both: Entry[];
  only: [Entry[], Entry[]];
}

/** What two models returned to one query: both of them, and each alone with the exact place in the other. */
export function blocks(a: Answer, b: Answer, query: number): Blocks {
  const places = [returned(a, query), returned(b, query)];
  const elsewhere = [missing(a, query), missing(b, query)];
  const entry = (row: number): Entry => {
    const found = [0, 1].map((at) => places[at].get(row) ?? elsewhere[at].get(row));
    return {
      row,
      ranks: [found[0]?.rank ?? 0, found[1]?.rank ?? 0],
      distances: [found[0]?.distance ?? Number.NaN, found[1]?.distance ?? Number.NaN],
      isSelf: found.some((place) => place?.isSelf),
    };
  };
  const rows = places.map((each) => [...each.keys()]);
  return {
    both: rows[0].filter((row) => places[1].has(row)).map(entry),
    only: [rows[0].filter((row) => !places[1].has(row)).map(entry), rows[1].filter((row) => !places[0].has(row)).map(entry)],
  };
}

interface Place {
  rank: number;
  distance: number;
  isSelf: boolean;
}

function returned(answer: Answer, query: number): Map<number, Place> {
  const from = query * answer.width;
  const found = new Map<number, Place>();
  for (let place = 0; place < answer.width; place++) {
    const row = answer.rows[from + place];
    if (row >= 0) found.set(row, { rank: place + 1, distance: answer.distance[from + place], isSelf: answer.isSelf[from + place] === 1 });
  }
  return found;
}

function missing(answer: Answer, query: number): Map<number, Place> {
  const from = query * answer.elseWidth;
  const found = new Map<number, Place>();
  for (let at = from; at < from + answer.elseWidth; at++)
    if (answer.elseRows[at] >= 0) found.set(answer.elseRows[at], { rank: answer.elseRanks[at], distance: answer.elseDistance[at], isSelf: false });
  return found;
}
