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

const [FROM, WIDE] = [3, 94]; // percent of the width: dots at the ends stay whole

/** One line; `joined` draws what lies between the first and the last dot. In percent, so that dots stay round at any width. */
export function rail(values: readonly Dot[], chance: number | null, label: string, joined = false): SVGSVGElement {
  const x = (value: number) => `${FROM + WIDE * Math.min(1, Math.max(0, value))}%`;
  const line = (from: number, to: number, look: string) => s("line", { x1: x(from), x2: x(to), y1: "50%", y2: "50%", class: look });
  const svg = s("svg", { role: "img", "aria-label": label });
  svg.append(line(0, 1, "rail"));
  if (chance !== null) svg.append(s("line", { x1: x(chance), x2: x(chance), y1: "15%", y2: "85%", class: "chance" }));
  const [first, last] = [values[0]?.value, values[values.length - 1]?.value];
  if (joined && first != null && last != null) svg.append(line(first, last, `within ${values[0].look}`));
  for (const { look, words, value, low, high } of values) {
    if (value === null) continue;
    const drawn = s("g", { class: look });
    if (low != null && high != null) drawn.append(line(low, high, "within"), ...[low, high].map((end) => s("line", { x1: x(end), x2: x(end), y1: "25%", y2: "75%", class: "end" })));
    drawn.append(s("circle", { cx: x(value), cy: "50%", r: 4 }, s("title", {}, words)));
    svg.append(drawn);
  }
  return svg;
}
