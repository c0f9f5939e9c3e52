// One map: dots by WebGL, and above them the star of the query's neighbours, the ring around the row pointed at, its text.

import KDBush from "kdbush";
import createScatterplot, { type createRenderer } from "regl-scatterplot";
import { dotValues, namesBy, palette } from "./colouring.js";
import { modelClass } from "./colours.js";
import { h } from "./dom.js";
import { filtered, limits, writeLasso } from "./filters.js";
import { newHulls } from "./hulls.js";
import type { Scene } from "./payload.js";
import { closest, dotScale, newMark, toMap, toScreen, zoom, type Place, type Size, type View } from "./pointing.js";
import { newStar } from "./star.js";
import type { State, Store } from "./state.js";

type Plot = ReturnType<typeof createScatterplot>;
type Map2D = Scene["maps"][number];
const REACH = 4; // pixels around a dot that still count as the dot
const FAINT = 0.08; // how much is seen of dots that the filters leave out
const DRAG = 4; // pixels from which a press that moves is no click
// The scatterplot looks for dots within its own size of them plus a few pixels: below nothing there is none to be found,
// and it never draws all again for the one pointed at.
const FINDS_NOTHING = { pointSizeMouseDetection: -1_000_000 } as object;

export interface Panel {
  ready: Promise<void>;
  update: (state: Readonly<State>, changed: ReadonlySet<keyof State>) => void;
  /** Look at the same part as another map. */
  look: (view: View) => void;
  reset: () => void;
  destroy: () => void;
}

/** What the maps share: the text at the dot, and where they look. */
export interface Shared {
  tip: HTMLElement;
  looked: (view: View, from: HTMLElement) => void;
}

export function newPanel(scene: Scene, store: Store, renderer: ReturnType<typeof createRenderer>, at: number, area: HTMLElement, shared: Shared): Panel {
  const map = scene.maps[at];
  const canvas = h("canvas", { "aria-label": `Map of ${map.model}`, role: "img" });
  const [ring, box, star, hulls] = [newMark("ring"), newMark("box"), newStar(scene, map.model), newHulls(scene, store, map)];
  const frame = h("div", { class: "map-frame" }, canvas, hulls.element, star.element, box.element, ring.element);
  const title = h("h4", {}, h("span", { class: modelClass(scene.head, map.model) }, map.model));
  area.append(h("div", { class: "map", "data-model": map.model }, title, frame, h("p", { class: "small about", title: map.about }, map.about)));
  const dotSize = scene.head.items.ids.length > 20_000 ? 2 : scene.head.items.ids.length > 2_000 ? 4 : 7;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const plot = newPlot(renderer, canvas, dotSize, dark.matches);
  const index = indexed(map);
  const view = () => plot.get("cameraView") as View;
  const size = (): Size => ({ width: frame.clientWidth, height: frame.clientHeight });
  const place = (row: number) => toScreen(view(), size(), [map.x[row], map.y[row]]);
  let gone = false; // a drawing may end after its map went
  const mark = () => {
    if (gone) return;
    const { query, typed } = store.state;
    const hovered = store.state.hovered !== null && store.state.hovered < map.x.length ? store.state.hovered : null;
    const asking = query === null || typed || !scene.queryRow ? null : scene.queryRow[query];
    const dot = (dotSize * dotScale(view())) / 2;
    ring.put(hovered === null ? null : place(hovered), dot + 4, size());
    box.put(asking === null ? null : place(asking), dot + 7, size());
    star.put(place, dot + 2, size());
    hulls.put((point) => toScreen(view(), size(), point), size());
    if (shared.tip.parentElement === frame && hovered !== null) putTip(shared.tip, place(hovered), size());
  };
  const rowAt = (spot: Place) => {
    const perPixel = 2 / (frame.clientHeight * zoom(view()));
    return closest(index, map.x, map.y, toMap(view(), size(), spot), (dotSize * dotScale(view()) + REACH) * perPixel);
  };
  const paint = () => plot.set({ ...ground(dark.matches), colorBy: "valueA", pointColor: palette(scene, store.state.colour, dark.matches) });
  const ended = (error: unknown) => {
    if (!gone) throw error;
  };
  const draw = redrawn(async () => gone || (await drawn(scene, store.state, map, index, plot).then(mark, ended)));
  paint();
  star.choose(store.state);
  const ready = draw();
  follows(frame, rowAt, store, shared.tip);
  clicks(frame, rowAt, (row) => opened(scene, store, row));
  holdsWheel(frame);
  plot.subscribe("drawing", mark); // panned, zoomed or resized
  plot.subscribe("view", ({ view: seen }: { view: View }) => shared.looked(Array.from(seen), frame));
  plot.subscribe("select", () => plot.deselect({ preventEvent: true })); // a lasso is ours to follow
  plot.subscribe("lassoEnd", ({ coordinates }: { coordinates: unknown }) => {
    store.set({ filters: filtered(store.state.filters, "lasso", writeLasso(at, coordinates as [number, number][])) });
  });
  dark.addEventListener("change", paint);
  const update: Panel["update"] = (state, changed) => {
    const asked = (["query", "queryModel", "pair", "typed"] as const).some((key) => changed.has(key));
    if (asked) star.choose(state);
    if (asked || changed.has("hovered") || changed.has("hulls")) mark();
    if (changed.has("colour")) paint();
    if (changed.has("colour") || changed.has("filters")) void draw();
  };
  const destroy = () => {
    gone = true;
    dark.removeEventListener("change", paint);
    plot.destroy();
  };
  const look = (seen: View) => {
    if (!gone && Array.from(seen).some((value, each) => Math.abs(value - view()[each]) > 1e-6)) plot.view(Array.from(seen));
  };
  return { ready, update, look, reset: () => plot.reset(), destroy };
}

