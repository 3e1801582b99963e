# The demo's programs: build/demo/server and build/demo/client.
DEMO_BIN := $(BUILD)/demo/server $(BUILD)/demo/client

.PHONY: demo-programs
demo-programs: $(DEMO_BIN)

$(BUILD)/demo/search.pb-c.c $(BUILD)/demo/search.pb-c.h &: demo/search.proto
	$(Q)mkdir -p $(@D)
	$(SAY) GEN $@
	$(Q)protoc-c --c_out=$(@D) -Idemo demo/search.proto

# Generated code is not ours to warn about.
$(BUILD)/demo/search.pb-c.o: $(BUILD)/demo/search.pb-c.c
	$(SAY) CC $<
	$(Q)$(CC) $(CFLAGS) -w -c -o $@ $<

$(DEMO_BIN:%=%.o): $(BUILD)/demo/%.o: demo/%.c $(BUILD)/demo/search.pb-c.h
	$(SAY) CC $<
	$(Q)$(CC) $(CFLAGS) -I$(BUILD)/demo -c -o $@ $<

$(DEMO_BIN): %: %.o $(BUILD)/demo/search.pb-c.o
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lprotobuf-c
