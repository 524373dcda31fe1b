export default {
  mode: "production",
  target: "node",
  entry: "./main.js",
  output: { filename: "main.js", module: true, chunkFormat: "module" },
  experiments: { outputModule: true },
};
