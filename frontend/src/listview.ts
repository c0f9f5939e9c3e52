// Queries and corpus rows by disagreement: sortable, limited by every filter.

import { decimal } from "./charts.js";
import { modelClass } from "./colours.js";
import { alike } from "./compare.js";
import { breakable, h } from "./dom.js";
import { filtered, limits } from "./filters.js";
import { queryCount, queryId, queryText, type Answer, type Scene } from "./payload.js";
import { hits, isJudged, markOf, rightWords } from "./right.js";
import type { State, Store } from "./state.js";
import { queryThumbnail, thumbnail } from "./thumbnails.js";

/** What the list is sorted by; of the rows of which model are right as `right MODEL`. */
export type SortKey = "disagreement" | "id" | "group" | "text" | `right ${string}`;
const PAGE = 25;

/** What is listed: queries, or the rows that they return. */
export interface Listing {
  name: "queries" | "rows";
  one: string;
  count: number;
  values: Float32Array | Float64Array;
  digits: number;
  id(at: number): string;
  text(at: number): string;
  group(at: number): string | null;
  picture(at: number): HTMLElement | null;
}

export function queryListing(scene: Scene): Listing {
  const [id, text] = [(at: number) => queryId(scene, at), (at: number) => queryText(scene, at)];
  const group = (at: number) => (scene.queryRow ? (scene.head.items.groups?.[scene.queryRow[at]] ?? null) : null);
  return { name: "queries", one: "query", count: queryCount(scene), values: scene.disagreement, digits: 2, id, text, group, picture: (at) => queryThumbnail(scene, at) };
}

export function rowListing(scene: Scene): Listing {
  const { ids, texts, groups } = scene.head.items;
  const [id, text, group] = [(at: number) => ids[at], (at: number) => texts[at], (at: number) => groups?.[at] ?? null];
  return { name: "rows", one: "row", count: ids.length, values: scene.rowDisagreement, digits: 3, id, text, group, picture: (at) => thumbnail(scene, at) };
}

/** What to list, in order. Undefined disagreement (NaN) comes last either way. */
export function listed(listing: Listing, filter: ReadonlySet<number> | null, key: SortKey, descending: boolean, right?: ArrayLike<number>): number[] {
  const found = filter ? [...filter] : Array.from({ length: listing.count }, (_, at) => at);
  const sign = descending ? -1 : 1;
  const values = key === "disagreement" ? listing.values : right;
  return found.sort((a, b) => {
    if (values) {
      const [x, y] = [values[a], values[b]];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || a - b;
      return sign * (x - y) || a - b;
    }
    const of = key === "id" ? listing.id : key === "group" ? listing.group : listing.text;
    const [x, y] = [of(a) ?? "", of(b) ?? ""];
    return x === y ? a - b : sign * (x < y ? -1 : 1);
  });
}

const MOST_JUDGED = 3; // columns of right and wrong: of more models those of the pair

/** The answers whose right and wrong rows are told beside each query; none where nothing is known of that. */
export function judgedAnswers(scene: Scene, { queryModel, pair }: Pick<State, "queryModel" | "pair">): Answer[] {
  if (!isJudged(scene)) return [];
  const answers = alike(scene, queryModel);
  return answers.length <= MOST_JUDGED ? answers : [...new Set(pair)].flatMap((name) => answers.find(({ model }) => model === name) ?? []);
}

/** Of each query the share of an answer's rows that are right; NaN where that is not known. */
function rightShares(scene: Scene, answer: Answer): Float32Array {
  const known = shares.get(answer);
  if (known) return known;
  const found = Float32Array.from({ length: queryCount(scene) }, (_, query) => {
    const mine = hits(scene, answer, query);
    return mine ? mine.right / mine.of : Number.NaN;
  });
  shares.set(answer, found);
  return found;
}

const shares = new WeakMap<Answer, Float32Array>();

