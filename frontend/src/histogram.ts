// How the disagreement is spread; a bar limits the list to its queries.

import { h, s } from "./dom.js";
import type { Scene } from "./payload.js";
import type { Store } from "./state.js";

export const BINS = 20;
const [WIDTH, HEIGHT] = [460, 110];

export function binOf(value: number): number {
  return Number.isNaN(value) ? -1 : Math.min(BINS - 1, Math.max(0, Math.floor(value * BINS)));
}

export function counted(values: Float32Array): number[] {
  const counts = new Array<number>(BINS).fill(0);
  for (const value of values) if (!Number.isNaN(value)) counts[binOf(value)]++;
  return counts;
}

export function histogram(scene: Scene, store: Store): HTMLElement {
  const counts = counted(scene.disagreement);
  const most = Math.max(1, ...counts);
  const step = WIDTH / BINS;
  const limits = (bin: number) => `${(bin / BINS).toFixed(2)} to ${((bin + 1) / BINS).toFixed(2)}`;
  const choose = (bin: number) => {
    const words = `disagreement ${limits(bin)}`;
    if (store.state.filterWords === words) return store.set({ filter: null, filterWords: "" });
    const filter = new Set<number>();
    scene.disagreement.forEach((value, query) => binOf(value) === bin && filter.add(query));
    return store.set({ filter, filterWords: words });
  };
  const bars = counts.map((count, bin) => {
    const height = (count / most) * (HEIGHT - 22);
    const label = `${count} queries with disagreement ${limits(bin)}`;
    const act = (event: Event) => {
      if (event instanceof KeyboardEvent && event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      choose(bin);
    };
    return s(
      "g",
      { role: "button", tabindex: count ? 0 : -1, "aria-label": label, class: "bar", "data-bin": bin, click: act, keydown: act },
      s("rect", { x: bin * step, y: 0, width: step, height: HEIGHT - 18, class: "reach" }),
      s("rect", { x: bin * step + 1, y: HEIGHT - 18 - height, width: step - 2, height, class: "fill" }),
      s("title", {}, label),
    );
  });
  const marks = [0, 0.25, 0.5, 0.75, 1].map((at) =>
    s("text", { x: at * WIDTH, y: HEIGHT - 4, "text-anchor": at === 0 ? "start" : at === 1 ? "end" : "middle" }, String(at)),
  );
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "histogram", role: "group", "aria-label": "Histogram of disagreement" });
  svg.append(...bars, ...marks);
  store.subscribe((state, changed) => {
    if (!changed.has("filter")) return;
    bars.forEach((bar, bin) => bar.classList.toggle("chosen", state.filterWords === `disagreement ${limits(bin)}`));
  });
  return h("div", { class: "histogram-box" }, svg);
}
