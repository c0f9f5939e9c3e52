// Values between 0 and 1 as dots on a line, with their intervals.

import { s } from "./dom.js";

export interface Dot {
  /** the class that colours it */
  look: string;
  words: string;
  value: number | null;
  low?: number | null;
  high?: number | null;
}

/** One line; `joined` draws what lies between the first and the last dot. */
export function rail(values: readonly Dot[], chance: number | null, label: string, joined = false): SVGSVGElement {
  const x = (value: number) => 4 + 192 * Math.min(1, Math.max(0, value));
  const svg = s("svg", { viewBox: "0 0 200 20", preserveAspectRatio: "none", role: "img", "aria-label": label });
  svg.append(s("line", { x1: 4, x2: 196, y1: 10, y2: 10, class: "rail" }));
  if (chance !== null) svg.append(s("line", { x1: x(chance), x2: x(chance), y1: 3, y2: 17, class: "chance" }));
  const [first, last] = [values[0]?.value, values[values.length - 1]?.value];
  if (joined && first != null && last != null) svg.append(s("line", { x1: x(first), x2: x(last), y1: 10, y2: 10, class: `within ${values[0].look}` }));
  for (const { look, words, value, low, high } of values) {
    if (value === null) continue;
    const drawn = s("g", { class: look });
    if (low != null && high != null) drawn.append(s("line", { x1: x(low), x2: x(high), y1: 10, y2: 10, class: "within" }));
    drawn.append(s("ellipse", { cx: x(value), cy: 10, rx: 3.5, ry: 5 }, s("title", {}, words)));
    svg.append(drawn);
  }
  return svg;
}
