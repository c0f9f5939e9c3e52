// Linked maps: hover, click and lasso in one are seen in all. They are only maps; neighbours come from the full space.

import { createRenderer } from "regl-scatterplot";
import { DOTS, groupColours } from "./colours.js";
import { choice, h } from "./dom.js";
import { newPanel, palette, type Panel } from "./panel.js";
import type { Scene } from "./payload.js";
import type { Colour, Store } from "./state.js";

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
    for (const panel of panels.splice(0)) panel.destroy();
    area.replaceChildren();
    try {
      renderer ??= createRenderer();
      for (const at of shown) panels.push(newPanel(scene, store, renderer, at, area));
    } catch {
      area.replaceChildren(h("p", { class: "empty" }, "The maps could not be drawn: this browser offers no WebGL. The lists below need none."));
    }
    void Promise.all(panels.map((each) => each.ready)).then(() => area.setAttribute("data-ready", "true"));
  };
  if (scene.head.items.groups && scene.queryRow)
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

function legend(scene: Scene, store: Store): HTMLElement {
  const colours = h("div", { class: "legend" });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const draw = (colour: Colour) => {
    const { groups } = scene.head.items;
    if (colour === "group" && groups)
      colours.replaceChildren(...groupColours(groups).names.map((name, at) => h("span", {}, swatch(DOTS[at]), ` ${name} `)));
    else if (scene.queryRow)
      colours.replaceChildren(
        h("span", {}, "all agree ", ...palette(scene, colour, dark.matches).filter((_, at) => at % 4 === 0).map(swatch), " nothing shared"),
        h("span", {}, scene.queryRow.length < scene.head.items.ids.length ? " (rows that did not ask are shown as agreeing)" : ""),
      );
    else colours.replaceChildren(h("span", {}, "Dots have no colour: the queries are not rows of the corpus, and there are no groups."));
  };
  draw(store.state.colour);
  dark.addEventListener("change", () => draw(store.state.colour));
  store.subscribe((state, changed) => changed.has("colour") && draw(state.colour));
  const asked = scene.queryRow ? "Boxed: the query chosen below. " : "";
  return h("div", {}, colours, h("p", { class: "small" }, `${asked}Larger dots: every row that a collection returned to it.`));
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
