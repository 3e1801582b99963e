# The demo's programs: build/demo/server and build/demo/client.
DEMO_BIN := $(BUILD)/demo/server $(BUILD)/demo/client

.PHONY: demo-programs
demo-programs: $(DEMO_BIN)

$(BUILD)/demo/search.pb-c.c $(BUILD)/demo/search.pb-c.h &: demo/search.proto
	@mkdir -p $(@D)
	protoc-c --c_out=$(@D) -Idemo demo/search.proto

# Generated code is not ours to warn about.
$(BUILD)/demo/search.pb-c.o: $(BUILD)/demo/search.pb-c.c
	$(CC) $(CFLAGS) -w -c -o $@ $<

$(DEMO_BIN:%=%.o): $(BUILD)/demo/%.o: demo/%.c $(BUILD)/demo/search.pb-c.h
	$(CC) $(CFLAGS) -I$(BUILD)/demo -c -o $@ $<

$(DEMO_BIN): %: %.o $(BUILD)/demo/search.pb-c.o
	$(CC) $(LDFLAGS) -o $@ $^ -lprotobuf-c
