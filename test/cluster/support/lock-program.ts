/** `node lock-program.js DIRECTORY`: locks it for each line that it is sent, and says "locked" or "refused". */
const { lockDirectory }: typeof import("../../../dist/cluster/lock.js") = await import(
  new URL("../../../src/cluster/lock.js", import.meta.url).href
);

process.stdin.on("data", () => {
  try {
    lockDirectory(process.argv[2]);
    console.log("locked");
  } catch {
    console.log("refused");
  }
});
console.log("ready");
