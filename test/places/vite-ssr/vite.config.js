export default {
  build: { ssr: true, rollupOptions: { input: ["main.js", "jobs.worker.js"] } },
  // Also bundles what is installed.
  ssr: { noExternal: true },
};
