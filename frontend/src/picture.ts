// A figure as a picture: its elements with the styles that they have, inside an SVG; PNG is that SVG drawn.

import { h } from "./dom.js";

// What gives an element its look; everything else of the several hundred properties stands as a browser has it.
const LOOKS = [
  "align-items", "background-color", "border-bottom", "border-collapse", "border-left", "border-radius", "border-right", "border-top",
  "box-sizing", "color", "column-gap", "display", "fill", "fill-opacity", "flex", "flex-wrap", "font-family", "font-size", "font-style",
  "font-variant-numeric", "font-weight", "grid-auto-flow", "grid-column", "grid-template-columns", "height", "justify-content", "left",
  "line-height", "list-style-type", "margin", "max-width", "min-width", "opacity", "overflow", "overflow-wrap", "padding", "paint-order", "position", "right",
  "row-gap", "stroke", "stroke-dasharray", "stroke-opacity", "stroke-width", "text-align", "text-anchor", "text-overflow", "top",
  "vertical-align", "white-space", "width",
];

/** The figure as the text of an SVG file. */
export function asSvg(target: HTMLElement): string {
  const { width, height } = target.getBoundingClientRect();
  const copy = target.cloneNode(true) as HTMLElement;
  dress(target, copy);
  for (const each of copy.querySelectorAll(".picture-buttons, .visually-hidden")) each.remove();
  copy.style.margin = "0";
  const ground = getComputedStyle(target.closest(".embdiff-view") ?? target).backgroundColor;
  const inside = new XMLSerializer().serializeToString(copy);
  const [w, t] = [Math.ceil(width), Math.ceil(height)];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${t}" viewBox="0 0 ${w} ${t}">` +
    `<rect width="100%" height="100%" fill="${ground}"/><foreignObject width="100%" height="100%">${inside}</foreignObject></svg>`
  );
}

function dress(from: Element, to: Element): void {
  const looks = getComputedStyle(from);
  const style = (to as HTMLElement | SVGElement).style;
  for (const name of LOOKS) style.setProperty(name, looks.getPropertyValue(name));
  for (const name of ["class", "id", "tabindex"]) to.removeAttribute(name);
  const [those, these] = [[...from.children], [...to.children]];
  those.forEach((each, at) => dress(each, these[at]));
  for (const name of ["picture-buttons", "visually-hidden"]) if (from.classList.contains(name)) to.setAttribute("class", name);
  if (from instanceof HTMLCanvasElement) {
    const image = h("img", { src: from.toDataURL(), alt: from.getAttribute("aria-label") ?? "" });
    image.style.cssText = (to as HTMLElement).style.cssText;
    to.replaceWith(image);
  }
}

/** Draw an SVG; as data in its address, since a browser lets no drawing of another origin be read again. */
async function asPng(svg: string): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = h("canvas", { width: image.width * 2, height: image.height * 2 });
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done, failed) => canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("No picture could be made."))), "image/png"));
}

function save(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Copy a picture, or save it where the browser lets no page copy; or save it as SVG. */
export function pictureButtons(target: HTMLElement, title: string): HTMLElement {
  const name = `embdiff ${title}`.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 60);
  const copy = h("button", { type: "button", class: "quiet", "aria-label": `copy picture: ${title}` }, "copy picture");
  const told = (words: string) => {
    copy.textContent = words;
    setTimeout(() => (copy.textContent = "copy picture"), 2_000);
  };
  copy.addEventListener("click", async () => {
    try {
      const png = await asPng(asSvg(target));
      await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]).then(
        () => told("copied"),
        () => (save(png, `${name}.png`), told("saved")),
      );
    } catch {
      told("not possible here");
    }
  });
  const svg = () => save(new Blob([asSvg(target)], { type: "image/svg+xml" }), `${name}.svg`);
  return h(
    "span",
    { class: "picture-buttons" },
    copy,
    h("button", { type: "button", class: "quiet", "aria-label": `save as SVG: ${title}`, click: svg }, "SVG"),
  );
}

/** The address of what is seen, on the clipboard; where the browser lets no page write there, shown to be copied by hand. */
export function linkButton(): HTMLElement {
  const button = h("button", { type: "button", class: "quiet copy-link" }, "copy link");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = "copied";
      setTimeout(() => (button.textContent = "copy link"), 2_000);
    } catch {
      const field = h("input", { type: "text", readonly: true, value: location.href, "aria-label": "Link to what is shown" });
      button.replaceWith(field);
      field.select();
    }
  });
  return button;
}

/** A figure with its title, the one sentence that says how to read it, and its picture. */
export function figure(title: string, reading: string, ...content: (Node | null)[]): HTMLElement {
  const drawn = h("figure", {}, h("figcaption", {}, h("strong", {}, title), " ", reading), ...content);
  drawn.append(pictureButtons(drawn, title));
  return drawn;
}
