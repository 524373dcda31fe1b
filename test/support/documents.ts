/** The code that the documents show, and what they say that it prints. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** A block of code in a document. */
export interface Block {
  /** Such as "README.md:17". */
  readonly place: string;
  readonly language: string;
  readonly code: string;
  /** What the first line, a comment, calls the file that it is in: `// work.js`; "" if it does not. */
  readonly file: string;
}

/** Names of all documents, from the root of the repository. */
export function documents(): string[] {
  const inDocs = readdirSync(`${ROOT}docs`).map((name) => `docs/${name}`);
  return [...readdirSync(ROOT), ...inDocs].filter((name) => name.endsWith(".md") && name !== "CHANGELOG.md").sort();
}

export function textOf(document: string): string {
  return readFileSync(`${ROOT}${document}`, "utf8");
}

/** All blocks of code of a document, in order. */
export function blocksOf(document: string): Block[] {
  const text = textOf(document);
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(({ 1: language, 2: code, index }) => ({
    place: `${document}:${text.slice(0, index).split("\n").length}`,
    language,
    code,
    file: /^\/\/ ([\w-]+\.js)\b/.exec(code)?.[1] ?? "",
  }));
}

/**
 * What a program is said to print: a comment after `console.log(…);` ends with it, after a ";" if it says something else before.
 * "about 0.5" is any number so near to it.
 */
export function outputOf(code: string): string[] {
  return [...code.matchAll(/^ *console\.log\(.*\); \/\/ (.*)$/gm)].map(([, comment]) => comment.split("; ").at(-1)!);
}

/** Whether a line of output is what was said. */
export function isAsSaid(line: string | undefined, said: string): boolean {
  const about = /^about ([\d.]+)$/.exec(said);
  if (about === null) return line === said;
  return Math.abs(Number(line) - Number(about[1])) <= 0.05 * Number(about[1]);
}
