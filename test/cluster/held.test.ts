/** The jobs that a worker has in hand, what asks them to stop, and the log of which have begun. */
import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { Held } from "../../src/cluster/held.js";
import { folder } from "./support/clusters.js";

const part = (name: string) => import(new URL(`../../src/cluster/${name}.js`, import.meta.url).href);
const { HeldJobs }: typeof import("../../dist/cluster/held.js") = await part("held");
const { BeginLog }: typeof import("../../dist/cluster/begin-log.js") = await part("begin-log");

function held(run: string, job: number, asynchronous = false): Held {
  return { id: `${run}-${job}`, retryCount: 0, place: { run, job }, asynchronous, ended: false } as Held;
}

test("what ends and what goes is counted once; asynchronous jobs apart", () => {
  const jobs = new HeldJobs();
  const [a, b, c] = [held("r", 0), held("r", 1), held("r", 2, true)];
  for (const each of [a, b, c]) jobs.add(each);
  for (const each of [a, a, c]) jobs.end(each);
  assert.deepEqual([jobs.count, jobs.asynchronous, jobs.ended], [3, 1, 1]);
  assert.ok(jobs.remove(a) && !jobs.remove(a));
  jobs.end(a);
  assert.deepEqual([jobs.count, jobs.asynchronous, jobs.ended], [2, 1, 0]);
  assert.ok(jobs.remove(b) && jobs.remove(c));
  assert.deepEqual([jobs.count, jobs.asynchronous, jobs.ended], [0, 0, 0]);
});

test("a run's jobs share a signal, other runs have theirs; a run that comes back has a new one", () => {
  const jobs = new HeldJobs();
  const [a, b, other] = [held("r", 0), held("r", 1), held("s", 0)];
  for (const each of [a, b, other]) jobs.add(each);
  assert.equal(jobs.signalOf(a), jobs.signalOf(b));
  jobs.abortRun("r", "enough");
  jobs.abortRun("unknown", "enough");
  assert.deepEqual(
    [a, b, other].map((each) => jobs.signalOf(each).aborted),
    [true, true, false],
  );
  for (const each of [a, b]) jobs.remove(each);
  jobs.add(a);
  assert.equal(jobs.signalOf(a).aborted, false);
  jobs.abortAll("over");
  assert.deepEqual([jobs.signalOf(a).reason, jobs.signalOf(other).reason], ["over", "over"]);
});

test("a log that is closed writes nothing: the number of its file may be another file's", (t) => {
  const path = folder(t)("other");
  const log = BeginLog.open();
  assert.ok(log);
  const mark = log.add("00000000-0000-0000-0000-000000000000:0");
  assert.ok(mark);
  log.close();
  const other = openSync(path, "w");
  assert.equal(other, mark.file, "the test needs the same number");
  assert.equal(log.add("00000000-0000-0000-0000-000000000000:1"), undefined);
  log.remove(mark);
  closeSync(other);
  assert.equal(readFileSync(path, "utf8"), "");
});
