# p2e: build/p2e (the command) and build/libp2e.so (the shim), both runnable from the tree.
#
#   make            build both
#   make musl       build build/musl/libp2e.so, the shim for musl programs
#   make deps       install what building needs (Debian 12, root)
#   make demo       the experiment: a server without and with a filter, one table
#   make bench      what verdicts, servers, growth and start cost; make bench-verdict one part
#   make test       all tests
#                   (both install what they need first)
#   make install    DESTDIR and prefix (/usr/local) as usual; make uninstall takes it away
#   make deb        Debian packages, in build/deb, tried
#   make format     rewrite sources in the house style; make lint checks without writing
#
# SANITIZE=1 builds all user-space code with ASan and UBSan into build/sanitize.

CC      = gcc
CLANG  ?= clang
# V=1 shows the commands.
Q := $(if $(V),,@)
SAY = $(if $(V),,@printf '  %-7s %s\n')

BUILD  := build$(if $(SANITIZE),/sanitize)

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wundef
CFLAGS  ?= -O2 -g
CFLAGS  += $(CPPFLAGS) -std=gnu17 $(WARNINGS) -D_GNU_SOURCE -I. -I$(BUILD)/gen -fvisibility=hidden -MMD -MP \
           $(if $(SANITIZE),-fsanitize=address -fsanitize=undefined -fno-sanitize-recover=all)
LDFLAGS += $(if $(SANITIZE),-fsanitize=address -fsanitize=undefined)

ROOMS_BOTH := base config loader
SRC_BOTH := $(foreach r,$(ROOMS_BOTH),$(wildcard $(r)/*.c))
SRC_SHIM := $(wildcard shim/*.c shim/glibc/*.c)
SRC_COMP := $(wildcard compiler/*.c)
SRC_AGENT := $(wildcard agent/*.c)
SRC_CLI  := $(wildcard cli/*.c)
HEADERS_BPF := $(wildcard bpf/*.h)

OBJ_BOTH := $(SRC_BOTH:%.c=$(BUILD)/%.o)
OBJ_COMP := $(SRC_COMP:%.c=$(BUILD)/%.o) \
            $(patsubst %,$(BUILD)/gen/%.o,descriptor.pb-c bpf_sources unicode)
OBJ_AGENT := $(SRC_AGENT:%.c=$(BUILD)/%.o)
OBJ_CLI  := $(SRC_CLI:%.c=$(BUILD)/%.o)
OBJ_SHIM := $(SRC_BOTH:%.c=$(BUILD)/pic/%.o) $(SRC_SHIM:%.c=$(BUILD)/pic/%.o)

LIBS_CLI  := -lbpf -lprotobuf-c -lconfig -lmd
LIBS_AGENT := -lmicrohttpd
# Linked in statically and hidden: a server gets no library that it did not ask for.
LIBS_SHIM := -l:libconfig.a -Wl,--wrap=stdin,--wrap=stdout,--wrap=stderr

.PHONY: all
all: $(BUILD)/p2e $(BUILD)/libp2e.so

$(BUILD)/p2e: $(OBJ_CLI) $(OBJ_AGENT) $(OBJ_COMP) $(OBJ_BOTH)
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_CLI) $(LIBS_AGENT)

$(BUILD)/libp2e.so: $(OBJ_SHIM) shim/libp2e.map
	$(SAY) LINK $@
	$(Q)$(CC) -shared $(LDFLAGS) -Wl,--version-script=shim/libp2e.map -Wl,--exclude-libs,ALL \
	    -Wl,-soname,libp2e.so -Wl,--gc-sections -Wl,-z,relro,-z,now $(if $(SANITIZE),,-Wl,--no-undefined) -o $@ $(OBJ_SHIM) $(LIBS_SHIM)

$(BUILD)/%.o: %.c | generated
	$(Q)mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(CC) $(CFLAGS) -c -o $@ $<

# Where Debian has a library of this architecture: p2e run looks for libp2e.so there, too.
$(BUILD)/cli/run.o: CFLAGS += -DP2E_MULTIARCH='"$(shell $(CC) -print-multiarch)"'

$(BUILD)/pic/%.o: %.c
	$(Q)mkdir -p $(@D)
	$(SAY) CC "$< (shim)"
	$(Q)$(CC) $(CFLAGS) -fPIC -ffunction-sections -c -o $@ $<

include shim/musl/musl.mk

# ---- Generated sources ---------------------------------------------------------------------------
DESCRIPTOR_DIR := /usr/include
.PHONY: generated
generated: $(BUILD)/gen/descriptor.pb-c.h $(BUILD)/gen/bpf_sources.c $(BUILD)/gen/width_tables.h

$(BUILD)/gen/descriptor.pb-c.c $(BUILD)/gen/descriptor.pb-c.h &: $(DESCRIPTOR_DIR)/google/protobuf/descriptor.proto
	$(Q)mkdir -p $(@D)
	$(SAY) GEN $@
	$(Q)cp $< $(@D)/descriptor.proto
	$(Q)protoc-c --c_out=$(@D) -I$(@D) $(@D)/descriptor.proto

# The kernel side's headers ride inside the command, so that compiling a filter needs clang alone.
$(BUILD)/gen/bpf_sources.c: $(HEADERS_BPF) compiler/embed.sh
	$(Q)mkdir -p $(@D)
	$(SAY) GEN $@
	$(Q)sh compiler/embed.sh $(HEADERS_BPF) > $@.tmp && mv $@.tmp $@

# Classes of characters and case, for regular expressions.
UNICODE_DIR := /usr/share/unicode
$(BUILD)/gen/unicode.c: compiler/unicode.sh $(patsubst %,$(UNICODE_DIR)/%.txt,UnicodeData Scripts CaseFolding)
	$(Q)mkdir -p $(@D)
	$(SAY) GEN $@
	$(Q)sh compiler/unicode.sh $(UNICODE_DIR) > $@.tmp && mv $@.tmp $@

# How wide characters are, for what points at one by a caret.
WIDTH_TABLES := $(BUILD)/gen/width_tables.h
$(WIDTH_TABLES): base/width.sh $(patsubst %,$(UNICODE_DIR)/%.txt,UnicodeData EastAsianWidth)
	$(Q)mkdir -p $(@D)
	$(SAY) GEN $@
	$(Q)sh base/width.sh $(UNICODE_DIR) > $@.tmp && mv $@.tmp $@
$(BUILD)/pic/base/width.o $(MUSL)/base/width.o: $(WIDTH_TABLES)

# Generated code is not ours to warn about.
$(BUILD)/gen/%.o: $(BUILD)/gen/%.c
	$(SAY) CC $<
	$(Q)$(CC) $(CFLAGS) -w -c -o $@ $<

# ---- Unit tests: tests/ROOM/test_*.c, one program each, cmocka -------------------------------------
UNIT_SRC := $(wildcard tests/*/test_*.c)
UNIT_BIN := $(UNIT_SRC:%.c=$(BUILD)/%)

.PHONY: unit-tests
unit-tests: $(UNIT_BIN)

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(OBJ_AGENT) $(OBJ_COMP) $(OBJ_BOTH)
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_CLI) $(LIBS_AGENT) -lcmocka
.SECONDARY: $(UNIT_SRC:%.c=$(BUILD)/%.o)