export function listView(scene: Scene, store: Store): HTMLElement {
  let [key, descending, page] = ["disagreement" as SortKey, true, 0];
  const listings = [queryListing(scene), rowListing(scene)];
  let [listing, judged, found] = [listings[0], [] as Answer[], [] as number[]];
  const count = h("span", { class: "count", role: "status" });
  const [body, head] = [h("tbody"), h("tr")];
  const pager = h("span", { class: "pager" });
  const what = h("span", { role: "group", "aria-label": "What is listed" });
  const grouped = scene.head.items.groups !== null;

  const draw = () => {
    const left = limits(scene, store.state.filters);
    judged = listing.name === "queries" ? judgedAnswers(scene, store.state) : [];
    const by = judged.find(({ model }) => key === `right ${model}`);
    if (key.startsWith("right ") && !by) [key, descending] = ["disagreement", true];
    found = listed(listing, listing.name === "rows" ? left.rows : left.queries, key, descending, by && rightShares(scene, by));
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    page = Math.min(page, pages - 1);
    const words = left.chips.map((chip) => chip.words).join(" and ");
    const whole = listing.name === "rows" && scene.head.drawn ? ` drawn of ${scene.head.rows.toLocaleString("en")}` : "";
    count.textContent = `${found.length.toLocaleString("en")} of ${listing.count.toLocaleString("en")} ${listing.name}${whole}${words ? `, ${words}` : ""}`;
    what.replaceChildren(...listings.map(choice));
    what.title = listing.name === "rows" ? scene.head.row_disagreement_words : scene.head.disagreement_words;
    const sortable: [SortKey, string][] = [["disagreement", "disagreement"], ["id", listing.one], ...(grouped ? [["group", "group"] as [SortKey, string]] : []), ...judged.map(({ model }) => [`right ${model}`, model] as [SortKey, string]), ["text", "text"]];
    head.replaceChildren(...sortable.map(([name, label]) => headCell(name, label)));
    const part = found.slice(page * PAGE, (page + 1) * PAGE);
    body.replaceChildren(...part.map(listing.name === "rows" ? corpusRow : queryRow));
    if (!found.length) body.append(h("tr", {}, h("td", { colspan: sortable.length, class: "empty" }, `No ${listing.one} fits.`)));
    pager.replaceChildren(turn("previous", page > 0, -1), ` page ${page + 1} of ${pages.toLocaleString("en")} `, turn("next", page + 1 < pages, 1));
  };
  const turn = (label: string, possible: boolean, step: number) =>
    h("button", { type: "button", class: "quiet", disabled: !possible, click: () => ((page += step), draw()) }, label);
  const headCell = (name: SortKey, label: string) => {
    const sorted = name === key ? (descending ? "descending" : "ascending") : "none";
    const sort = () => {
      descending = name === key ? !descending : name === "disagreement";
      [key, page] = [name, 0];
      draw();
      head.querySelector<HTMLElement>(`[data-key="${CSS.escape(name)}"]`)?.focus();
    };
    const arrow = sorted === "none" ? "" : descending ? " ▾" : " ▴";
    const of = name.startsWith("right ") ? { class: `of-right ${modelClass(scene.head, label)}`, title: `rows of ${label} that are ${rightWords(scene)}; ✓: the first one is` } : { class: `of-${name}` };
    return h("th", { "aria-sort": sorted, scope: "col", ...of }, h("button", { type: "button", "data-key": name, click: sort }, ...breakable(label), arrow));
  };
  const choice = (each: Listing) => {
    const choose = () => {
      [listing, page] = [each, 0];
      draw();
      what.querySelector<HTMLElement>(`[data-list=${each.name}]`)?.focus();
    };
    const pressed = each === listing ? "true" : "false";
    return h("button", { type: "button", class: "quiet", "data-list": each.name, "aria-pressed": pressed, click: choose }, each.name);
  };
  const cells = (at: number, name: Node) => [
    h("td", { class: "number" }, Number.isNaN(listing.values[at]) ? "n/a" : decimal(listing.values[at], listing.digits)),
    h("td", {}, name),
    grouped && h("td", { class: "text of-group", title: listing.group(at) }, listing.group(at) ?? ""),
    ...judged.map((answer) => hitsCell(scene, answer, at)),
    h("td", { class: "text", dir: "auto", title: listing.text(at) }, listing.picture(at), listing.text(at)),
  ];
  const corpusRow = (at: number) => {
    const over = () => store.set({ hovered: at });
    const ask = () => {
      [listing, page] = [listings[0], 0];
      store.set({ filters: { row: listings[1].id(at) } });
    };
    const label = "list the queries to which a model returns this row";
    const name = h("button", { type: "button", class: "link", title: label, focus: over, click: ask }, listing.id(at));
    return h("tr", { "data-row": at, pointerenter: over }, ...cells(at, name));
  };
  const queryRow = (query: number) => {
    const chosen = query === store.state.query && !store.state.typed;
    const over = () => store.set({ hovered: scene.queryRow ? scene.queryRow[query] : null });
    const open = () => {
      store.set({ query });
      body.querySelector<HTMLElement>(`[data-query="${query}"] button`)?.focus();
    };
    const name = h("button", { type: "button", class: "link", focus: over, click: open }, listing.id(query));
    return h("tr", { class: chosen ? "chosen" : "", "data-query": query, pointerenter: over, click: () => store.set({ query }) }, ...cells(query, name));
  };
  // Up and down go to the query before and after, in the order of the list, over its pages.
  const step = (event: KeyboardEvent) => {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const at = found.indexOf(store.state.query ?? -1);
    if (!by || listing.name !== "queries" || !found.length) return;
    event.preventDefault();
    const next = Math.min(found.length - 1, Math.max(0, at < 0 ? 0 : at + by));
    page = Math.floor(next / PAGE);
    store.set({ query: found[next] });
    body.querySelector<HTMLElement>(`[data-query="${found[next]}"] button`)?.focus();
  };
  store.subscribe((_, changed) => {
    if (changed.has("filters")) page = 0;
    if ((["filters", "query", "typed", "pair", "queryModel"] as const).some((name) => changed.has(name))) draw();
  });
  draw();
  return h(
    "section",
    { class: "list", "aria-label": "Queries and rows" },
    h("div", { class: "controls" }, what, searchField(store), count, pager),
    h("div", { class: "query-rows", keydown: step }, h("table", { class: "queries" }, h("thead", {}, head), body)),
  );
}

