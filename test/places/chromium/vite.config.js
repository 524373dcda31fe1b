// Pages have shared memory only with these headers.
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default {
  build: { target: "esnext" },
  worker: { format: "es" },
  server: { headers },
  preview: { headers },
};
