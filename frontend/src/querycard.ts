// One query at a time, the most disputed first: what each model returned, right and wrong marked where that is known.

import { modelClass } from "./answer.js";
import { alike, returnedRows } from "./compare.js";
import { h } from "./dom.js";
import { queryCount, queryId, queryText, type Answer, type Scene } from "./payload.js";
import { pictureButtons } from "./picture.js";
import type { Store } from "./state.js";
import { queryThumbnail, thumbnail } from "./thumbnails.js";

const SHOWN = 5;
const COLUMNS = 3;

/** The queries by disagreement, the most disputed first; undefined ones last. */
export function byDisagreement(scene: Scene): number[] {
  const value = (query: number) => (Number.isNaN(scene.disagreement[query]) ? -1 : scene.disagreement[query]);
  return Array.from({ length: queryCount(scene) }, (_, query) => query).sort((a, b) => value(b) - value(a) || a - b);
}

/** Whether a row is right for a query: expected, or of its group; null where that is not known, or it is the query itself. */
export function isRight(scene: Scene, query: number, row: number): boolean | null {
  const { expected, items } = scene.head;
  if (expected) return expected[query] ? expected[query].includes(row) : null;
  const own = scene.queryRow ? scene.queryRow[query] : null;
  if (!items.groups || own === null || own === row) return null;
  return items.groups[row] === items.groups[own];
}

export function queryCard(scene: Scene, store: Store): HTMLElement | null {
  const order = byDisagreement(scene);
  if (!order.length || !scene.answers.length) return null;
  const place = new Map(order.map((query, at) => [query, at]));
  const body = h("div", { "aria-live": "polite" });
  const step = (by: number) => {
    const at = place.get(store.state.query ?? order[0]) ?? 0;
    store.set({ query: order[(at + by + order.length) % order.length] });
  };
  const button = (words: string, label: string, by: number) => h("button", { type: "button", "aria-label": label, click: () => step(by) }, words);
  const where = h("span", { class: "small" });
  const draw = () => {
    const query = store.state.query ?? order[0];
    const at = (place.get(query) ?? 0) + 1;
    where.textContent = at === 1 ? `The query they disagree on most, of ${order.length.toLocaleString("en")} ` : `By disagreement number ${at.toLocaleString("en")} of ${order.length.toLocaleString("en")} `;
    body.replaceChildren(...drawn(scene, alike(scene, store.state.queryModel), query));
  };
  store.subscribe((_, changed) => (changed.has("query") || changed.has("queryModel")) && draw());
  draw();
  const card = h(
    "section",
    {
      class: "card query-card",
      "aria-label": "One query",
      tabindex: 0,
      keydown: (event: KeyboardEvent) => {
        if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
        event.preventDefault();
        step(event.key === "ArrowLeft" ? -1 : 1);
      },
    },
    h("div", { class: "query-steps" }, where, button("‹", "the query before", -1), button("›", "the next query", 1)),
    body,
  );
  card.append(pictureButtons(card, "one query"));
  return card;
}

function drawn(scene: Scene, answers: Answer[], query: number): Node[] {
  const { items } = scene.head;
  const own = scene.queryRow ? items.groups?.[scene.queryRow[query]] : null;
  const shown = answers.slice(0, COLUMNS);
  const hidden = answers.length - shown.length;
  return [
    h("p", { class: "query-line", dir: "auto" }, queryThumbnail(scene, query), h("strong", {}, `“${queryText(scene, query)}”`), h("span", { class: "small" }, ` ${own ?? queryId(scene, query)}`)),
    h("div", { class: "query-columns" }, ...shown.map((answer) => column(scene, answer, query))),
    ...(hidden > 0 ? [h("p", { class: "small" }, `${hidden} more models: below, in the neighbour diff.`)] : []),
  ];
}

function column(scene: Scene, answer: Answer, query: number): HTMLElement {
  const { items } = scene.head;
  const own = scene.queryRow ? scene.queryRow[query] : -1;
  const rows = returnedRows(answer, query).filter((row) => row !== own);
  const marks = rows.map((row) => isRight(scene, query, row));
  const right = marks.filter((mark) => mark === true).length;
  const known = marks.some((mark) => mark !== null);
  const what = scene.head.expected ? "expected" : "of its group";
  const listed = rows.slice(0, SHOWN).map((row, at) =>
    h(
      "li",
      { class: marks[at] === null ? "" : marks[at] ? "right" : "wrong", dir: "auto", title: items.texts[row] },
      h("span", { class: "visually-hidden" }, marks[at] === null ? "" : marks[at] ? `${what}: ` : `not ${what}: `),
      thumbnail(scene, row),
      items.texts[row],
      h("small", {}, ` ${items.groups?.[row] ?? items.ids[row]}`),
    ),
  );
  return h(
    "div",
    {},
    h("h3", { class: modelClass(scene.head, answer.model) }, answer.model, h("small", {}, known ? ` ${right} of ${rows.length} ${what}` : "")),
    h("ol", { class: "results" }, ...listed),
  );
}
