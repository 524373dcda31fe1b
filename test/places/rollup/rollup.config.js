import resolve from "@rollup/plugin-node-resolve";

export default {
  input: ["main.js", "jobs.worker.js"],
  output: { dir: "out" },
  plugins: [resolve({ preferBuiltins: true })],
};
