/** Makes trouble: one fault after the other, at random moments, so that each kind comes again and again. */
import { exec } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import type { Random } from "../../soak/random.js";
import { ALL, type Faults } from "./faults.js";
import { type LossyProxy, PROXY_FAULTS, type ProxyFault } from "./proxy.js";
import type { Slot, Workers } from "./workers.js";

const run = promisify(exec);

const KINDS = ["kill", "stop", "deploy", "crash", ...PROXY_FAULTS, ...PROXY_FAULTS, "kill", "stop"] as const;
/** Between two faults, in milliseconds. */
const LEAST_PAUSE = 1500;
const MORE_PAUSE = 4000;
/** How long faults of connections last, in milliseconds. */
const SHORTEST = 5000;
const LONGEST = 25_000;
/** How long older workers are there, in milliseconds. */
const LEAST_OLD = 5000;
const MORE_OLD = 15_000;

export interface Scene {
  readonly workers: Workers;
  /** Proxies of others than workers. */
  readonly proxies: readonly LossyProxy[];
  readonly faults: Faults;
  readonly random: Random;
  /** Has the server crash and start again; undefined: this cannot be done. */
  readonly restart: string | undefined;
}

/** @returns settles when the signal is aborted and all that was begun is over */
export async function makeTrouble(scene: Scene, signal: AbortSignal): Promise<void> {
  const { random } = scene;
  const begun = new Set<Promise<void>>();
  let bag: (typeof KINDS)[number][] = [];
  for (;;) {
    await delay(LEAST_PAUSE + random.below(MORE_PAUSE), undefined, { signal }).catch(() => {});
    if (signal.aborted) break;
    if (bag.length === 0) bag = [...KINDS];
    const [kind] = bag.splice(random.below(bag.length), 1);
    const fault = one(scene, kind).finally(() => begun.delete(fault));
    begun.add(fault);
  }
  for (const { proxy } of scene.workers.slots) proxy?.heal();
  for (const proxy of scene.proxies) proxy.heal();
  await Promise.all(begun);
}

async function one(scene: Scene, kind: (typeof KINDS)[number]): Promise<void> {
  const { workers, faults, random } = scene;
  faults.count(kind);
  if (kind === "kill") workers.kill(random.of(workers.slots));
  else if (kind === "stop") await workers.stop(random.of(workers.slots));
  else if (kind === "deploy") await deploy(scene);
  else if (kind === "crash") await crash(scene);
  else await disturb(scene, kind);
}

/** All but the last worker, which has no proxy, are of the older version for a while, one after the other. */
async function deploy({ workers, random }: Scene): Promise<void> {
  const old = workers.slots.slice(0, -1);
  for (const slot of old) {
    slot.older = true;
    await workers.stop(slot);
  }
  await delay(LEAST_OLD + random.below(MORE_OLD));
  for (const slot of old) {
    slot.older = false;
    await workers.stop(slot);
  }
}

async function crash({ faults, restart }: Scene): Promise<void> {
  if (restart === undefined) return;
  const over = faults.begin(ALL);
  faults.isServerDown = true;
  await run(restart);
  faults.isServerDown = false;
  over();
}

async function disturb({ workers, proxies, faults, random }: Scene, fault: ProxyFault): Promise<void> {
  const places: (Slot | LossyProxy)[] = [...workers.slots.filter(({ proxy }) => proxy !== undefined), ...proxies];
  const place = random.of(places);
  const milliseconds = SHORTEST + random.below(LONGEST - SHORTEST);
  const pick = random.oneIn(2) ? (count: number) => random.below(count) : undefined;
  if (!("member" in place)) {
    await place.disturb(fault, pick, milliseconds);
    return;
  }
  place.fault = fault;
  place.disturbed++;
  const over = faults.begin(place.member?.name ?? "");
  const known = place.proxy!.disturb(fault, pick, milliseconds).finally(over);
  await Promise.race([known, delay(milliseconds)]);
  place.disturbed--;
  await known;
}
