// Linked maps of the two models compared: hover, click, lasso and zoom in one are seen in all. They are only maps;
// neighbours come from the full space.

import { createRenderer } from "regl-scatterplot";
import { namesBy, palette } from "./colouring.js";
import { h } from "./dom.js";
import { filtered, type Kind } from "./filters.js";
import { newPanel, type Panel, type Shared } from "./panel.js";
import type { Scene } from "./payload.js";
import type { State, Store } from "./state.js";
import { thumbnail } from "./thumbnails.js";

const MOST_MAPS = 2;

export interface Maps {
  element: HTMLElement;
  reset: () => void;
}

/** Numbers of the maps to show: those of the two models, filled up with the first where one has none (bm25). */
export function mapsOf(scene: Scene, pair: readonly string[]): number[] {
  const of = pair.map((model) => scene.maps.findIndex((map) => map.model === model)).filter((at) => at >= 0);
  return [...new Set([...of, ...scene.maps.keys()])].slice(0, MOST_MAPS);
}

export function mapsView(scene: Scene, store: Store): Maps {
  const area = h("div", { class: "maps" });
  const tip = h("p", { class: "hover-line", "aria-live": "off" });
  const { reset, redraw, update } = panels(scene, store, area, tip);
  store.subscribe((state, changed) => {
    if (changed.has("hovered")) say(scene, tip, state.hovered);
    if (changed.has("pair")) redraw();
    update(state, changed);
  });
  say(scene, tip, null);
  // The panels need their size, so they are made once the page holds them.
  new ResizeObserver((_, observer) => {
    if (!area.clientWidth) return;
    observer.disconnect();
    redraw();
  }).observe(area);
  return { element: h("section", { class: "maps-section", "aria-label": "Maps" }, area, legend(scene, store)), reset };
}

function panels(scene: Scene, store: Store, area: HTMLElement, tip: HTMLElement) {
  let renderer: ReturnType<typeof createRenderer> | null = null;
  let shown: { panel: Panel; at: number }[] = [];
  // Only the map under the pointer leads: an echo of the others, a frame late, would pull it back.
  let leader: EventTarget | null = null;
  area.addEventListener("pointerover", ({ target }) => (leader = target instanceof Element ? target.closest(".map-frame") : null));
  const others = (frame: HTMLElement) => shown.filter((_, at) => !area.children[at]?.contains(frame));
  const shared: Shared = { tip, looked: (view, from) => from === leader && others(from).forEach(({ panel }) => panel.look(view)) };
  const redraw = () => {
    const wanted = mapsOf(scene, store.state.pair);
    if (shown.length && wanted.join() === shown.map(({ at }) => at).join()) return;
    for (const { panel } of shown.splice(0)) panel.destroy();
    area.replaceChildren();
    try {
      renderer ??= createRenderer();
      for (const at of wanted) shown.push({ panel: newPanel(scene, store, renderer, at, area, shared), at });
      area.querySelector(".map-frame")?.append(tip);
    } catch {
      area.replaceChildren(h("p", { class: "empty" }, "The maps could not be drawn: this browser offers no WebGL. The lists need none."));
    }
    void Promise.all(shown.map(({ panel }) => panel.ready)).then(() => area.setAttribute("data-ready", "true"));
  };
  const update = (state: Readonly<State>, changed: ReadonlySet<keyof State>) => shown.forEach(({ panel }) => panel.update(state, changed));
  return { redraw, update, reset: () => shown.forEach(({ panel }) => panel.reset()) };
}

/** What the colours of the dots mean; a name limits maps and lists to it. */
function legend(scene: Scene, store: Store): HTMLElement {
  const colours = h("div", { class: "legend", tabindex: 0, role: "group", "aria-label": "Legend" });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const draw = () => {
    const { colour, filters } = store.state;
    const by = namesBy(scene, colour);
    if (by) {
      const entry = (name: string, at: number) => {
        const limit = by.limit(at);
        return limit ? nameButton(store, name, by.colours[at], limit, filters[limit[0]] === limit[1]) : h("span", {}, swatch(by.colours[at]), ` ${name}`);
      };
      colours.replaceChildren(...by.names.map(entry));
    } else if (scene.queryRow)
      colours.replaceChildren(
        h("span", {}, "all agree ", ...palette(scene, colour, dark.matches).filter((_, at) => at % 4 === 0).map(swatch), " nothing shared"),
        h("span", {}, scene.queryRow.length < scene.head.items.ids.length ? " (rows that did not ask are shown as agreeing)" : ""),
      );
    else colours.replaceChildren(h("span", {}, "Dots have no colour: the queries are not rows of the corpus, and there are no groups."));
  };
  draw();
  dark.addEventListener("change", draw);
  store.subscribe((_, changed) => (changed.has("colour") || changed.has("filters")) && draw());
  return colours;
}

function nameButton(store: Store, name: string, colour: string, [kind, value]: readonly [Kind, string], chosen: boolean): HTMLElement {
  const toggle = () => store.set({ filters: filtered(store.state.filters, kind, chosen ? null : value) });
  return h("button", { type: "button", class: "quiet", "aria-pressed": String(chosen), title: `only ${name}`, click: toggle }, swatch(colour), ` ${name}`);
}

function swatch(colour: string): HTMLElement {
  const mark = h("i", { class: "swatch" });
  mark.style.backgroundColor = colour;
  return mark;
}

function say(scene: Scene, tip: HTMLElement, row: number | null): void {
  const { ids, texts, groups } = scene.head.items; // an image has its path for an id, which stands there once
  tip.hidden = row === null;
  tip.replaceChildren(...(row === null ? [] : [thumbnail(scene, row) ?? "", h("b", {}, ids[row]), groups ? h("span", { class: "tag" }, groups[row]) : "", texts[row] === ids[row] ? "" : ` ${texts[row]}`]));
}
