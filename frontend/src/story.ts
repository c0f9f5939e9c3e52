// The report from top to bottom: the answer, the workspace, and everything else to open.

import { answer } from "./answer.js";
import { bindAddress } from "./address.js";
import { firstColour } from "./colouring.js";
import { alike, queryModels } from "./compare.js";
import { curves, heatmaps } from "./charts.js";
import { costs } from "./cost.js";
import { folded, h } from "./dom.js";
import { decision, evidence } from "./decision.js";
import { cutoffFigure, indexFigure, mixingFigures } from "./figures.js";
import { everyNumber, tables } from "./numbers.js";
import { linkButton } from "./picture.js";
import { byDisagreement, queryCard } from "./querycard.js";
import type { Header, Scene } from "./payload.js";
import { Store } from "./state.js";
import { whyFold } from "./why.js";
import { reading, workspace } from "./workspace.js";

export function newStore(scene: Scene): Store {
  const queryModel = queryModels(scene)[0] ?? null;
  const models = alike(scene, queryModel).map((each) => each.model);
  return new Store({
    query: byDisagreement(scene)[0] ?? null,
    hovered: null,
    filters: {},
    colour: firstColour(scene),
    hulls: scene.head.parts.by === "clusters",
    queryModel,
    pair: [models[0] ?? "", models[1] ?? models[0] ?? ""],
    typed: null,
  });
}

export function report(scene: Scene, store: Store): HTMLElement[] {
  const { head } = scene;
  bindAddress(scene, store);
  const [index, cutoffs, cost] = [named("index", indexFigure(head)), named("cutoffs", cutoffFigure(head)), named("costs", costs(head))];
  const agreement = [...heatmaps(head), ...curves(head), ...index, ...mixingFigures(head)];
  const change = [...cutoffs, ...cost];
  const notes = named("truncated", [folded("How to take these numbers", ...head.notes.map((note) => h("p", {}, note)))]);
  const why = named("why", whyFold(head));
  const there = new Set(["evidence-answer", ...[...why, ...index, ...change, ...notes].map((each) => each.id)]);
  return [
    h("header", {}, h("p", { class: "lead" }, head.facts), linkButton()),
    ...decided(head, (name) => there.has(evidence(name))),
    answer(scene, store, queryCard(scene, store)),
    explorer(scene, store),
    h(
      "section",
      { class: "chapter", "aria-label": "Everything else" },
      h("h2", {}, "Everything else"),
      ...why,
      ...(agreement.length ? [folded("How much the models agree: by pair, by depth, by index, by group", ...agreement)] : []),
      ...(change.length ? [folded("What a change of model asks for: cut-offs and cost", ...change)] : []),
      everyNumber(head),
      tables(head),
      ...notes,
      provenance(head),
    ),
  ];
}

/** What a notebook shows: the answer and the linked part. */
export function notebook(scene: Scene, store: Store): HTMLElement[] {
  return [...decided(scene.head, (name) => name === "answer"), answer(scene, store, queryCard(scene, store)), explorer(scene, store)];
}

/** Parts of the page under a name by which reasons find them: that of the first. */
function named(name: string, parts: HTMLElement[]): HTMLElement[] {
  if (parts[0]) parts[0].id = evidence(name);
  return parts;
}

function decided(head: Header, there: (name: string) => boolean): HTMLElement[] {
  const found = decision(head, there);
  return found ? [found] : [];
}

/** The linked part with its title. */
export function explorer(scene: Scene, store: Store): HTMLElement {
  return h("section", { class: "chapter explorer" }, h("div", { class: "chapter-head" }, h("h2", {}, "Where they differ"), reading(scene)), workspace(scene, store));
}

function provenance(head: Header): HTMLElement {
  const list = h("dl", { class: "facts" });
  for (const [name, value] of head.provenance) list.append(h("dt", {}, name), h("dd", {}, value));
  return folded("Where the vectors came from, versions, sizes", list);
}
