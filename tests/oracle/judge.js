// node judge.js SET: for each line `TYPE HEX` of standard input one line `VERDICT DETAIL`.
import { readFileSync } from "node:fs";
import { Oracle } from "./oracle.js";
import { loadSchema } from "./schema.js";

const registry = loadSchema(process.argv[2]);
const oracle = new Oracle(registry);
const lines = readFileSync(0, "utf8").split("\n").slice(0, -1);
const verdicts = lines.map((line) => {
  const [type, hex] = line.split(" ");
  const { verdict, detail } = oracle.judge(registry.getMessage(type), Buffer.from(hex, "hex"));
  return `${verdict} ${detail.replaceAll("\n", " ")}\n`;
});
process.stdout.write(verdicts.join(""));
