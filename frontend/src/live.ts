// The live page: a form above the linked views; every answer comes from the page's own server, with its token.

import { bindAddress } from "./address.js";
import { choice, h } from "./dom.js";
import { read, unzip, type Answer, type Scene } from "./payload.js";
import type { Store } from "./state.js";
import { explorer, newStore } from "./story.js";

interface Heard {
  text: string;
  k: number;
  metric: string;
  distance_word: string;
  index: string;
  answers: {
    model: string;
    rows: number[];
    distance: (number | null)[];
    elsewhere: { rows: number[]; ranks: number[]; distance: (number | null)[] };
  }[];
}

const token = () => new URLSearchParams(location.search).get("token") ?? "";

async function call(path: string, body?: object): Promise<Response> {
  const answer = await fetch(path, {
    method: body ? "POST" : "GET",
    headers: { "x-embdiff-token": token(), ...(body ? { "content-type": "application/json" } : {}) },
    body: body && JSON.stringify(body),
  });
  if (answer.ok) return answer;
  const words = await answer.text();
  let told = words;
  try {
    told = (JSON.parse(words) as { error: string }).error;
  } catch {
    // the words are plain text already
  }
  throw new Error(told);
}

export async function mountLive(root: HTMLElement): Promise<void> {
  try {
    const block = new Uint8Array(await (await call("/data")).arrayBuffer());
    const scene = read(await unzip(block));
    const store = newStore(scene);
    const indexes = JSON.parse(root.getAttribute("data-indexes") ?? "[]") as string[];
    bindAddress(scene, store);
    root.replaceChildren(
      h("header", {}, h("h1", {}, "Ask every model"), h("p", { class: "lead" }, scene.head.facts)),
      asking(scene, store, indexes),
      explorer(scene, store),
    );
    root.setAttribute("data-mounted", "true");
  } catch (error) {
    root.textContent = `The page could not be shown: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function asking(scene: Scene, store: Store, indexes: string[]): HTMLElement {
  const text = h("input", { type: "text", "aria-label": "Query", placeholder: "type a query", maxlength: 10_000, required: true, class: "wide" });
  const k = h("input", { type: "number", min: 1, max: 100, value: scene.head.k, "aria-label": "Neighbours" });
  k.addEventListener("change", () => void ask());
  const told = h("p", { role: "status", class: "told" });
  const later = h("button", { type: "button", class: "quiet" }, "judge this query later");
  let [metric, index] = [scene.head.metric, indexes[0] ?? "exact"];

  const ask = async () => {
    if (!text.value.trim()) return;
    told.textContent = "asking…";
    try {
      const heard = (await (await call("/ask", { text: text.value, k: Number(k.value), metric, index })).json()) as Heard;
      told.textContent = `${heard.answers.length} models, k = ${heard.k}, ${heard.metric}, ${heard.index}`;
      store.set({ typed: { text: heard.text, answers: heard.answers.map((each) => asAnswer(each, heard.distance_word)) } });
    } catch (error) {
      told.textContent = error instanceof Error ? error.message : String(error);
    }
  };
  later.addEventListener("click", async () => {
    if (!text.value.trim()) return;
    try {
      const { queries } = (await (await call("/judge", { text: text.value })).json()) as { queries: number };
      told.textContent = `Kept for judging: ${queries} queries so far.`;
    } catch (error) {
      told.textContent = error instanceof Error ? error.message : String(error);
    }
  });
  const form = h(
    "form",
    { class: "controls", submit: (event: Event) => (event.preventDefault(), void ask()) },
    text,
    h("label", { class: "choice" }, "k ", k),
    choice("metric", ["cosine", "ip", "l2"].map((name) => [name, name] as const), metric, (value) => ((metric = value), void ask())),
    choice("search", indexes.map((name) => [name, name] as const), index, (value) => ((index = value), void ask())),
    h("button", { type: "submit" }, "ask"),
    later,
  );
  return h(
    "section",
    { class: "chapter", "aria-label": "Ask" },
    form,
    told,
    h("p", { class: "small" }, "What the models return to your query stands in the diff below and is ringed in the maps."),
  );
}

function asAnswer(each: Heard["answers"][number], distanceWord: string): Answer {
  const numbers = (values: (number | null)[]) => Float32Array.from(values, (value) => value ?? Number.NaN);
  return {
    model: each.model,
    queryModel: each.model,
    distanceWord,
    width: each.rows.length,
    rows: Int32Array.from(each.rows),
    distance: numbers(each.distance),
    isSelf: new Uint8Array(each.rows.length),
    elseWidth: each.elsewhere.rows.length,
    elseRows: Int32Array.from(each.elsewhere.rows),
    elseRanks: Int32Array.from(each.elsewhere.ranks),
    elseDistance: numbers(each.elsewhere.distance),
    lostWidth: 0,
    lostRows: new Int32Array(),
  };
}
