// Puts what the pages load into the folder named on the command line, and what only tests load into its `test`.
import { copyFile, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild-wasm";

const target = process.argv[2];
if (!target) throw new Error("usage: node build.mjs FOLDER");
await rm(target, { recursive: true, force: true });
await mkdir(join(target, "test"), { recursive: true });
await copyFile("node_modules/htmx.org/dist/htmx.min.js", join(target, "htmx.js"));
await copyFile("node_modules/axe-core/axe.min.js", join(target, "test", "axe.js"));
await build({
  bundle: true,
  charset: "utf8",
  entryPoints: ["charts.mjs"],
  format: "esm",
  legalComments: "inline",
  logLevel: "warning",
  minify: true,
  outfile: join(target, "charts.js"),
  target: "es2020",
});