/** How many rows of an answer are right, marked where the first one is. */
function hitsCell(scene: Scene, answer: Answer, query: number): HTMLElement {
  const found = hits(scene, answer, query);
  if (!found) return h("td", { class: "hits empty", title: "nothing is known of this query" }, "n/a");
  const what = rightWords(scene);
  const title = `${answer.model}: ${found.right} of ${found.of} rows ${what}, ${found.of - found.right} not; the first one is ${found.first ? "" : "not "}${what}`;
  const mark = markOf(scene.head.expected !== null, found.first);
  return h("td", { class: `hits ${mark}`, title }, `${{ right: "✓", wrong: "✗", "": "–" }[mark]} ${found.right}/${found.of}`);
}

const PAUSE = 120; // milliseconds after the last letter: maps of many dots take longer to draw than a letter to type

function searchField(store: Store): HTMLElement {
  const search = h("input", { type: "search", placeholder: "search id and text", "aria-label": "Search the list" });
  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = window.setTimeout(() => {
      const wanted = search.value.trim() ? search.value : null;
      // Of the same letters nothing is drawn again: a click on its way would be lost.
      if (wanted !== (store.state.filters.search ?? null)) store.set({ filters: filtered(store.state.filters, "search", wanted) });
    }, PAUSE);
  });
  const show = () => {
    const now = store.state.filters.search ?? "";
    if (!search.matches(":focus")) search.value = now; // what is being typed is never overwritten
  };
  store.subscribe((_, changed) => changed.has("filters") && show());
  show();
  return search;
}
