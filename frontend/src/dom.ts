// Elements by hand. Text only ever enters the page as text nodes and attribute values: no markup is parsed.

type Child = Node | string | null | undefined | false;
type Props = Record<string, unknown>;

const SVG = "http://www.w3.org/2000/svg";

function fill(element: Element, props: Props, children: Child[]): void {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value as EventListener);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child) element.append(child);
}

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  fill(element, props, children);
  return element;
}

export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  fill(element, props, children);
  return element;
}

/** A name that breaks after its signs, where it must. */
export function breakable(name: string): (Node | string)[] {
  return name.split(/(?<=[_/.:?&-])/u).flatMap((part, at) => (at ? [h("wbr"), part] : [part]));
}

/** A labelled drop-down; `pick` gets the chosen value. */
export function choice(
  label: string,
  options: readonly (readonly [value: string, words: string])[],
  chosen: string,
  pick: (value: string) => void,
): HTMLElement {
  const select = h("select", {
    change: () => pick(select.value),
  });
  for (const [value, words] of options) select.append(h("option", { value, selected: value === chosen }, words));
  return h("label", { class: "choice" }, `${label} `, select);
}

/** A part of the page to open. */
export function folded(title: string, ...content: Child[]): HTMLElement {
  return h("details", { class: "fold" }, h("summary", {}, title), ...content);
}
