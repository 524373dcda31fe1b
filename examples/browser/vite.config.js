/** Pages have shared memory only with these headers. */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default {
  build: { target: "esnext", outDir: "../../build/examples/page", emptyOutDir: true },
  worker: { format: "es" },
  // heddle itself lies two folders above.
  server: { headers, fs: { allow: ["../.."] } },
  preview: { headers },
};
