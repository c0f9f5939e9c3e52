// The neighbour diff of two models: what both returned, and what each alone, with the exact place in the other.

import { modelClass } from "./colours.js";
import { blocks, shownAnswers, type Entry } from "./compare.js";
import { causesOf } from "./why.js";
import { h } from "./dom.js";
import { queryId, queryText, type Answer, type Scene } from "./payload.js";
import { isRight, markOf } from "./right.js";
import type { State, Store, Typed } from "./state.js";
import { queryThumbnail, thumbnail } from "./thumbnails.js";

export function diffView(scene: Scene, store: Store): HTMLElement {
  const body = h("div", { class: "diff-body" });
  const draw = (state: Readonly<State>) => body.replaceChildren(...drawn(scene, store, state));
  store.subscribe((state, changed) => {
    if (["query", "queryModel", "pair", "typed"].some((key) => changed.has(key as keyof State))) draw(state);
    if (changed.has("hovered")) mark(body, state.hovered);
  });
  draw(store.state);
  return h("section", { class: "diff", "aria-label": "Neighbour diff" }, body);
}

function drawn(scene: Scene, store: Store, state: Readonly<State>): Node[] {
  const { answers, query } = shownAnswers(scene, state);
  if (query === null) return [h("p", { class: "empty" }, "Choose a query in the list, or click a point in a map.")];
  const pair = state.pair.map((name) => answers.find((answer) => answer.model === name)).filter((answer): answer is Answer => !!answer);
  return [heading(scene, state, query), ...(pair.length ? threeBlocks(scene, store, state, pair, query) : [])];
}

function heading(scene: Scene, { typed }: Readonly<State>, query: number): HTMLElement {
  const { groups } = scene.head.items;
  const group = typed || !scene.queryRow ? null : groups?.[scene.queryRow[query]];
  const [name, text] = typed ? ["your query", typed.text] : [queryId(scene, query), queryText(scene, query)];
  return h("p", { class: "query-line", dir: "auto" }, typed ? null : queryThumbnail(scene, query), h("strong", {}, name), text === name ? "" : ` ${text}`, group ? h("span", { class: "tag" }, group) : null);
}

function threeBlocks(scene: Scene, store: Store, state: Readonly<State>, found: Answer[], query: number): Node[] {
  const [a, b] = [found[0], found[found.length - 1]];
  const one = a.model === b.model;
  const pair = one ? [a] : [a, b];
  const { both, only } = blocks(a, b, query);
  const causes = state.typed || one ? new Map<number, number[]>() : causesOf(scene, a, b, query);
  const list = (name: string, title: (Node | string)[], entries: Entry[]) =>
    h(
      "div",
      { class: "diff-block", "data-block": name },
      h("h4", {}, ...title, h("small", {}, ` ${entries.length}`)),
      h(
        "ol",
        { class: "neighbours" },
        ...entries.map((entry) => item(scene, store, entry, pair, state.typed ? null : query, causes.get(entry.row) ?? [])),
        entries.length ? null : h("li", { class: "empty" }, "none"),
      ),
    );
  const named = (answer: Answer) => h("span", { class: modelClass(scene.head, answer.model) }, answer.model);
  if (one) return [list("both", ["Returned by ", named(a)], both)];
  return [
    list("both", ["Both return"], both),
    h("div", { class: "diff-only" }, list("a", ["Only ", named(a)], only[0]), list("b", ["Only ", named(b)], only[1])),
    h("p", { class: "small" }, "Numbers: rank in ", named(a), ", then in ", named(b), "; where a row was not returned, its exact place there."),
  ];
}

function item(scene: Scene, store: Store, entry: Entry, pair: Answer[], query: number | null, causes: number[]): HTMLElement {
  const { items } = scene.head;
  const asks = scene.queryOfRow[entry.row];
  const { typed } = store.state;
  const [id, text] = [h("b", {}, items.ids[entry.row]), items.texts[entry.row]];
  const right = query === null ? (typed?.labels.get(entry.row) ?? null) : isRight(scene, query, entry.row);
  const far = pair.map((answer, at) => `${answer.model}: rank ${entry.ranks[at] || "not known"}, ${answer.distanceWord} ${Number.isFinite(entry.distances[at]) ? entry.distances[at].toFixed(3) : "n/a"}`);
  const shown = [
    ...pair.map((answer, at) => h("span", { class: `rank ${modelClass(scene.head, answer.model)}` }, entry.ranks[at] > 0 ? entry.ranks[at].toLocaleString("en") : "–")),
    h("span", { class: "what", dir: "auto" }, entry.isSelf ? "self: " : "", thumbnail(scene, entry.row), ...(text === items.ids[entry.row] ? [text] : items.chunks ? [id, ` ${text}`] : [`${text} `, id])),
    ...causes.map((bit) => h("span", { class: "cause", title: scene.head.causes[bit][1] }, scene.head.causes[bit][0])),
    items.groups ? h("span", { class: "tag" }, items.groups[entry.row]) : null,
  ];
  const over = () => store.set({ hovered: entry.row });
  const about = { title: [items.texts[entry.row], ...far].join("\n"), class: "entry", pointerenter: over };
  // A row that did not ask cannot be opened, so it is no button; it is shown by the pointer all the same.
  const inside =
    asks >= 0
      ? h("button", { type: "button", ...about, focus: over, click: () => store.set({ query: asks }) }, ...shown)
      : h("div", about, ...shown);
  const mark = markOf(query === null || scene.head.expected !== null, right);
  return h("li", { class: `neighbour ${mark}`, "data-row": entry.row, "data-a": entry.ranks[0], "data-b": entry.ranks[1] }, inside, typed && labelChips(typed, entry.row));
}

/** Whether a result of the query typed is right: what is said goes to the judgements. */
function labelChips(typed: Typed, row: number): HTMLElement {
  const chip = (sign: string, name: string, right: boolean) =>
    h("button", { type: "button", class: "quiet", "aria-label": name, "aria-pressed": String(typed.labels.get(row) === right), click: () => typed.label(row, right) }, sign);
  return h("span", { class: "label-chips" }, chip("✓", "right", true), chip("✗", "wrong", false));
}

function mark(body: HTMLElement, row: number | null): void {
  for (const each of body.querySelectorAll(".neighbour")) each.classList.toggle("hot", each.getAttribute("data-row") === String(row));
}
