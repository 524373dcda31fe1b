/** The set of slots that a walk through a graph has still to visit. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";

const { Frontier } = (await import(
  new URL("../src/scheduler/frontier.js", import.meta.url).href
)) as typeof import("../dist/scheduler/frontier.js");
const { slotAt, slotIndex } = (await import(
  new URL("../src/memory/layout.js", import.meta.url).href
)) as typeof import("../dist/memory/layout.js");

test("frontier: what is pushed is popped once, the nearest in its direction first", () => {
  const index = fc.oneof(fc.nat(100), fc.nat(5000), fc.nat(2 ** 22));
  // A number is pushed, null pops.
  const script = fc.array(fc.oneof(index, fc.constant(null)), { maxLength: 200 });
  fc.assert(
    fc.property(script, (steps) => {
      const frontier = new Frontier();
      const inside = new Set<number>();
      let [at, upwards] = [0, false];
      for (const step of [...steps, ...steps.map(() => null)]) {
        if (step !== null) {
          frontier.push(slotAt(step));
          inside.add(step);
          continue;
        }
        const above = [...inside].filter((each) => each >= at).sort((a, b) => a - b)[0];
        const below = [...inside].filter((each) => each <= at).sort((a, b) => b - a)[0];
        if ((upwards ? above : below) === undefined) upwards = !upwards;
        const expected = upwards ? above : below;
        assert.equal(frontier.pop(), expected === undefined ? 0 : slotAt(expected));
        if (expected === undefined) continue;
        inside.delete(expected);
        at = expected;
        assert.equal(frontier.empty, inside.size === 0);
      }
    }),
  );
});

test("slots are numbered without gaps, and found by their numbers", () => {
  fc.assert(
    fc.property(fc.nat(2 ** 22), (number) => {
      assert.equal(slotIndex(slotAt(number)), number);
    }),
  );
});
