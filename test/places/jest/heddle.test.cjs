const heddle = require("heddle");
const { cases, runCase } = require("./cases.cjs");
const work = require("./work.cjs");

for (const name of Object.keys(cases)) {
  test(name, () => runCase(name, heddle, work, { modules: [require.resolve("./work.cjs")] }));
}
