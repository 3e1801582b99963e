# What the shim's tests run with musl: a server, and a program that the others run with glibc.
MUSL_BIN := $(patsubst %,$(MUSL)/tests/shim/%,calls musl/server)

.PHONY: musl-programs
musl-programs: musl $(MUSL_BIN)

$(MUSL_BIN): %: %.o
	$(SAY) LINK $@
	$(Q)$(MUSL_CC) $(LDFLAGS) -o $@ $^
