// Where the models disagree most, drawn on a map: around the middle of each part, with its name; a click leaves only that.

import { s } from "./dom.js";
import { filtered } from "./filters.js";
import { partFilter, surest } from "./parts.js";
import type { Scene } from "./payload.js";
import type { Place, Size } from "./pointing.js";
import type { Store } from "./state.js";

const SHOWN = 5;
const HELD = 0.7; // share of a part's rows inside: a few far away would stretch it over the map
const LOOKED_AT = 2_000; // rows of a part that its hull is made of
const WORDS = 2; // of a name, beside its outline; the whole stands in the list
const [LETTERS, WIDE, HIGH] = [24, 3.2, 12]; // most letters of a label, half of the pixels that one takes, a line

export type Corners = Place[];

/** The corners of the smallest convex polygon around points, anticlockwise from the leftmost (Andrew's monotone chain, 1979). */
export function convexHull(points: readonly Place[]): Corners {
  const ordered = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  if (ordered.length < 3) return ordered;
  const half = (line: readonly Place[]) => {
    const found: Place[] = [];
    for (const point of line) {
      while (found.length > 1 && !turnsLeft(found[found.length - 2], found[found.length - 1], point)) found.pop();
      found.push(point);
    }
    return found.slice(0, -1);
  };
  return [...half(ordered), ...half([...ordered].reverse())];
}

function turnsLeft([ax, ay]: Place, [bx, by]: Place, [cx, cy]: Place): boolean {
  return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) > 0;
}

/** The hull of the rows of a part that lie nearest to its middle (the median of either axis): 70 % of them. */
export function middleHull(x: ArrayLike<number>, y: ArrayLike<number>, rows: readonly number[]): Corners {
  const step = Math.max(1, Math.ceil(rows.length / LOOKED_AT));
  const points = rows.filter((_, at) => at % step === 0).map((row) => [x[row], y[row]] as const);
  const median = (of: (point: Place) => number) => points.map(of).sort((a, b) => a - b)[Math.floor(points.length / 2)];
  const [mx, my] = [median(([px]) => px), median(([, py]) => py)];
  const away = ([px, py]: Place) => (px - mx) ** 2 + (py - my) ** 2;
  const near = [...points].sort((a, b) => away(a) - away(b)).slice(0, Math.max(3, Math.ceil(points.length * HELD)));
  return convexHull(near);
}

export interface Hulls {
  element: SVGSVGElement;
  put: (toScreen: (point: Place) => Place, size: Size) => void;
}

/** Outlines are made once and moved from then on: one replaced while the button is down would lose the click. */
export function newHulls(scene: Scene, store: Store, map: Scene["maps"][number]): Hulls {
  const element = s("svg", { class: "map-mark map-hulls", "aria-hidden": "true", preserveAspectRatio: "none" });
  let made: Outline[] | null = null;
  const put: Hulls["put"] = (toScreen, size) => {
    element.style.display = store.state.hulls ? "" : "none";
    if (!store.state.hulls) return;
    if (!made) {
      made = outlines(scene, store, map);
      element.append(...made.flatMap(({ polygon, labels }) => [polygon, ...labels]));
    }
    element.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
    const taken: Taken[] = [];
    for (const each of made) move(each, each.corners.map(toScreen), size, taken);
  };
  return { element, put };
}

interface Outline {
  corners: Corners;
  polygon: SVGElement;
  labels: SVGElement[];
  /** half of the pixels that its name takes */
  half: number;
}

function outlines(scene: Scene, store: Store, map: Scene["maps"][number]): Outline[] {
  const parts = surest(scene, SHOWN);
  const rows = parts.map(() => [] as number[]);
  const place = new Map(parts.map(({ at }, order) => [at, order]));
  scene.partOfRow.forEach((part, row) => rows[place.get(part) ?? -1]?.push(row));
  return parts.flatMap(({ name }, order) => {
    const corners = middleHull(map.x, map.y, rows[order]);
    return corners.length < 3 ? [] : [{ corners, polygon: s("polygon", {}), ...named(scene, store, name) }];
  });
}

function named(scene: Scene, store: Store, name: string): Pick<Outline, "labels" | "half"> {
  const [kind, value] = partFilter(scene, name);
  const choose = () => store.set({ filters: filtered(store.state.filters, kind, store.state.filters[kind] === value ? null : value) });
  const short = scene.head.parts.by === "clusters" ? name.split(", ").slice(0, WORDS).join(", ") : name;
  const words = short.length > LETTERS ? `${short.slice(0, LETTERS)}…` : short;
  const label = (look: string) => s("text", { "text-anchor": "middle", class: look, click: choose }, words, s("title", {}, `only ${name}`));
  return { labels: [label("hull-ground"), label("hull-name")], half: WIDE * words.length };
}

type Taken = readonly [x: number, y: number, half: number];

/** Stand around the corners, the name above them, where no other name stands. */
function move({ polygon, labels, half }: Outline, corners: Corners, { width, height }: Size, taken: Taken[]): void {
  const middle = corners.reduce((sum, [x]) => sum + x, 0) / corners.length;
  const x = Math.min(width - half, Math.max(half, middle));
  const lowest = height - 6;
  const free = (y: number) => taken.every(([tx, ty, wide]) => Math.abs(tx - x) >= half + wide || Math.abs(ty - y) >= HIGH);
  const first = Math.min(lowest, Math.max(HIGH, Math.min(...corners.map(([, y]) => y)) - 4));
  const lines = Array.from({ length: Math.floor(height / HIGH) }, (_, at) => first + at * HIGH);
  const y = lines.map((line) => (line > lowest ? first - (line - lowest) : line)).find(free) ?? first;
  taken.push([x, y, half]);
  polygon.setAttribute("points", corners.map((corner) => corner.map((each) => each.toFixed(1)).join()).join(" "));
  for (const label of labels) for (const [axis, at] of Object.entries({ x, y })) label.setAttribute(axis, at.toFixed(1));
}
