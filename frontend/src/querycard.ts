// One query at a time, the most disputed first: what each model returned, right and wrong marked where that is known.

import { modelClass } from "./colours.js";
import { alike, returnedRows } from "./compare.js";
import { h } from "./dom.js";
import { filtered, limits } from "./filters.js";
import { queryCount, queryId, queryText, type Answer, type Scene } from "./payload.js";
import { pictureButtons } from "./picture.js";
import { hits, isRight, markOf, ofPreset, presetWords, presets, rightWords } from "./right.js";
import type { Store } from "./state.js";
import { queryThumbnail, thumbnail } from "./thumbnails.js";

const SHOWN = 5;
const COLUMNS = 3;

/** The queries by disagreement, the most disputed first; undefined ones last. */
export function byDisagreement(scene: Scene): number[] {
  const value = (query: number) => (Number.isNaN(scene.disagreement[query]) ? -1 : scene.disagreement[query]);
  return Array.from({ length: queryCount(scene) }, (_, query) => query).sort((a, b) => value(b) - value(a) || a - b);
}

/** The queries that the filters leave, the most disputed first. */
function gallery(scene: Scene, store: Store, every: readonly number[]): { order: readonly number[]; words: string } {
  const { queries, chips } = limits(scene, store.state.filters);
  return { order: queries ? every.filter((query) => queries.has(query)) : every, words: chips.map((chip) => chip.words).join(" and ") };
}

export function queryCard(scene: Scene, store: Store): HTMLElement | null {
  const every = byDisagreement(scene);
  if (!every.length || !scene.answers.length) return null;
  const body = h("div", { "aria-live": "polite" });
  const step = (by: number) => {
    const { order } = gallery(scene, store, every);
    if (!order.length) return;
    const at = order.indexOf(store.state.query ?? every[0]);
    store.set({ query: order[at < 0 ? (by > 0 ? 0 : order.length - 1) : (at + by + order.length) % order.length] });
  };
  const button = (words: string, label: string, by: number) => h("button", { type: "button", "aria-label": label, click: () => step(by) }, words);
  const where = h("span", { class: "small" });
  const draw = () => {
    const query = store.state.query ?? every[0];
    where.textContent = placeWords(query, gallery(scene, store, every));
    body.replaceChildren(...drawn(scene, alike(scene, store.state.queryModel), store.state.pair, query));
  };
  store.subscribe((_, changed) => (["query", "queryModel", "pair", "filters"] as const).some((key) => changed.has(key)) && draw());
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
    h("div", { class: "query-steps" }, where, button("‹", "the query before", -1), button("›", "the next query", 1), presetButtons(scene, store, every)),
    body,
  );
  card.append(pictureButtons(card, "one query"));
  return card;
}

function placeWords(query: number, { order, words }: ReturnType<typeof gallery>): string {
  const at = order.indexOf(query) + 1;
  const of = `${order.length.toLocaleString("en")} ${order.length === 1 ? "query" : "queries"}${words ? ` (${words})` : ""}`;
  if (!at) return order.length ? `Not among the ${of} ` : `No query: ${words} `;
  return at === 1 ? `Look here first: the most disputed of ${of} ` : `By disagreement number ${at.toLocaleString("en")} of ${of} `;
}

/** Queries of a kind at one click, with how many there are; the first of them is shown. */
function presetButtons(scene: Scene, store: Store, every: readonly number[]): HTMLElement {
  const box = h("span", { class: "presets", role: "group", "aria-label": "Which queries" });
  const draw = () => {
    const { pair, queryModel, filters } = store.state;
    box.replaceChildren(
      ...presets(scene, queryModel, pair).map((preset) => {
        const text = JSON.stringify(preset);
        const { words, about } = presetWords(scene, preset);
        const queries = ofPreset(scene, text)?.queries ?? new Set();
        const chosen = filters.preset === text;
        const choose = () => {
          const now = filtered(store.state.filters, "preset", chosen ? null : text);
          const first = chosen ? undefined : every.find((query) => limits(scene, now).queries?.has(query));
          store.set(first === undefined ? { filters: now } : { filters: now, query: first });
        };
        return h("button", { type: "button", class: "quiet", "aria-pressed": String(chosen), title: about, disabled: !queries.size, click: choose }, `${words} `, h("small", {}, queries.size.toLocaleString("en")));
      }),
    );
  };
  store.subscribe((_, changed) => (["pair", "queryModel", "filters"] as const).some((key) => changed.has(key)) && draw());
  draw();
  return box;
}

/** The answers that have room: those of the pair that is compared, and the first others; in their order. */
export function besideEachOther<T extends Pick<Answer, "model">>(answers: readonly T[], pair: readonly string[]): T[] {
  const first = [...answers].sort((a, b) => Number(pair.includes(b.model)) - Number(pair.includes(a.model))).slice(0, COLUMNS);
  return answers.filter((answer) => first.includes(answer));
}

function drawn(scene: Scene, answers: Answer[], pair: readonly string[], query: number): Node[] {
  const { items } = scene.head;
  const own = scene.queryRow ? items.groups?.[scene.queryRow[query]] : null;
  const shown = besideEachOther(answers, pair);
  const hidden = answers.length - shown.length;
  return [
    h("p", { class: "query-line", dir: "auto" }, queryThumbnail(scene, query), h("strong", {}, `“${queryText(scene, query)}”`), h("span", { class: "small" }, ` ${own ?? queryId(scene, query)}`)),
    h("div", { class: "query-columns" }, ...shown.map((answer) => column(scene, answer, query))),
    ...(hidden > 0 ? [h("p", { class: "small" }, `${hidden} more model${hidden > 1 ? "s" : ""}: choose below which two are compared.`)] : []),
  ];
}

function column(scene: Scene, answer: Answer, query: number): HTMLElement {
  const { items } = scene.head;
  const own = scene.queryRow ? scene.queryRow[query] : -1;
  const rows = returnedRows(answer, query).filter((row) => row !== own);
  const found = hits(scene, answer, query);
  const what = rightWords(scene);
  const listed = rows.slice(0, SHOWN).map((row, at) => {
    const mark = isRight(scene, query, row);
    return h(
      "li",
      { class: markOf(scene.head.expected !== null, mark), dir: "auto", title: items.texts[row] },
      h("span", { class: "place", "aria-hidden": "true" }, String(at + 1)),
      h("span", { class: "visually-hidden" }, mark === null ? "" : mark ? `${what}: ` : `not ${what}: `),
      thumbnail(scene, row),
      items.chunks ? h("small", {}, `${items.ids[row]} `) : "", // of which document it is: a long text would hide it
      h("span", { class: "what" }, items.texts[row]),
      items.chunks ? "" : h("small", { class: "of" }, items.groups?.[row] ?? items.ids[row]),
    );
  });
  return h(
    "div",
    {},
    h("h3", { class: modelClass(scene.head, answer.model) }, answer.model, h("small", {}, found ? ` ${found.right} of ${found.of} ${what}` : "")),
    h("ol", { class: "results" }, ...listed),
  );
}
