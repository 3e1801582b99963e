// node read.js SET: for each line `TYPE HEX` of standard input `well-formed`, or why the strict reader refuses it.
import { readFileSync } from "node:fs";
import { loadSchema } from "./schema.js";
import { readMessage } from "./wire.js";

const registry = loadSchema(process.argv[2]);
for (const line of readFileSync(0, "utf8").split("\n").slice(0, -1)) {
  const [type, hex] = line.split(" ");
  const { malformed } = readMessage(registry.getMessage(type), Buffer.from(hex, "hex"));
  process.stdout.write(`${malformed ?? "well-formed"}\n`);
}
