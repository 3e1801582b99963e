# Fuzzers: tests/fuzz/fuzz_NAME.c, one program each (clang's libFuzzer with ASan and UBSan),
# and what helps them find their way: NAME.dict, words to try.
#
#   make fuzz FUZZ_SECONDS=600      runs each for so long (60 when not told); a finding stays in
#                                   build/fuzz/NAME/ and the run fails
#
# An input may take 25 s, five times what is promised: the sanitizers slow down by more than that.
#
# What was interesting stays in build/fuzz/NAME/corpus, so that the next run starts from there.
FUZZ_SECONDS ?= 60
FUZZ         := $(BUILD)/fuzz
FUZZ_NAMES   := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN     := $(FUZZ_NAMES:%=$(FUZZ)/fuzz_%)
FUZZ_OBJ     := $(patsubst $(BUILD)/%,$(FUZZ)/%,$(OBJ_COMP) $(OBJ_BOTH))
FUZZ_FLAGS   := -O1 -g -std=gnu17 -w -D_GNU_SOURCE -I. -I$(BUILD)/gen -MMD -MP \
                -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

$(FUZZ)/%.o: %.c | generated
	$(Q)mkdir -p $(@D)
	$(SAY) FUZZ $<
	$(Q)$(CLANG) $(FUZZ_FLAGS) -c -o $@ $<

$(FUZZ)/%.o: $(BUILD)/%.c | generated
	$(Q)mkdir -p $(@D)
	$(SAY) FUZZ $<
	$(Q)$(CLANG) $(FUZZ_FLAGS) -c -o $@ $<

$(FUZZ_BIN): $(FUZZ)/fuzz_%: $(FUZZ)/tests/fuzz/fuzz_%.o $(FUZZ_OBJ)
	$(SAY) LINK $@
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIBS_CLI)

# What to start from: the tests' own data.
$(FUZZ)/schema/seeds: $(wildcard tests/data/schema/*.proto)
	$(Q)mkdir -p $@
	$(Q)for proto in $(notdir $^); do \
	    protoc -Itests/data/schema -Itests/data/schema/include -Itests/data --include_imports \
	        -o $@/$$proto.desc $$proto || exit 1; done
$(FUZZ)/cel/seeds: tests/fuzz/cel.seeds $(wildcard tests/data/cel/*.txt)
	$(Q)mkdir -p $@
	$(Q)sed -n 's/^> /0/p' $(filter %.txt,$^) | cat - $< | awk '{ \
	    file = "$@/" NR; printf "%s", $$0 > file; close(file) }'
$(FUZZ)/%/seeds:
	$(Q)mkdir -p $@

FUZZ_RUN := $(FUZZ_NAMES:%=fuzz-%)
.PHONY: fuzz fuzz-programs $(FUZZ_RUN)
fuzz-programs: $(FUZZ_BIN)
fuzz: $(FUZZ_RUN)
$(FUZZ_RUN): fuzz-%: $(FUZZ)/fuzz_% $(FUZZ)/%/seeds
	$(Q)mkdir -p $(FUZZ)/$*/corpus
	$(SAY) FUZZ "$* for $(FUZZ_SECONDS) s"
	$(Q)$< -max_total_time=$(FUZZ_SECONDS) -timeout=25 -rss_limit_mb=1024 -print_final_stats=1 \
	    $(patsubst %,-dict=%,$(wildcard tests/fuzz/$*.dict)) \
	    -artifact_prefix=$(FUZZ)/$*/ $(FUZZ)/$*/corpus $(FUZZ)/$*/seeds
