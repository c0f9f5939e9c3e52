// Above the dots of a map: what each of the two models returned, and from the query to each of its own in this map a line.

import { modelClass } from "./colours.js";
import { returnedRows, shownAnswers } from "./compare.js";
import { s } from "./dom.js";
import type { Scene } from "./payload.js";
import type { Place, Size } from "./pointing.js";
import type { State } from "./state.js";

export interface Star {
  element: SVGSVGElement;
  put: (place: (row: number) => Place, radius: number, size: Size) => void;
  /** Look again at what was returned; `put` then shows it. */
  choose: (state: Readonly<State>) => void;
}

interface Ray {
  row: number;
  /** the lists of which model returned it; null is never drawn */
  model: string;
  own: boolean;
}

/** What stands around the query in the map of a model: rows of its own list, and those of the other model of the pair. */
export function rays(scene: Scene, state: Readonly<State>, model: string): { from: number | null; rays: Ray[] } {
  const { answers, query } = shownAnswers(scene, state);
  if (query === null) return { from: null, rays: [] };
  const from = state.typed || !scene.queryRow ? null : scene.queryRow[query];
  const shown = [...new Set([...state.pair.filter((name) => name !== model), model])];
  const found = shown.flatMap((name) =>
    answers.filter((answer) => answer.model === name).flatMap((answer) => returnedRows(answer, query).map((row) => ({ row, model: name, own: name === model }))),
  );
  // A row that the page does not hold has no place in a map.
  return { from, rays: found.filter(({ row }) => row !== from && row < scene.queryOfRow.length) };
}

export function newStar(scene: Scene, model: string): Star {
  const element = s("svg", { class: "map-mark map-star", "aria-hidden": "true", preserveAspectRatio: "none" });
  let now: ReturnType<typeof rays> = { from: null, rays: [] };
  const choose: Star["choose"] = (state) => (now = rays(scene, state, model));
  const put: Star["put"] = (place, radius, { width, height }) => {
    element.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const from = now.from === null ? null : place(now.from);
    const drawn = now.rays.flatMap((ray) => {
      const [x, y] = place(ray.row);
      const colour = modelClass(scene.head, ray.model);
      const ring = s("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: ray.own ? radius : radius + 3, class: `${colour} ${ray.own ? "own" : "other"}`, "data-row": ray.row });
      if (!ray.own || !from) return [ring];
      return [s("line", { x1: from[0].toFixed(1), y1: from[1].toFixed(1), x2: x.toFixed(1), y2: y.toFixed(1), class: colour }), ring];
    });
    element.replaceChildren(...drawn);
  };
  return { element, put, choose };
}
