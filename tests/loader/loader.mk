# What the tests of loader/ and shim/ run beside the shim itself.
LOADER_TOOL := $(BUILD)/tests/loader/tool
SHIM_BIN    := $(patsubst tests/shim/%.c,$(BUILD)/tests/shim/%,$(wildcard tests/shim/*.c))

.PHONY: loader-programs
loader-programs: $(LOADER_TOOL) $(SHIM_BIN)

$(LOADER_TOOL): $(LOADER_TOOL).o $(OBJ_COMP) $(OBJ_BOTH)
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_CLI)

$(SHIM_BIN): %: %.o
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^
