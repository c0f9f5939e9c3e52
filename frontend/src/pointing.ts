// Which dot is under the pointer, and a ring around it. The ring is a layer of its own: to draw 50,000 dots again for
// every move takes several frames where WebGL is drawn by software.

import type KDBush from "kdbush";
import { s } from "./dom.js";

/** The scatterplot's camera: a 4 x 4 matrix, column by column, in which one unit is half the height of the map. */
export type View = ArrayLike<number>;

export interface Size {
  width: number;
  height: number;
}

export type Place = readonly [x: number, y: number];

/** Where a point of the map stands on the screen, in CSS pixels from the upper left corner. */
export function toScreen(view: View, { width, height }: Size, [x, y]: Place): Place {
  const half = height / 2;
  return [
    width / 2 + half * (view[0] * x + view[4] * y + view[12]),
    half - half * (view[1] * x + view[5] * y + view[13]),
  ];
}

/** The point of the map under a place on the screen: `toScreen` undone. */
export function toMap(view: View, { width, height }: Size, [left, top]: Place): Place {
  const half = height / 2;
  const x = (left - width / 2) / half - view[12];
  const y = (half - top) / half - view[13];
  const determinant = view[0] * view[5] - view[4] * view[1];
  return [(view[5] * x - view[4] * y) / determinant, (view[0] * y - view[1] * x) / determinant];
}

/** How many times larger than at first things stand on the screen. */
export function zoom(view: View): number {
  return Math.hypot(view[0], view[1]);
}

/** How much larger than at first a dot is drawn: the scatterplot's own "asinh" rule, repeated for the ring around it. */
export function dotScale(view: View): number {
  return zoom(view) > 1 ? Math.asinh(zoom(view)) / Math.asinh(1) : 1;
}

/** The row closest to a point of the map, no further away than `reach`; of equals the first row. */
export function closest(
  index: KDBush,
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  [atX, atY]: Place,
  reach: number,
): number | null {
  let [found, least]: [number | null, number] = [null, Number.POSITIVE_INFINITY];
  for (const row of index.within(atX, atY, reach)) {
    const away = (x[row] - atX) ** 2 + (y[row] - atY) ** 2;
    if (away < least || (away === least && found !== null && row < found)) [found, least] = [row, away];
  }
  return found;
}

export interface Mark {
  element: SVGSVGElement;
  /** Stand around a place of a map of this size, or nowhere. */
  put: (place: Place | null, radius: number, size: Size) => void;
}

/** A ring or a box above a map; two lines, dark and light, so that one of them is seen on any ground. */
export function newMark(kind: "ring" | "box"): Mark {
  const lines = ["mark-ground", "mark-line"].map((name) => s("rect", { class: name }));
  // On paper the map is stretched as a picture; the mark is stretched with it.
  const element = s("svg", { class: `map-mark map-${kind}`, "aria-hidden": "true", preserveAspectRatio: "none" });
  element.append(...lines);
  element.style.display = "none";
  const put: Mark["put"] = (place, radius, { width, height }) => {
    element.style.display = place ? "" : "none";
    if (!place) return;
    element.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const corner = { x: place[0] - radius, y: place[1] - radius, width: 2 * radius, height: 2 * radius, rx: kind === "ring" ? radius : 0 };
    for (const line of lines) for (const [name, value] of Object.entries(corner)) line.setAttribute(name, value.toFixed(1));
  };
  return { element, put };
}
