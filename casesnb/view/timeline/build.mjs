// Bundle src/ into timeline.js, with the licences of what is bundled.
import { build, transform } from "esbuild";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const options = {
  absWorkingDir: here,
  entryPoints: ["src/index.js"],
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "ascii",
  legalComments: "none",
  metafile: true,
  plugins: [{ name: "css as text", setup: asText }],
};
function asText({ onLoad }) {
  onLoad({ filter: /\.css$/ }, async ({ path }) => {
    const { code } = await transform(readFileSync(path, "utf8"), { loader: "css", minify: true });
    return { contents: code, loader: "text" };
  });
}
const { metafile } = await build({ ...options, write: false });
const [{ inputs }] = Object.values(metafile.outputs);
const ours = Object.entries(inputs).reduce((n, [path, { bytesInOutput }]) => n + (/^src.*js$/.test(path) ? bytesInOutput : 0), 0);
console.log(`${ours.toLocaleString("en")} bytes of our own script`);
if (ours >= 40_000) throw new Error(`Our own script has ${ours} bytes and should have fewer than 40,000.`);
const packages = [...new Set(Object.keys(metafile.inputs).flatMap((path) => path.match(/^node_modules\/([^/]+)/)?.[1] ?? []))];
const texts = new Map();
for (const name of packages.sort()) {
  const text = readFileSync(join(here, "node_modules", name, "LICENSE"), "utf8").trim();
  texts.set(text, [...(texts.get(text) ?? []), name]);
}
const notices = [...texts].map(([text, names]) => `${names.join(", ")}:\n\n${text}`);
const banner = `/* casesnb's timeline, Apache-2.0. It holds:\n\n${notices.join("\n\n")}\n*/`;
await build({ ...options, banner: { js: banner }, outfile: process.argv[2] ?? "timeline.js" });

