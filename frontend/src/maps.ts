// Linked maps: hover, click and lasso in one are seen in all. They are only maps; neighbours come from the full space.

import createScatterplot, { createRenderer } from "regl-scatterplot";
import { alike, returnedRows } from "./compare.js";
import { AMOUNTS, GROUPS, groupColours } from "./colours.js";
import { choice, h } from "./dom.js";
import type { Scene } from "./payload.js";
import type { Colour, State, Store } from "./state.js";

type Plot = ReturnType<typeof createScatterplot>;
const MOST_MAPS = 3;

export function mapsView(scene: Scene, store: Store): HTMLElement {
  const strip = h("p", { class: "hover-line", "aria-live": "off" });
  const area = h("div", { class: "maps" });
  const section = h("section", { class: "maps-section", "aria-label": "Maps" }, controls(scene, store, area), area, legend(scene, store), strip);
  store.subscribe((state, changed) => changed.has("hovered") && say(scene, strip, state.hovered));
  say(scene, strip, null);
  return section;
}

function controls(scene: Scene, store: Store, area: HTMLElement): HTMLElement {
  const box = h("div", { class: "controls" });
  let renderer: ReturnType<typeof createRenderer> | null = null;
  const panels: Panel[] = [];
  const shown = scene.maps.slice(0, MOST_MAPS).map((_, at) => at);
  const redraw = () => {
    for (const panel of panels.splice(0)) panel.plot.destroy();
    area.replaceChildren();
    try {
      renderer ??= createRenderer();
      for (const at of shown) panels.push(panel(scene, store, renderer, at, area));
    } catch {
      area.replaceChildren(h("p", { class: "empty" }, "The maps could not be drawn: this browser offers no WebGL. The lists below need none."));
    }
    void Promise.all(panels.map((each) => each.ready)).then(() => area.setAttribute("data-ready", "true"));
  };
  if (scene.head.items.groups)
    box.append(
      choice("colour", [["group", "group"], ["disagreement", "disagreement"]], store.state.colour, (value) =>
        store.set({ colour: value as Colour }),
      ),
    );
  if (scene.maps.length > MOST_MAPS)
    shown.forEach((at, place) =>
      box.append(
        choice(`map ${place + 1}`, scene.maps.map((map, each) => [String(each), map.model] as const), String(at), (value) => {
          shown[place] = Number(value);
          redraw();
        }),
      ),
    );
  store.subscribe((state, changed) => panels.forEach((each) => each.update(state, changed)));
  // The panels need their size, so they are made once the page holds them.
  new ResizeObserver((_, observer) => {
    if (!area.clientWidth) return;
    observer.disconnect();
    redraw();
  }).observe(area);
  return box;
}

interface Panel {
  plot: Plot;
  ready: Promise<void>;
  update: (state: Readonly<State>, changed: ReadonlySet<keyof State>) => void;
}

function panel(scene: Scene, store: Store, renderer: ReturnType<typeof createRenderer>, at: number, area: HTMLElement): Panel {
  const map = scene.maps[at];
  const canvas = h("canvas", { "aria-label": `Map of ${map.model}`, role: "img" });
  const frame = h("div", { class: "map-frame" }, canvas);
  area.append(h("div", { class: "map", "data-model": map.model }, h("h4", {}, map.model), frame, h("p", { class: "small" }, map.about)));
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const plot = createScatterplot({
    renderer,
    canvas,
    width: "auto",
    height: "auto",
    backgroundColor: dark ? "#16181d" : "#ffffff",
    pointSize: scene.head.items.ids.length > 20_000 ? 2 : scene.head.items.ids.length > 2_000 ? 4 : 7,
    opacity: 0.85,
    pointColorHover: dark ? "#ffffff" : "#000000",
    pointColorActive: "#d00000",
    pointOutlineWidth: 2,
    pointSizeSelected: 3,
    lassoInitiator: true,
  });
  const draw = (colour: Colour) => plot.draw({ x: map.x, y: map.y, valueA: values(scene, colour) }, { zDataType: colour === "group" ? "categorical" : "continuous" });
  const paint = (colour: Colour) => plot.set({ colorBy: "valueA", pointColor: colour === "group" ? GROUPS : AMOUNTS });
  paint(store.state.colour);
  const ready = draw(store.state.colour).then(() => follow(scene, store.state, plot));
  plot.subscribe("pointOver", (row: number) => store.set({ hovered: row }));
  plot.subscribe("pointOut", () => store.set({ hovered: null }));
  plot.subscribe("select", ({ points }: { points: number[] }) => picked(scene, store, points));
  plot.subscribe("deselect", () => store.set({ filter: null, filterWords: "" }));
  const update: Panel["update"] = (state, changed) => {
    if (changed.has("hovered")) plot.hover(state.hovered ?? -1, { preventEvent: true } as never);
    if (changed.has("colour")) {
      paint(state.colour);
      void draw(state.colour).then(() => follow(scene, state, plot));
    }
    if (changed.has("query") || changed.has("queryModel")) follow(scene, state, plot);
    if (changed.has("nearest")) cross(map, state.nearest?.get(map.model), plot);
  };
  return { plot, ready, update };
}

