// Bundle the view for the package (../src/embdiff/views/static), or, with --tests, the unit tests for node.
import { readdirSync } from "node:fs";
import { build } from "esbuild";

const tests = process.argv.includes("--tests");
await build({
  bundle: true,
  format: "esm",
  target: "es2022",
  ...(tests
    ? {
        entryPoints: readdirSync("tests").filter((name) => name.endsWith(".test.ts")).map((name) => `tests/${name}`),
        outdir: "build/tests",
        outExtension: { ".js": ".mjs" },
        platform: "node",
      }
    : {
        entryPoints: { view: "src/index.ts", style: "src/style.css" },
        outdir: "../src/embdiff/views/static",
        minify: true,
        legalComments: "inline",
        platform: "browser",
      }),
}).catch(() => process.exit(1));
