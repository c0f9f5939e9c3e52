// One map: dots by WebGL, and above them the ring around the row that is pointed at, here or anywhere on the page.

import KDBush from "kdbush";
import createScatterplot, { type createRenderer } from "regl-scatterplot";
import { alike, returnedRows } from "./compare.js";
import { DOTS, dotAmounts, groupColours, NEUTRAL } from "./colours.js";
import { h } from "./dom.js";
import type { Scene } from "./payload.js";
import { closest, dotScale, newMark, toMap, toScreen, zoom, type Place, type Size, type View } from "./pointing.js";
import type { Colour, State, Store } from "./state.js";

type Plot = ReturnType<typeof createScatterplot>;
type Map2D = Scene["maps"][number];
const REACH = 4; // pixels around a dot that still count as the dot
const DRAG = 4; // pixels from which a press that moves is no click
// The scatterplot looks for dots within its own size of them plus a few pixels: below nothing there is none to be found,
// and it never draws all again for the one pointed at.
const FINDS_NOTHING = { pointSizeMouseDetection: -1_000_000 } as object;

export interface Panel {
  ready: Promise<void>;
  update: (state: Readonly<State>, changed: ReadonlySet<keyof State>) => void;
  destroy: () => void;
}

export function newPanel(scene: Scene, store: Store, renderer: ReturnType<typeof createRenderer>, at: number, area: HTMLElement): Panel {
  const map = scene.maps[at];
  const canvas = h("canvas", { "aria-label": `Map of ${map.model}`, role: "img" });
  const [ring, box] = [newMark("ring"), newMark("box")];
  const frame = h("div", { class: "map-frame" }, canvas, box.element, ring.element);
  area.append(h("div", { class: "map", "data-model": map.model }, h("h4", {}, map.model), frame, h("p", { class: "small" }, map.about)));
  const dotSize = scene.head.items.ids.length > 20_000 ? 2 : scene.head.items.ids.length > 2_000 ? 4 : 7;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const plot = createScatterplot({
    renderer,
    canvas,
    width: "auto",
    height: "auto",
    ...ground(dark.matches),
    pointSize: dotSize,
    opacity: 0.85,
    pointColorActive: "#d00000",
    pointOutlineWidth: 2,
    pointSizeSelected: 3,
    lassoInitiator: true,
    ...FINDS_NOTHING,
  });
  const index = indexed(map);
  const view = () => plot.get("cameraView") as View;
  const size = (): Size => ({ width: frame.clientWidth, height: frame.clientHeight });
  const mark = () => {
    const { hovered, query } = store.state;
    const asking = query === null || !scene.queryRow ? null : scene.queryRow[query];
    const place = (row: number | null) => (row === null ? null : toScreen(view(), size(), [map.x[row], map.y[row]]));
    const dot = (dotSize * dotScale(view())) / 2;
    ring.put(place(hovered), dot + 4, size());
    box.put(place(asking), dot + 7, size());
  };
  const rowAt = (place: Place) => {
    const perPixel = 2 / (frame.clientHeight * zoom(view()));
    return closest(index, map.x, map.y, toMap(view(), size(), place), (dotSize * dotScale(view()) + REACH) * perPixel);
  };
  const draw = (colour: Colour) =>
    plot.draw(
      { x: map.x, y: map.y, valueA: values(scene, colour) },
      { zDataType: colour === "group" ? "categorical" : "continuous", spatialIndex: index.data as ArrayBuffer },
    );
  const paint = (colour: Colour) => plot.set({ ...ground(dark.matches), colorBy: "valueA", pointColor: palette(scene, colour, dark.matches) });
  paint(store.state.colour);
  const ready = draw(store.state.colour).then(() => follow(scene, store.state, plot));
  follows(frame, rowAt, store);
  clicks(frame, rowAt, (row) => opened(scene, store, row));
  plot.subscribe("drawing", mark); // panned, zoomed or resized
  plot.subscribe("select", ({ points }: { points: number[] }) => enclosed(scene, store, points));
  plot.subscribe("deselect", () => {
    store.set({ filter: null, filterWords: "" });
    follow(scene, store.state, plot);
  });
  const toned = () => paint(store.state.colour);
  dark.addEventListener("change", toned);
  const update: Panel["update"] = (state, changed) => {
    if (changed.has("hovered") || changed.has("query")) mark();
    if (changed.has("colour")) {
      paint(state.colour);
      void draw(state.colour).then(() => follow(scene, state, plot));
    }
    if (changed.has("query") || changed.has("queryModel")) follow(scene, state, plot);
    if (changed.has("nearest")) cross(map, state.nearest?.get(map.model), plot);
  };
  const destroy = () => {
    dark.removeEventListener("change", toned);
    plot.destroy();
  };
  return { ready, update, destroy };
}

