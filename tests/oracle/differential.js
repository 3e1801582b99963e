// node differential.js SET CASES SEED COUNT: for each of COUNT mutated messages a line `TYPE HEX EXPECTED WHY`.
//
// EXPECTED is `pass`, `rule` (one does not hold, or fails), `malformed`, `refused` (the rules do not compile),
// or `unknown` where the oracle cannot tell, as WHY says. The program fails where the oracle's parser and the
// strict reader disagree on what is well formed, and none of the named reasons is met.
import { readFileSync } from "node:fs";
import { mutate, Random } from "./mutate.js";
import { Oracle } from "./oracle.js";
import { loadSchema } from "./schema.js";
import { LENIENT, readMessage } from "./wire.js";

const EXPECTED = { valid: "pass", invalid: "rule", runtime_error: "rule", compile_error: "refused" };
const [, , set, casesPath, seed, count] = process.argv;
const registry = loadSchema(set);
const oracle = new Oracle(registry);
const random = new Random(Number(seed));
const disagreements = [];

function casesByType() {
  const types = new Map();
  for (const line of readFileSync(casesPath, "utf8").split("\n").slice(0, -1)) {
    const { message, wire } = JSON.parse(line);
    if (!types.has(message)) types.set(message, []);
    types.get(message).push([...Buffer.from(wire, "hex")]);
  }
  return types;
}

function hex(bytes) {
  return Buffer.from(bytes).toString("hex");
}

// Both must call it malformed, but for what the oracle is known to accept.
function malformed(desc, bytes, reason, deviations) {
  if (!(reason in LENIENT) && !deviations.size && oracle.judge(desc, bytes).verdict !== "parse_error")
    disagreements.push(`${desc.typeName} ${hex(bytes)}: malformed (${reason}), but the oracle accepts it`);
  return ["malformed", reason];
}

function expected(desc, bytes) {
  const { malformed: reason, deviations, clean } = readMessage(desc, bytes);
  if (reason) return malformed(desc, bytes, reason, deviations);
  const why = [...deviations].join(",");
  if (deviations.has("UTF8")) return ["unknown", why];
  const { verdict, detail } = oracle.judge(desc, deviations.size ? clean : bytes);
  if (verdict === "parse_error") {
    disagreements.push(`${desc.typeName} ${hex(bytes)}: well formed, but the oracle says: ${detail}`);
    return ["unknown", "parse_error"];
  }
  return [EXPECTED[verdict], [why, detail].filter(Boolean).join(" ")];
}

const types = [...casesByType()];
for (let done = 0; done < Number(count); done++) {
  const [name, wires] = types[done % types.length];
  const desc = registry.getMessage(name);
  const bytes = mutate(desc, wires, random);
  const [verdict, why] = expected(desc, bytes);
  process.stdout.write(`${name} ${hex(bytes)} ${verdict} ${why.replaceAll("\n", " ")}\n`);
}
if (disagreements.length) {
  process.stderr.write(`${disagreements.length} messages without a named reason:\n${disagreements.slice(0, 20).join("\n")}\n`);
  process.exitCode = 1;
}
