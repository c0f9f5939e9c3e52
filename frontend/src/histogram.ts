// How the disagreement is spread; a bar limits maps and lists to its queries.

import { BINS, binLimits, counted } from "./bins.js";
import { h, s } from "./dom.js";
import { filtered } from "./filters.js";
import type { Scene } from "./payload.js";
import type { Store } from "./state.js";

const [WIDTH, HEIGHT] = [460, 150];

export function histogram(scene: Scene, store: Store): HTMLElement {
  const counts = counted(scene.disagreement);
  const most = Math.max(1, ...counts);
  const step = WIDTH / BINS;
  const chosen = () => store.state.filters.disagreement;
  const choose = (bin: number) =>
    store.set({ filters: filtered(store.state.filters, "disagreement", chosen() === String(bin) ? null : String(bin)) });
  const bars = counts.map((count, bin) => {
    const height = (count / most) * (HEIGHT - 22);
    const label = `${count} ${count === 1 ? "query" : "queries"} with disagreement ${binLimits(bin)}`;
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
  const show = () => bars.forEach((bar, bin) => bar.classList.toggle("chosen", chosen() === String(bin)));
  store.subscribe((_, changed) => changed.has("filters") && show());
  show();
  return h("div", { class: "histogram-box" }, svg);
}
