# Messages as people read them, one a line of standard input.
PRINT_TOOL := $(BUILD)/tests/compiler/print

.PHONY: print-programs
print-programs: $(PRINT_TOOL)

$(PRINT_TOOL): $(PRINT_TOOL).o $(OBJ_COMP) $(OBJ_BOTH)
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_CLI)
