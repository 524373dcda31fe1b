/** Serves what `next build` has made, or with `dev` what lies here, and asks for the cases. */
import { createServer } from "node:http";
import next from "next";

const app = next({ dev: process.argv[2] === "dev" });
await app.prepare();
const server = createServer(app.getRequestHandler());
await new Promise((resolve) => server.listen(0, resolve));
await fetch(`http://localhost:${server.address().port}/cases`);
process.exit();
