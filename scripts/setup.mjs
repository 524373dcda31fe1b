/** Installs and builds what is stale, quietly; does nothing when all is fresh. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`heddle needs Node 20.19 or newer; this is ${process.version}`);
  process.exit(1);
}

function newest(path) {
  if (!existsSync(path)) return 0;
  const { mtimeMs } = statSync(path);
  if (!statSync(path).isDirectory()) return mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function step(what, command, args) {
  const done = spawnSync(command, args, { cwd: root, encoding: "utf8", shell: process.platform === "win32" });
  if (done.status === 0) return;
  console.error(`${what} failed:\n${done.stdout}${done.stderr}`);
  process.exit(1);
}

const at = (...path) => join(root, ...path);
const installed = newest(at("node_modules", ".package-lock.json"));
if (installed < Math.max(newest(at("package-lock.json")), newest(at("package.json")))) {
  console.error("heddle: installing …");
  // Not `npm ci`: it refuses a lock file whose optional packages for other platforms a registry does not have.
  step("npm install", "npm", ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]);
  const now = new Date();
  utimesSync(at("node_modules", ".package-lock.json"), now, now);
}

const tsc = [at("node_modules", "typescript", "bin", "tsc"), "-p"];
const library = Math.max(newest(at("src")), newest(at("rolldown.config.js")));
const rest = Math.max(library, ...["test", "examples", "bench", "tsconfig.json"].map((name) => newest(at(name))));
// Both are looked at: a build may have been stopped between the two steps.
if (Math.min(newest(at("dist", "index.js")), newest(at("build", "src.tsbuildinfo"))) < library) {
  console.error("heddle: building the library …");
  step("building the library", process.execPath, [...tsc, at("src")]);
  step("bundling the library", process.execPath, [at("node_modules", "rolldown", "bin", "cli.mjs"), "--config"]);
}
if (newest(at("build", "tests.tsbuildinfo")) < rest) {
  console.error("heddle: building tests, examples and benchmarks …");
  step("building the rest", process.execPath, [...tsc, root]);
}
