// Small pictures of items that are images: data URIs, as the policy of the page lets nothing else in.

import { h } from "./dom.js";
import type { Scene } from "./payload.js";

/** The picture of a row, or of a query that is no row; null where the item is no image. Its path stands beside it. */
export function thumbnail(scene: Scene, at: number, of: "items" | "queries" = "items"): HTMLElement | null {
  const found = scene.thumbnails[of];
  if (!found || at >= found.ends.length) return null;
  const part = found.bytes.subarray(at ? found.ends[at - 1] : 0, found.ends[at]);
  return part.length ? h("img", { class: "thumbnail", alt: "", src: `data:image/webp;base64,${btoa(String.fromCharCode(...part))}` }) : null;
}

export function queryThumbnail(scene: Scene, query: number): HTMLElement | null {
  return scene.head.queries.own && scene.queryRow ? thumbnail(scene, scene.queryRow[query]) : thumbnail(scene, query, "queries");
}
