// The verdict of @bufbuild/protovalidate, which shares nothing with p2e.
import { fromBinary } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";

const FAILURES = { CompilationError: "compile_error", RuntimeError: "runtime_error" };

export class Oracle {
  constructor(registry) {
    this.registry = registry;
    this.validator = createValidator({ registry });
  }

  // {verdict, detail}: valid, invalid (with the ids of the rules), parse_error, runtime_error, compile_error.
  judge(desc, bytes) {
    let message;
    try {
      message = fromBinary(desc, bytes);
    } catch (error) {
      return { verdict: "parse_error", detail: error.message };
    }
    const result = this.validator.validate(desc, message);
    if (result.kind === "valid") return { verdict: "valid", detail: "" };
    if (result.kind === "invalid")
      return { verdict: "invalid", detail: result.violations.map((each) => each.ruleId).join(",") };
    return { verdict: FAILURES[result.error.name] ?? "runtime_error", detail: result.error.message };
  }
}