/** A click opens the row as a query; a lasso limits the list to the queries inside. */
function picked(scene: Scene, store: Store, points: number[]): void {
  const asked = points.map((row) => scene.queryOfRow[row]).filter((query) => query >= 0);
  if (points.length > 1)
    return store.set({ filter: new Set(asked), filterWords: `inside the lasso (${points.length.toLocaleString("en")} rows)` });
  if (asked.length) store.set({ query: asked[0] });
  else store.set({ hovered: points[0] ?? null });
}

/** Mark where a typed query stands: the middle of the rows nearest to it in the full space. */
function cross(map: Scene["maps"][number], nearest: number[] | undefined, plot: Plot): void {
  if (!nearest?.length) return void plot.clearAnnotations();
  const middle = (values: Float32Array) => nearest.reduce((sum, row) => sum + values[row], 0) / nearest.length;
  const line = { lineColor: [0.82, 0.1, 0.1, 0.8] as [number, number, number, number], lineWidth: 1.5 };
  void plot.drawAnnotations([
    { x: middle(map.x), ...line },
    { y: middle(map.y), ...line },
  ]);
}

/** Highlight the query chosen and every row that any collection returned to it. */
function follow(scene: Scene, state: Readonly<State>, plot: Plot): void {
  if (state.query === null) return plot.deselect({ preventEvent: true });
  const query = state.query;
  const rows = new Set(alike(scene, state.queryModel).flatMap((answer) => returnedRows(answer, query)));
  if (scene.queryRow) rows.add(scene.queryRow[query]);
  plot.select([...rows], { preventEvent: true });
}

function values(scene: Scene, colour: Colour): Float32Array {
  const { groups, ids } = scene.head.items;
  const out = new Float32Array(ids.length);
  if (colour === "group" && groups) {
    const { of } = groupColours(groups);
    groups.forEach((group, row) => (out[row] = of.get(group) ?? 0));
    return out;
  }
  scene.disagreement.forEach((value, query) => {
    if (scene.queryRow && !Number.isNaN(value)) out[scene.queryRow[query]] = value;
  });
  return out;
}

function legend(scene: Scene, store: Store): HTMLElement {
  const box = h("div", { class: "legend" });
  const draw = (colour: Colour) => {
    const { groups } = scene.head.items;
    if (colour === "group" && groups)
      box.replaceChildren(...groupColours(groups).names.map((name, at) => h("span", {}, swatch(GROUPS[at]), ` ${name} `)));
    else
      box.replaceChildren(
        h("span", {}, "all agree ", ...AMOUNTS.filter((_, at) => at % 4 === 0).map(swatch), " nothing shared"),
        h("span", {}, scene.queryRow && scene.queryRow.length < scene.head.items.ids.length ? " (rows that did not ask are shown as agreeing)" : ""),
      );
  };
  draw(store.state.colour);
  store.subscribe((state, changed) => changed.has("colour") && draw(state.colour));
  return box;
}

function swatch(colour: string): HTMLElement {
  const mark = h("i", { class: "swatch" });
  mark.style.backgroundColor = colour;
  return mark;
}

function say(scene: Scene, strip: HTMLElement, row: number | null): void {
  const { ids, texts, groups } = scene.head.items;
  strip.replaceChildren(
    ...(row === null
      ? ["Point at a dot to read it, click to open its neighbours, hold and drag (lasso) to limit the list."]
      : [h("b", {}, ids[row]), groups ? ` [${groups[row]}]` : "", ` ${texts[row]}`]),
  );
}
