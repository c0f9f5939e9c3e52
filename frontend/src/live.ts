// The live page: a form above the linked views; every answer comes from the page's own server, with its token.

import { bindAddress } from "./address.js";
import { askedIn, asksFor, type Asked } from "./asked.js";
import { choice, h } from "./dom.js";
import { read, unzip, type Answer, type Scene } from "./payload.js";
import type { Store } from "./state.js";
import { explorer, newStore } from "./story.js";

interface Heard {
  text: string;
  k: number;
  metric: string;
  index: string;
  /** rows that the page does not hold: numbered after its own */
  more: { id: string; text: string; group: string | null }[];
  answers: {
    model: string;
    /** whether it ranks texts without a space of its own */
    beside: boolean;
    distance_word: string;
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
    const usual: Asked = { text: "", k: scene.head.k, metric: scene.head.metric, index: indexes[0] ?? "exact" };
    const place = newPlace(store, usual);
    bindAddress(scene, store);
    const form = asking(scene, store, indexes, usual, place);
    root.replaceChildren(
      h("header", {}, h("h1", {}, "Ask every model"), h("p", { class: "lead" }, scene.head.facts)),
      form,
      explorer(scene, store),
    );
    root.setAttribute("data-mounted", "true");
  } catch (error) {
    root.textContent = `The page could not be shown: ${words(error)}`;
  }
}

const words = (error: unknown) => (error instanceof Error ? error.message : String(error));

interface Place {
  /** Let the address ask for this: a step of its own in the history, unless it asks for it already. */
  asks: (asked: Asked) => void;
  /** Ask for what the address asks for, now and after each step back or forward. */
  follow: (ask: (asked: Asked) => void) => void;
}

/** Keeps the query typed in the address. Made before the rest of the state is bound to it, to see it change. */
function newPlace(store: Store, usual: Asked): Place {
  let [stepping, before] = [false, location.hash];
  store.subscribe(() => (before = location.hash));
  const go = (asked: Asked | null, push: boolean) => {
    const address = `${location.pathname}${asksFor(location.search, asked, usual)}${location.hash}`;
    if (push) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  };
  const follow: Place["follow"] = (ask) => {
    const look = () => {
      const asked = askedIn(location.search, usual);
      if (asked) ask(asked);
      else if (store.state.typed) store.set({ typed: null });
    };
    addEventListener("popstate", () => {
      look();
      stepping = false;
    });
    // A query of the run takes the place of the one typed: in the step that told of it, where there was one.
    store.subscribe((state, changed) => {
      if (!stepping && changed.has("typed") && !state.typed && askedIn(location.search, usual)) go(null, location.hash === before);
    });
    look();
  };
  addEventListener("popstate", () => (stepping = true), { capture: true });
  return { follow, asks: (asked) => asksFor(location.search, asked, usual) !== asksFor(location.search, askedIn(location.search, usual), usual) && go(asked, true) };
}

