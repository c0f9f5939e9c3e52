import assert from "node:assert/strict";
import test from "node:test";
import KDBush from "kdbush";
import { closest, dotScale, toMap, toScreen, zoom, type Place, type View } from "../src/pointing.js";

const SIZE = { width: 600, height: 300 };
const UNMOVED = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];

/** Zoomed by `scale`, turned by `angle`, moved by (right, up). */
function seen(scale: number, angle: number, right: number, up: number): View {
  const [cosine, sine] = [scale * Math.cos(angle), scale * Math.sin(angle)];
  return [cosine, sine, 0, 0, -sine, cosine, 0, 0, 0, 0, 1, 0, right, up, 0, 1];
}

test("the middle of the map is the middle of the screen, and one unit is half its height", () => {
  assert.deepEqual(toScreen(UNMOVED, SIZE, [0, 0]), [300, 150]);
  assert.deepEqual(toScreen(UNMOVED, SIZE, [1, 1]), [450, 0]);
  assert.deepEqual(toScreen(seen(2, 0, 0.5, 0), SIZE, [1, 0]), [300 + 150 * 2.5, 150]);
});

test("what is on the screen is found again on the map, zoomed, turned and moved", () => {
  for (const view of [UNMOVED, seen(3, 0, -0.2, 0.7), seen(0.5, 1.1, 0.3, -0.4)])
    for (const place of [[0, 0], [0.25, -0.75], [-1, 0.5]] as Place[]) {
      const [x, y] = toMap(view, SIZE, toScreen(view, SIZE, place));
      assert.ok(Math.hypot(x - place[0], y - place[1]) < 1e-12);
    }
});

test("dots grow more slowly than the map, and what is around them does not shrink", () => {
  assert.ok(Math.abs(zoom(seen(3, 0.4, 1, 1)) - 3) < 1e-12);
  assert.equal(dotScale(seen(0.3, 0, 0, 0)), 1);
  assert.equal(dotScale(UNMOVED), 1);
  assert.ok(dotScale(seen(10, 0, 0, 0)) > 3 && dotScale(seen(10, 0, 0, 0)) < 4);
});

test("the closest row is the one that looking at every row finds", () => {
  const [x, y] = [7, 11].map((step) => Float32Array.from({ length: 500 }, (_, row) => ((row * step) % 97) / 48.5 - 1));
  const index = new KDBush(500);
  x.forEach((each, row) => index.add(each, y[row]));
  index.finish();
  for (const [atX, atY] of [[0, 0], [0.33, -0.2], [-0.97, 0.9], [0.5, 0.5]] as Place[]) {
    const away = [...x].map((each, row) => (each - atX) ** 2 + (y[row] - atY) ** 2);
    const least = Math.min(...away);
    assert.equal(closest(index, x, y, [atX, atY], 0.5), away.indexOf(least));
    assert.equal(closest(index, x, y, [atX, atY], Math.sqrt(least) * 0.9), null);
  }
});