include demo/demo.mk tests/agent/agent.mk tests/bulk/bulk.mk tests/compiler/print.mk \
        tests/compiler/regex.mk tests/loader/loader.mk tests/oracle/oracle.mk tests/fuzz/fuzz.mk \
        tests/kernels/kernels.mk tests/shim/musl.mk bench/bench.mk contrib/install.mk

# ---- What people type ---------------------------------------------------------------------------
.PHONY: deps demo test programs
deps:
	./deps.sh build

demo:
	./deps.sh demo
	$(MAKE) all demo-programs
	/usr/bin/python3 demo/run.py

# Everything that tests run: they build nothing themselves.
programs: all unit-tests demo-programs agent-programs bulk-programs loader-programs print-programs \
          regex-programs oracle-programs $(if $(SANITIZE),,musl-programs)

# TESTS=tests/cli runs a part.
test:
	./deps.sh test
	$(MAKE) programs
	tests/run.sh $(BUILD) $(or $(TESTS),tests)

# Debian's older kernels, under qemu's emulation: minutes, so not with the other tests.
.PHONY: kernels
kernels:
	./deps.sh kernels
	$(MAKE) programs kernels-programs
	P2E_KERNELS=1 tests/run.sh $(BUILD) tests/kernels

# Other people's test cases alone (P2E_CONFORMANCE names their folder), as tables of what is judged and
# refused; brings docs/refused.md up to date.
.PHONY: conformance
conformance: all
	/usr/bin/python3 tests/conformance/report.py --write

# ---- Style -----------------------------------------------------------------------------------------
C_FILES     = $(shell git ls-files '*.c' '*.h')
SHELL_FILES = $(shell git ls-files '*.sh' .ci/run)
.PHONY: format lint
format:
	clang-format -i $(C_FILES)
lint:
	clang-format --dry-run -Werror $(C_FILES)
	shellcheck $(SHELL_FILES)

.PHONY: clean
clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
