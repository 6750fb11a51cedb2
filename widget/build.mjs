// Builds what the app serves: src/main.tsx as one file, and the texts of each language but English as JSON.
// `node build.mjs [FOLDER]`: into FOLDER instead of the app's; `--watch` goes on building when a file changes.
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { context, transform } from "esbuild";

const root = import.meta.dirname;
const { values, positionals } = parseArgs({ options: { watch: { type: "boolean" } }, allowPositionals: true });
const folder = resolve(positionals[0] ?? join(root, "../functions/chat_http/static/widget"));

/**
 * Keeps of `marked` only the lexer. Its module ends with an instance of the whole parser, whose construction no bundler
 * may drop; we make elements of the tokens ourselves and never its HTML. Fails if the file does not look as expected.
 */
const lexerOnly = {
  name: "marked-lexer-only",
  setup(build) {
    build.onLoad({ filter: /marked\.esm\.js$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const instance = /;var \w+=new \w+;function /.exec(source);
      const lexer = /[{,](\w+) as Lexer[,}]/.exec(source);
      if (!instance || !lexer) throw new Error("marked has changed: adapt build.mjs");
      return { contents: `${source.slice(0, instance.index)};export{${lexer[1]} as Lexer};` };
    });
  },
};

/** Style sheets become strings: they are adopted by the shadow root, which a strict style-src does not forbid. */
const styles = {
  name: "styles",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await build.esbuild.transform(await readFile(path, "utf8"), { loader: "css", minify: true });
      return { contents: code.trim(), loader: "text", watchFiles: [path] };
    });
  },
};

/** Each is a module that exports its texts, without anything to run. */
async function buildTexts() {
  await mkdir(join(folder, "texts"), { recursive: true });
  for (const name of await readdir(join(root, "src/i18n"))) {
    const language = /^(\w\w)\.ts$/.exec(name)?.[1];
    if (!language || language === "en") continue;
    const { code } = await transform(await readFile(join(root, "src/i18n", name), "utf8"), { loader: "ts" });
    const { default: texts } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
    await writeFile(join(folder, "texts", `${language}.json`), JSON.stringify(texts, null, 1) + "\n");
  }
}

const building = await context({
  absWorkingDir: root,
  entryPoints: ["src/main.tsx"],
  outfile: join(folder, "widget.js"),
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022", "chrome111", "firefox113", "safari16.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  charset: "utf8",
  banner: { js: "/*! Support agent widget, with preact, marked and eventsource-parser. All MIT. */" },
  plugins: [lexerOnly, styles],
  logLevel: "info",
});
await buildTexts();
if (values.watch) {
  await building.watch();
} else {
  await building.rebuild();
  await building.dispose();
}
