/**
 * A reporter for Node's test runner: it says at the end which tests failed and why, as the runner's own lines on them may stand
 * thousands of lines above the end of a log.
 */
import { relative } from "node:path";

/** @param {AsyncIterable<{ type: string, data: any }>} events what the runner tells */
export default async function* failures(events) {
  const failed = [];
  for await (const { type, data } of events) {
    // A file whose own tests failed fails too, and says nothing new.
    if (type === "test:fail" && data.details.error?.failureType !== "subtestsFailed") failed.push(data);
  }
  for (const { name, file, details } of failed) {
    const { error } = details;
    const why = error?.cause?.stack ?? error?.cause ?? error;
    yield `\nfailed: ${file === undefined ? "" : `${relative(process.cwd(), file)}: `}${name}\n${why}\n`;
  }
}
