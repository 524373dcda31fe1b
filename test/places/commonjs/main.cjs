const heddle = require("heddle");
const { runAll } = require("./cases.cjs");
const work = require("./work.cjs");

runAll(heddle, work, { modules: [require.resolve("./work.cjs")] });
