# What the tests of agent/ run beside the command.
AGENT_BIN := $(patsubst %.c,$(BUILD)/%,$(filter-out $(UNIT_SRC),$(wildcard tests/agent/*.c)))

.PHONY: agent-programs
agent-programs: $(AGENT_BIN)

$(AGENT_BIN): %: %.o $(OBJ_AGENT) $(OBJ_COMP) $(OBJ_BOTH)
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_CLI) $(LIBS_AGENT)
