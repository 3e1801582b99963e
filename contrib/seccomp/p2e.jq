# Makes the seccomp profile for containers with p2e out of a runtime's default one (Docker's
# default.json, Podman's /usr/share/containers/seccomp.json), with bpf(2) allowed:
#
#     jq --arg arch amd64 -f p2e.jq default.json > p2e.json
#
# The default has conditions (capabilities, architectures) that Docker and Podman resolve when a
# container is made, and Kubernetes' localhost profiles do not: there, what is for CAP_SYS_ADMIN
# alone would be allowed to all. So they are resolved here, for containers without capabilities other
# than CAP_BPF and CAP_PERFMON. What the default says of bpf(2) goes: Podman's refuses it by name, and
# of two rules for one system call the refusal counts.
{ amd64: "SCMP_ARCH_X86_64", arm64: "SCMP_ARCH_AARCH64", riscv64: "SCMP_ARCH_RISCV64" }[$arch] as $name
| if $name == null then error("arch is amd64, arm64 or riscv64") else . end
| def applies:
    .includes.caps == null
    and (.includes.arches == null or (.includes.arches | index($arch)))
    and (.excludes.arches == null or (.excludes.arches | index($arch) | not));
{
  defaultAction,
  defaultErrnoRet: (.defaultErrnoRet // 1),
  architectures: [.archMap[] | select(.architecture == $name) | .architecture, .subArchitectures[]?],
  syscalls: (
    [.syscalls[] | select(applies) | .names -= ["bpf"] | select(.names != [])
     | { names, action, errnoRet, args } | with_entries(select(.value != null))]
    + [{ names: ["bpf"], action: "SCMP_ACT_ALLOW" }]
  )
}
