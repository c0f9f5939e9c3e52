import assert from "node:assert/strict";
import { test } from "node:test";
import { askedIn, asksFor } from "../src/asked.js";

const usual = { text: "", k: 10, metric: "cosine", index: "exact" };

test("an address says what is asked, beside its token, and leaves out what is as usual", () => {
  assert.equal(asksFor("?token=t", { ...usual, text: "a & b" }, usual), "?token=t&q=a+%26+b");
  assert.equal(asksFor("?token=t&q=old&k=3", { ...usual, text: "new", metric: "l2" }, usual), "?token=t&q=new&metric=l2");
  assert.equal(asksFor("?token=t&q=old&k=3&metric=l2&index=flat", null, usual), "?token=t");
});

test("what an address asks is understood again", () => {
  for (const asked of [{ ...usual, text: "50 % +1?" }, { text: "x", k: 3, metric: "ip", index: "ivf_flat(nlist=4,nprobe=4)" }])
    assert.deepEqual(askedIn(asksFor("?token=t", asked, usual), usual), asked);
  assert.equal(askedIn("?token=t", usual), null);
  assert.equal(askedIn("?token=t&q=&k=3", usual), null);
  assert.equal(askedIn("?q=a&k=many", usual)?.k, 10);
});
