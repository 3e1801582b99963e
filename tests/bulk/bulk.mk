# The bulk tests' programs: an oracle that knows nothing of bpf/, and a flood's two ends.
BULK_DIR     := $(BUILD)/tests/bulk
BULK_SCHEMAS := scalars nested lists legacy choices flood
BULK_PB      := $(BULK_SCHEMAS:%=$(BULK_DIR)/%.pb-c.o)
BULK_BASE    := $(BUILD)/base/buffer.o
BULK_ORACLE  := $(patsubst %,$(BULK_DIR)/%.o,differential generate clean wire rules)
BULK_BIN     := $(patsubst %,$(BULK_DIR)/%,differential flood_send flood_receive)

.PHONY: bulk-programs
bulk-programs: $(BULK_BIN)

# protoc-c reads a copy: it knows no proto3 `optional`.
$(BULK_DIR)/%.pb-c.c $(BULK_DIR)/%.pb-c.h &: tests/bulk/%.proto tests/bulk/oracle-proto.sed
	$(Q)mkdir -p $(BULK_DIR)/proto
	$(Q)sed -E -f tests/bulk/oracle-proto.sed $< > $(BULK_DIR)/proto/$*.proto
	$(SAY) GEN $@
	$(Q)protoc-c --c_out=$(BULK_DIR) -I$(BULK_DIR)/proto $(BULK_DIR)/proto/$*.proto

# Generated code is not ours to warn about.
$(BULK_DIR)/%.pb-c.o: $(BULK_DIR)/%.pb-c.c
	$(SAY) CC $<
	$(Q)$(CC) $(CFLAGS) -w -c -o $@ $<

$(BULK_DIR)/%.o: tests/bulk/%.c $(BULK_SCHEMAS:%=$(BULK_DIR)/%.pb-c.h)
	$(SAY) CC $<
	$(Q)$(CC) $(CFLAGS) -I$(BULK_DIR) -c -o $@ $<

$(BULK_DIR)/differential: $(BULK_ORACLE) $(BULK_PB) $(BULK_BASE)
$(BULK_DIR)/flood_send: $(BULK_DIR)/flood_send.o $(BULK_DIR)/flood.pb-c.o
$(BULK_DIR)/flood_receive: $(BULK_DIR)/flood_receive.o $(BULK_DIR)/flood.pb-c.o
$(BULK_BIN):
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lprotobuf-c

.SECONDARY: $(BULK_SCHEMAS:%=$(BULK_DIR)/%.pb-c.c) $(BULK_SCHEMAS:%=$(BULK_DIR)/%.pb-c.h)
