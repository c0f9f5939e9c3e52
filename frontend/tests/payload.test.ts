import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { array, fromBase64, read, unzip, VERSION } from "../src/payload.js";

test("byte planes become numbers again", () => {
  const numbers = Int32Array.from([1, -2, 70_000]);
  const raw = new Uint8Array(numbers.buffer);
  const planes = new Uint8Array(12);
  for (let i = 0; i < 3; i++) for (let plane = 0; plane < 4; plane++) planes[plane * 3 + i] = raw[i * 4 + plane];
  assert.deepEqual([...array({ dtype: "int32", shape: [3], offset: 0, bytes: 12 }, planes)], [1, -2, 70_000]);
});

test("base64 and gzip are undone", async () => {
  const packed = gzipSync(Buffer.from("embdiff ± 漢"));
  const back = await unzip(fromBase64(packed.toString("base64")));
  assert.equal(new TextDecoder().decode(back), "embdiff ± 漢");
});

test("another version is refused in words", () => {
  const header = new TextEncoder().encode(JSON.stringify({ view: 99 }));
  const block = new Uint8Array(4 + header.length);
  new DataView(block.buffer).setUint32(0, header.length, true);
  block.set(header, 4);
  assert.throws(() => read(block), new RegExp(`reads version ${VERSION} of the data. Got 99`));
});