function asking(scene: Scene, store: Store, indexes: string[], usual: Asked, place: Place): HTMLElement {
  const text = h("input", { type: "text", "aria-label": "Query", placeholder: "type a query", maxlength: 10_000, required: true, class: "wide" });
  const k = h("input", { type: "number", min: 1, max: 100, value: usual.k, "aria-label": "Neighbours" });
  const told = h("p", { role: "status", class: "told" });
  const named = (names: string[]) => names.map((name) => [name, name] as const);
  const again = () => text.value.trim() && void ask(asked());
  const metric = choice("metric", named(["cosine", "ip", "l2"]), usual.metric, again);
  const index = choice("search", named(indexes), usual.index, again);
  const [metrics, searches] = [metric, index].map((label) => label.querySelector("select") as HTMLSelectElement);
  const asked = (): Asked => ({ text: text.value, k: Number(k.value), metric: metrics.value, index: searches.value });
  const held = newHeld(scene);
  let last = 0;

  const ask = async (wanted: Asked) => {
    const now = ++last;
    told.textContent = "asking…";
    try {
      const heard = (await (await call("/ask", wanted)).json()) as Heard;
      if (now !== last) return; // something else was asked meanwhile
      told.textContent = `${heard.answers.length} models, k = ${heard.k}, ${heard.metric}, ${heard.index}`;
      place.asks(wanted);
      const placeOf = held(heard.more);
      const answers = heard.answers.map((each) => asAnswer(each, placeOf));
      store.set({ typed: { text: heard.text, answers, labels: new Map(), label } });
    } catch (error) {
      if (now === last) told.textContent = words(error);
    }
  };
  const label = async (row: number, right: boolean) => {
    const { typed } = store.state;
    if (!typed) return;
    try {
      const sent = { text: typed.text, id: scene.head.items.ids[row], grade: Number(right) };
      const { labels } = (await (await call("/label", sent)).json()) as { labels: number };
      told.textContent = `Judged: ${labels} result${labels > 1 ? "s" : ""} of this query. "embdiff judge" takes them up.`;
      if (store.state.typed?.text === typed.text) store.set({ typed: { ...store.state.typed, labels: new Map([...store.state.typed.labels, [row, right]]) } });
    } catch (error) {
      told.textContent = words(error);
    }
  };
  const keep = async () => {
    if (!text.value.trim()) return;
    try {
      const { queries } = (await (await call("/judge", { text: text.value })).json()) as { queries: number };
      told.textContent = `Kept for judging: ${queries} ${queries > 1 ? "queries" : "query"} so far.`;
    } catch (error) {
      told.textContent = words(error);
    }
  };
  k.addEventListener("change", again);
  place.follow((wanted) => {
    [text.value, k.value, metrics.value, searches.value] = [wanted.text, String(wanted.k), wanted.metric, wanted.index];
    void ask(wanted);
  });
  const form = h(
    "form",
    { class: "controls", submit: (event: Event) => (event.preventDefault(), again()) },
    text,
    h("label", { class: "choice" }, "k ", k),
    metric,
    index,
    h("button", { type: "submit" }, "ask"),
    h("button", { type: "button", class: "quiet", click: () => void keep() }, "judge this query later"),
  );
  const about = "The diff shows what the models return, the maps ring it; ✓ and ✗ beside a result add it to the judgements of this run.";
  const found = scene.head.drawn ? finding(scene, (wanted) => ((text.value = wanted), again())) : null;
  return h("section", { class: "chapter ask", "aria-label": "Ask" }, form, h("div", { class: "told-line" }, told, h("span", { class: "small" }, about)), found);
}

/** A search in the whole corpus, of which the page holds some rows; a row found is asked. */
function finding(scene: Scene, ask: (text: string) => void): HTMLElement {
  const rows = scene.head.rows.toLocaleString("en");
  const text = h("input", { type: "search", "aria-label": "Find a row", placeholder: `find one of all ${rows} rows`, maxlength: 1_000 });
  const told = h("p", { role: "status", class: "told" });
  const list = h("ol", { class: "found" });
  const find = async () => {
    if (!text.value.trim()) return;
    try {
      const heard = (await (await call("/find", { text: text.value })).json()) as { count: number; rows: { id: string; text: string; ask: string }[] };
      const first = heard.count > heard.rows.length ? `; the first ${heard.rows.length} are listed` : "";
      told.textContent = `${heard.count.toLocaleString("en")} of ${rows} rows${first}. A click asks with the row.`;
      list.replaceChildren(...heard.rows.map((row) => h("li", { dir: "auto" }, h("button", { type: "button", class: "link", click: () => ask(row.ask) }, row.id), ` ${row.text}`)));
    } catch (error) {
      told.textContent = words(error);
    }
  };
  const form = h("form", { class: "controls", submit: (event: Event) => (event.preventDefault(), void find()) }, text, h("button", { type: "submit", class: "quiet" }, "find"));
  return h("div", { class: "finding" }, form, told, list);
}

/** Rows that the page does not hold are kept after its own, each once: from the server's number to the place here. */
function newHeld(scene: Scene): (more: Heard["more"]) => (row: number) => number {
  const { ids, texts, groups } = scene.head.items;
  const [own, places] = [ids.length, new Map<string, number>()];
  return (more) => {
    for (const { id, text, group } of more)
      if (!places.has(id)) {
        places.set(id, ids.push(id) - 1);
        texts.push(text);
        groups?.push(group ?? "");
      }
    return (row) => (row < own ? row : (places.get(more[row - own].id) as number));
  };
}

function asAnswer(each: Heard["answers"][number], placeOf: (row: number) => number): Answer {
  const numbers = (values: (number | null)[]) => Float32Array.from(values, (value) => value ?? Number.NaN);
  return {
    model: each.model,
    queryModel: each.model,
    beside: each.beside,
    distanceWord: each.distance_word,
    width: each.rows.length,
    rows: Int32Array.from(each.rows, placeOf),
    distance: numbers(each.distance),
    isSelf: new Uint8Array(each.rows.length),
    elseWidth: each.elsewhere.rows.length,
    elseRows: Int32Array.from(each.elsewhere.rows, placeOf),
    elseRanks: Int32Array.from(each.elsewhere.ranks),
    elseDistance: numbers(each.elsewhere.distance),
    lostWidth: 0,
    lostRows: new Int32Array(),
  };
}
