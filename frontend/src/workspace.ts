// Maps, diff and list in one view, so that a click changes what is seen; above them what they are limited to.

import { colours, colourWords } from "./colouring.js";
import { alike, queryModels } from "./compare.js";
import { diffView } from "./diffview.js";
import { choice, h } from "./dom.js";
import { filtered, limits, type Kind } from "./filters.js";
import { histogram } from "./histogram.js";
import { listView } from "./listview.js";
import { mapsView } from "./maps.js";
import { partsTable, partsWords, surest } from "./parts.js";
import type { Scene } from "./payload.js";
import { pictureButtons } from "./picture.js";
import type { Colour, State, Store } from "./state.js";

/** The linked part: maps, diff, histogram and list. */
export function workspace(scene: Scene, store: Store): HTMLElement {
  const maps = scene.maps.length ? mapsView(scene, store) : null;
  const left = h("figure", { class: "pane" }, maps?.element ?? h("p", { class: "empty" }, scene.head.maps_words));
  const right = h("figure", { class: "pane pane-diff" }, diffView(scene, store));
  const below = h("figure", { class: "pane pane-list" }, spread(scene, store), listView(scene, store));
  left.append(pictureButtons(left, "maps"));
  right.append(pictureButtons(right, "neighbour diff"));
  below.append(pictureButtons(below, "queries by disagreement"));
  const reset = maps && h("button", { type: "button", class: "quiet", title: "Ctrl and the wheel zoom all maps", click: maps.reset }, "reset zoom");
  return h("div", { class: "workspace" }, toolbar(scene, store, reset), left, right, below);
}

const PARTS_SHOWN = 40;

/** How the disagreement is spread: over its values, or over groups or clusters. */
function spread(scene: Scene, store: Store): HTMLElement {
  const values = histogram(scene, store);
  if (!surest(scene, 1).length) return values;
  const label = `Neighbours in common by ${partsWords(scene)}`;
  const views = { values, [partsWords(scene)]: h("div", { class: "scroll parts-box", tabindex: 0, role: "region", "aria-label": label }, partsTable(scene, store, PARTS_SHOWN)) };
  const what = h("div", { role: "group", "aria-label": "Disagreement by" }, h("span", { class: "small" }, "disagreement by "));
  const box = h("div", { class: "spread" }, what, ...Object.values(views));
  const show = (chosen: string) => {
    for (const button of what.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.textContent === chosen));
    for (const [name, view] of Object.entries(views)) view.hidden = name !== chosen;
  };
  what.append(...Object.keys(views).map((name) => h("button", { type: "button", class: "quiet", click: () => show(name) }, name)));
  show("values");
  return box;
}

/** How to read it, beside the title: the workspace itself has no room for words. */
export function reading({ head }: Scene): HTMLElement {
  return h(
    "details",
    { class: "help" },
    h("summary", {}, "How to read this"),
    h("p", {}, head.maps_words),
    h("p", {}, "In each map lines lead from the chosen query to what that map's model returned; rings are what the other model returned. A click on a dot opens its neighbours; Shift and drag (or a click beside the dots, then drag) draws a lasso; Ctrl and the wheel zoom all maps."),
    h("p", {}, head.disagreement_words),
    h("p", {}, "Lasso, group, cluster, any name of the legend, bar of the histogram and search limit every map and the list, all at once; each stands above as a chip, and a click on a chip takes it away."),
  );
}

function toolbar(scene: Scene, store: Store, reset: HTMLElement | null): HTMLElement {
  const chosen = h("span", { class: "chosen-pair" });
  const draw = (state: Readonly<State>) => chosen.replaceChildren(...choices(scene, store, state));
  store.subscribe((state, changed) => (["pair", "queryModel", "colour", "hulls"] as const).some((key) => changed.has(key)) && draw(state));
  draw(store.state);
  const drawn = scene.head.drawn && h("span", { class: "small", role: "note", title: scene.head.drawn }, scene.head.drawn.split(":")[0]);
  return h("div", { class: "toolbar controls" }, chosen, groupSearch(scene, store), chips(scene, store), reset, drawn);
}

function choices(scene: Scene, store: Store, state: Readonly<State>): HTMLElement[] {
  const models = alike(scene, state.queryModel).map((answer) => [answer.model, answer.model] as const);
  const side = (label: string, at: 0 | 1) =>
    choice(label, models, state.pair[at], (model) => store.set({ pair: at ? [state.pair[0], model] : [model, state.pair[1]] }));
  const asking = queryModels(scene).map((name) => [name, name] as const);
  const colouring = colours(scene).map((colour) => [colour, colourWords(colour)] as const);
  return [
    ...(models.length > 1 ? [side("compare", 0), side("with", 1)] : []),
    ...(asking.length > 1 ? [choice("asked with", asking, state.queryModel ?? "", (queryModel) => store.set({ queryModel }))] : []),
    ...(colouring.length > 1 ? [choice("colour", colouring, state.colour, (colour) => store.set({ colour: colour as Colour }))] : []),
    ...(scene.maps.length && surest(scene, 1).length ? [hullButton(scene, store, state.hulls)] : []),
  ];
}

/** The parts in which the models disagree most, drawn on the maps or not. */
function hullButton(scene: Scene, store: Store, shown: boolean): HTMLElement {
  const title = `The five ${partsWords(scene)} in which the models disagree most: each outline holds the 70 % of its rows that lie nearest its middle`;
  return h("button", { type: "button", class: "quiet", "aria-pressed": String(shown), title, click: () => store.set({ hulls: !shown }) }, "outlines");
}

let lists = 0;

/** Any group, however many there are: found by letters of its name. */
function groupSearch(scene: Scene, store: Store): HTMLElement | null {
  const { groups } = scene.head.items;
  if (!groups) return null;
  const names = [...new Set(groups)].sort((a, b) => (a < b ? -1 : 1));
  const list = h("datalist", { id: `embdiff-groups-${++lists}` }, ...names.map((value) => h("option", { value })));
  const field = h("input", { type: "text", list: list.id, placeholder: `any of ${names.length.toLocaleString("en")} groups`, "aria-label": "Group", class: "group-search" });
  const choose = () => {
    const wanted = field.value.trim().toLowerCase();
    const fits = names.filter((name) => name.toLowerCase().includes(wanted));
    const found = names.find((name) => name === field.value) ?? (fits.length === 1 ? fits[0] : null);
    if (!wanted || found !== null) store.set({ filters: filtered(store.state.filters, "group", wanted ? found : null) });
  };
  field.addEventListener("change", choose);
  const show = () => (field.value = store.state.filters.group ?? "");
  store.subscribe((_, changed) => changed.has("filters") && show());
  show();
  return h("label", { class: "choice" }, "group ", field, list);
}

function chips(scene: Scene, store: Store): HTMLElement {
  const box = h("span", { class: "chips", role: "group", "aria-label": "Filters" });
  const without = (kind: Kind) => store.set({ filters: filtered(store.state.filters, kind, null) });
  const draw = () => {
    const found = limits(scene, store.state.filters).chips;
    box.replaceChildren(
      ...found.map(({ kind, words }) => h("button", { type: "button", class: "chip", "data-kind": kind, "aria-label": `take away: ${words}`, click: () => without(kind) }, `${words} ×`)),
      ...(found.length ? [h("button", { type: "button", class: "quiet", click: () => store.set({ filters: {} }) }, "show all")] : []),
    );
  };
  store.subscribe((_, changed) => changed.has("filters") && draw());
  draw();
  return box;
}
