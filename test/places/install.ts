/** Installs what places need. That a registry cannot be reached is told as such. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Place } from "./place.js";
import { run } from "./run.js";

/** What is printed when a registry cannot be reached, or was not to be asked. */
const UNREACHED =
  /\b(E[A-Z_]*TIMEDOUT|E[A-Z_]*TIMEOUT|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ENOTCACHED|ENOTFOUND)\b/;

/** What npm tells its scripts would make the npm started here work in the project instead of in the given folder. */
const ofNpm = /^(npm_config_(local_)?prefix|npm_package_.*|INIT_CWD|NODE_TEST_CONTEXT)$/i;

/** What all programs of places have in their environment. */
export const environment: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !ofNpm.test(name)),
);

/** Why no registry was reached, once that is so: those that come later do with what npm has kept. */
let unreached: string | undefined;

/** Installs what a place needs in its folder, where heddle.tgz is. */
export async function install(name: string, app: string, place: Place, env = environment): Promise<void> {
  const offline = unreached === undefined ? {} : { npm_config_offline: "true" };
  try {
    await runInstall(app, place, { ...env, ...place.env, ...offline });
  } catch (error) {
    const text = (error as Error).message;
    const cause = UNREACHED.exec(text)?.[1];
    if (cause === undefined) throw new Error(`what ${name} needs cannot be installed: ${text}`);
    unreached ??= cause;
    throw new Error(`${name} was NOT TRIED, as the package registry cannot be reached (${unreached}): ${text}`);
  }
}

async function runInstall(app: string, { install, tools = {} }: Place, env: NodeJS.ProcessEnv): Promise<void> {
  if (install !== undefined) {
    for (const command of install) await run(command, app, env);
    return;
  }
  writeFileSync(join(app, "package.json"), '{ "name": "app", "private": true, "type": "module" }\n');
  const packages = Object.entries(tools).map(([tool, version]) => `${tool}@${version}`);
  const from = packages.length === 0 ? "--offline" : "--prefer-offline";
  const options = [from, "--no-audit", "--no-fund", "--loglevel=error"];
  await run(["npm", "install", ...options, "./heddle.tgz", ...packages], app, env);
}