function newPlot(renderer: ReturnType<typeof createRenderer>, canvas: HTMLCanvasElement, pointSize: number, dark: boolean): Plot {
  return createScatterplot({
    renderer,
    canvas,
    width: "auto",
    height: "auto",
    ...ground(dark),
    pointSize,
    opacityBy: "valueB",
    opacity: [FAINT, 0.85],
    lassoInitiator: true,
    ...FINDS_NOTHING,
  });
}

/** Dots with their colour, and (valueB) whether the filters leave them. */
function drawn(scene: Scene, state: Readonly<State>, map: Map2D, index: KDBush, plot: Plot): Promise<void> {
  const left = limits(scene, state.filters).rows;
  const shown = left ? Float32Array.from(map.x, (_, row) => (left.has(row) ? 1 : 0)) : new Float32Array(map.x.length).fill(1);
  return plot.draw(
    { x: map.x, y: map.y, valueA: dotValues(scene, state.colour), valueB: shown },
    { zDataType: namesBy(scene, state.colour) ? "categorical" : "continuous", wDataType: "continuous", spatialIndex: index.data as ArrayBuffer },
  );
}

/** A drawing that is asked for again while it goes on is done once more at its end, however often it was asked for. */
function redrawn(draw: () => Promise<unknown>): () => Promise<void> {
  let [going, again]: [Promise<void> | null, boolean] = [null, false];
  const start = async (): Promise<void> => {
    do {
      again = false;
      await draw();
    } while (again);
    going = null;
  };
  return () => {
    again = going !== null;
    going ??= start();
    return going;
  };
}

/** The wheel turns the page; a map it zooms with Ctrl, or after a press into that map, until the pointer leaves it. */
function holdsWheel(frame: HTMLElement): void {
  let awake = false;
  frame.addEventListener("pointerdown", () => (awake = true));
  frame.addEventListener("pointerleave", () => (awake = false));
  frame.addEventListener(
    "wheel",
    (event) => {
      if (awake || event.ctrlKey || event.metaKey) event.preventDefault();
      else event.stopPropagation();
    },
    { capture: true, passive: false },
  );
}

/** The text beside its dot, to the side where there is more room. */
function putTip(tip: HTMLElement, [x, y]: Place, { width, height }: Size): void {
  tip.style.left = x < width / 2 ? `${x + 12}px` : "auto";
  tip.style.right = x < width / 2 ? "auto" : `${width - x + 12}px`;
  tip.style.top = y < height / 2 ? `${y + 8}px` : "auto";
  tip.style.bottom = y < height / 2 ? "auto" : `${height - y + 8}px`;
}

function ground(dark: boolean): { backgroundColor: string } {
  return { backgroundColor: dark ? "#16181d" : "#ffffff" };
}

function indexed(map: Map2D): KDBush {
  const index = new KDBush(map.x.length);
  for (let row = 0; row < map.x.length; row++) index.add(map.x[row], map.y[row]);
  return index.finish();
}

/** Tell the store which row is under the pointer, once a frame at most, and not while a map is dragged. */
function follows(frame: HTMLElement, rowAt: (place: Place) => number | null, store: Store, tip: HTMLElement): void {
  let [last, waiting]: [PointerEvent | null, boolean] = [null, false];
  const look = () => {
    waiting = false;
    if (!last) return;
    if (tip.parentElement !== frame) frame.append(tip);
    store.set({ hovered: rowAt(within(frame, last)) });
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
      if (dragged || event.target instanceof SVGTextElement) return; // the name of an outline has a click of its own
      const row = rowAt(down); // where the pointer told of a dot: a click has whole pixels only
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
