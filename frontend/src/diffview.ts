// The neighbour diff: a column per model, lines between the places of a row, exact places of what was not returned.

import { modelClass } from "./answer.js";
import { alike, columns, queryModels, type Column, type Entry } from "./compare.js";
import { choice, h, s } from "./dom.js";
import { queryId, queryText, type Answer, type Scene } from "./payload.js";
import type { State, Store } from "./state.js";

const SIGN: Record<Entry["status"], string> = { kept: "=", moved: "~", lost: "−", gained: "+", "same list": "" };
const MOST_COLUMNS = 4;

export function diffView(scene: Scene, store: Store): HTMLElement {
  const body = h("div", { class: "diff-body" });
  const controls = h("div", { class: "controls" });
  const asking = queryModels(scene);
  if (asking.length > 1)
    controls.append(
      choice("asked with", asking.map((name) => [name, name] as const), store.state.queryModel ?? asking[0], (value) =>
        store.set({ queryModel: value }),
      ),
    );
  const names = alike(scene, store.state.queryModel).map((answer) => answer.model);
  if (names.length > 1)
    controls.append(
      choice("against", names.map((name, at) => [String(at), name] as const), String(store.state.reference), (value) =>
        store.set({ reference: Number(value) }),
      ),
    );
  const draw = (state: Readonly<State>) => body.replaceChildren(...drawn(scene, store, state));
  store.subscribe((state, changed) => {
    if (changed.has("query") || changed.has("queryModel") || changed.has("reference")) draw(state);
    if (changed.has("hovered")) mark(body, state.hovered);
  });
  draw(store.state);
  return h("section", { class: "diff", "aria-label": "Neighbour diff" }, controls, body);
}

function drawn(scene: Scene, store: Store, state: Readonly<State>): Node[] {
  if (state.query === null) return [h("p", { class: "empty" }, "Choose a query in the list, or click a point in a map.")];
  const answers = alike(scene, state.queryModel);
  const heading = [h("strong", {}, queryId(scene, state.query)), ` ${queryText(scene, state.query)}`];
  return sideBySide(scene, store, answers, state.query, state.reference, heading);
}

/** The columns of one query, with lines between them and how to read them. */
export function sideBySide(
  scene: Scene,
  store: Store,
  answers: Answer[],
  query: number,
  against: number,
  heading: (Node | string)[],
): Node[] {
  const shown = shownAnswers(answers.length, against).map((at) => answers[at]);
  const reference = Math.max(0, shown.indexOf(answers[against]));
  const found = columns(shown, query, reference);
  const grid = h("div", { class: "diff-grid" });
  const lines = s("svg", { class: "diff-lines", "aria-hidden": "true" });
  const lists = found.map((column, at) => list(scene, store, column, at === reference));
  grid.append(lines, ...lists);
  new ResizeObserver(() => connect(grid, lines, lists)).observe(grid); // at first, and whenever places change
  const hidden = answers.length - shown.length;
  return [
    h("p", { class: "query-line" }, ...heading),
    grid,
    h(
      "p",
      { class: "small" },
      `= kept, ~ moved, + gained, − lost, against ${shown[reference].model}. Below each line: rows that only another `,
      "collection returned, at their exact place here.",
      hidden > 0 ? ` ${hidden} more models are not shown here; choose another one under "against".` : "",
    ),
  ];
}

function shownAnswers(count: number, reference: number): number[] {
  const all = Array.from({ length: count }, (_, at) => at);
  if (count <= MOST_COLUMNS) return all;
  return [reference, ...all.filter((at) => at !== reference)].slice(0, MOST_COLUMNS).sort((a, b) => a - b);
}

function list(scene: Scene, store: Store, column: Column, isReference: boolean): HTMLElement {
  const listed = h("ol", { class: "neighbours", "aria-label": `Neighbours in ${column.model}` });
  let before = true;
  for (const entry of column.entries) {
    if (before && !entry.returned) {
      listed.append(h("li", { class: "divider", "aria-hidden": "true" }));
      before = false;
    }
    listed.append(item(scene, store, entry, column.distanceWord));
  }
  if (!column.entries.some((entry) => entry.returned)) listed.prepend(h("li", { class: "empty" }, "nothing returned"));
  return h(
    "div",
    { class: "diff-column", "data-model": column.model },
    h("h4", { class: modelClass(scene.head, column.model) }, column.model, isReference ? " (compared with)" : ""),
    listed,
  );
}

function item(scene: Scene, store: Store, entry: Entry, word: string): HTMLElement {
  const { items } = scene.head;
  const query = scene.queryOfRow[entry.row];
  const distance = Number.isFinite(entry.distance) ? entry.distance.toFixed(3) : "n/a";
  const button = h(
    "button",
    {
      type: "button",
      title: `${word} ${distance}${query >= 0 ? "; open this row as a query" : ""}`,
      pointerenter: () => store.set({ hovered: entry.row }),
      focus: () => store.set({ hovered: entry.row }),
      click: () => query >= 0 && store.set({ query }),
    },
    h("span", { class: "rank" }, entry.rank > 0 ? String(entry.rank) : "–"),
    h("span", { class: "sign", "aria-label": entry.status }, SIGN[entry.status]),
    h("span", { class: "what" }, h("b", {}, items.ids[entry.row]), entry.isSelf ? " self" : "", ` ${items.texts[entry.row]}`),
    h("span", { class: "distance" }, distance),
  );
  const kind = `${entry.status.replace(" ", "-")}${entry.returned ? "" : " elsewhere"}`;
  return h("li", { class: `neighbour ${kind}`, "data-row": entry.row, "data-rank": entry.rank }, button);
}

function mark(body: HTMLElement, row: number | null): void {
  for (const each of body.querySelectorAll(".neighbour")) each.classList.toggle("hot", each.getAttribute("data-row") === String(row));
}

/** Lines between the places of one row in columns that stand next to each other. */
function connect(grid: HTMLElement, svg: SVGSVGElement, lists: HTMLElement[]): void {
  const frame = grid.getBoundingClientRect();
  svg.replaceChildren();
  svg.setAttribute("width", String(frame.width));
  svg.setAttribute("height", String(frame.height));
  for (let at = 0; at + 1 < lists.length; at++) {
    const right = new Map([...lists[at + 1].querySelectorAll(".neighbour")].map((each) => [each.getAttribute("data-row"), each]));
    for (const left of lists[at].querySelectorAll(".neighbour")) {
      const there = right.get(left.getAttribute("data-row"));
      if (!there) continue;
      const from = left.getBoundingClientRect();
      const to = there.getBoundingClientRect();
      if (from.right > to.left) continue; // columns stand below each other on a narrow page
      const faint = left.classList.contains("elsewhere") || there.classList.contains("elsewhere");
      svg.append(
        s("line", {
          x1: from.right - frame.left,
          y1: from.top + from.height / 2 - frame.top,
          x2: to.left - frame.left,
          y2: to.top + to.height / 2 - frame.top,
          class: faint ? "faint" : left.getAttribute("data-rank") === there.getAttribute("data-rank") ? "kept" : "moved",
        }),
      );
    }
  }
}
