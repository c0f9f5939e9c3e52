// One module, three places: the report mounts itself, a notebook calls `render`, the live page calls `mount`.

import { fromBase64, read, unzip, type Scene } from "./payload.js";
import { mountLive } from "./live.js";
import { newStore, notebook, report } from "./story.js";
import { limits } from "./filters.js";
import type { Store } from "./state.js";

export async function scene(packed: Uint8Array): Promise<Scene> {
  return read(await unzip(packed));
}

/** The report: data stand in the page as base64 text. */
export async function mountReport(root: HTMLElement, data: string): Promise<void> {
  try {
    const found = await scene(fromBase64(data.trim()));
    const store = newStore(found);
    root.replaceChildren(...report(found, store));
    root.setAttribute("data-mounted", "true");
  } catch (error) {
    root.textContent = `The report could not be shown: ${error instanceof Error ? error.message : String(error)}`;
  }
}

interface Model {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  on(event: string, listener: () => void): void;
  off(event: string, listener: () => void): void;
  save_changes(): void;
}

/** anywidget's contract: draw into `el`, keep `selection` (query ids by row) in step with Python. */
async function render({ model, el }: { model: Model; el: HTMLElement }): Promise<() => void> {
  const data = model.get("data") as DataView;
  const found = await scene(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const store = newStore(found);
  el.classList.add("embdiff-view", "embdiff-widget");
  el.replaceChildren(...notebook(found, store));
  const fromPython = () => {
    const query = model.get("selection") as number | null;
    store.set({ query });
  };
  if (model.get("selection") === null) push(model, store.state.query);
  else fromPython();
  store.subscribe((state, changed) => changed.has("query") && push(model, state.query));
  store.subscribe((state, changed) => {
    if (!changed.has("filters")) return;
    const { queries } = limits(found, state.filters);
    model.set("filtered", queries ? [...queries].sort((a, b) => a - b) : null);
    model.save_changes();
  });
  model.on("change:selection", fromPython);
  return () => model.off("change:selection", fromPython);
}

function push(model: Model, query: number | null): void {
  model.set("selection", query);
  model.save_changes();
}

export default { render };
export { newStore, notebook };
export type { Scene, Store };

const root = document.getElementById("embdiff-report");
const data = document.getElementById("embdiff-data");
if (root && data) void mountReport(root, data.textContent ?? "");
const live = document.getElementById("embdiff-live");
if (live) void mountLive(live);