function ground(dark: boolean): { backgroundColor: string } {
  return { backgroundColor: dark ? "#16181d" : "#ffffff" };
}

/** Colours of the dots; none where nothing is known of the rows, because the queries come from elsewhere. */
export function palette(scene: Scene, colour: Colour, dark: boolean): string[] {
  if (colour === "group") return DOTS;
  return scene.queryRow ? dotAmounts(dark) : [NEUTRAL, NEUTRAL];
}

function indexed(map: Map2D): KDBush {
  const index = new KDBush(map.x.length);
  for (let row = 0; row < map.x.length; row++) index.add(map.x[row], map.y[row]);
  return index.finish();
}

/** Tell the store which row is under the pointer, once a frame at most, and not while a map is dragged. */
function follows(frame: HTMLElement, rowAt: (place: Place) => number | null, store: Store): void {
  let [last, waiting]: [PointerEvent | null, boolean] = [null, false];
  const look = () => {
    waiting = false;
    if (last) store.set({ hovered: rowAt(within(frame, last)) });
  };
  frame.addEventListener("pointermove", (event) => {
    if (event.buttons) return;
    last = event;
    if (!waiting) requestAnimationFrame(look);
    waiting = true;
  });
  frame.addEventListener("pointerleave", () => {
    last = null;
    store.set({ hovered: null });
  });
}

/** A click on a dot is ours; one beside the dots goes on to the scatterplot, which offers its lasso there. */
function clicks(frame: HTMLElement, rowAt: (place: Place) => number | null, open: (row: number) => void): void {
  let [down, dragged]: [Place, boolean] = [[0, 0], false];
  frame.addEventListener("pointerdown", (event) => ([down, dragged] = [within(frame, event), false]));
  frame.addEventListener("pointermove", (event) => {
    const [left, top] = within(frame, event);
    dragged ||= Math.hypot(left - down[0], top - down[1]) > DRAG;
  });
  frame.addEventListener(
    "click",
    (event) => {
      if (dragged) return;
      const row = rowAt(within(frame, event));
      if (row === null) return;
      event.stopPropagation();
      open(row);
    },
    true,
  );
}

function within(frame: HTMLElement, event: MouseEvent): Place {
  const box = frame.getBoundingClientRect();
  return [event.clientX - box.left - frame.clientLeft, event.clientY - box.top - frame.clientTop];
}

/** A click opens the row as a query, where it asked; else it is only marked. */
function opened(scene: Scene, store: Store, row: number): void {
  const query = scene.queryOfRow[row];
  store.set(query >= 0 ? { query, hovered: row } : { hovered: row });
}

/** A lasso limits the list to the queries inside. */
function enclosed(scene: Scene, store: Store, points: number[]): void {
  const asked = points.map((row) => scene.queryOfRow[row]).filter((query) => query >= 0);
  store.set({ filter: new Set(asked), filterWords: `inside the lasso (${points.length.toLocaleString("en")} rows)` });
}

/** Mark where a typed query stands: the middle of the rows nearest to it in the full space. */
function cross(map: Map2D, nearest: number[] | undefined, plot: Plot): void {
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
