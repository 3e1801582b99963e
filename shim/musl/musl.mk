# libp2e.so for programs of musl's (Alpine), by Debian's musl-gcc: `make musl`.
MUSL_CC  := musl-gcc
MUSL_ARCH := $(shell $(CC) -print-multiarch)
MUSL     := $(BUILD)/musl
MUSL_LIB := $(MUSL)/libp2e.so

# It goes by what is published and pinned. What reads a config file wants libconfig, which there is not for
# musl; what loads objects is of no use without.
MUSL_LEFT_OUT := $(addprefix config/,filter.c load.c read.c rules.c source.c value.c) \
                 $(addprefix loader/,filter.c load.c object.c probe.c)
MUSL_SRC := $(filter-out $(MUSL_LEFT_OUT),$(SRC_BOTH)) $(wildcard shim/*.c shim/musl/*.c)
MUSL_OBJ := $(MUSL_SRC:%.c=$(MUSL)/%.o)

# The kernel's headers, and none of glibc's with them.
MUSL_HEADERS := $(MUSL)/include
# arm64: the helpers for atomics that gcc takes otherwise are made for glibc.
MUSL_CFLAGS   = $(CFLAGS) -isystem $(MUSL_HEADERS) $(if $(filter aarch64%,$(MUSL_ARCH)),-mno-outline-atomics)
MUSL_LINK     = $(MUSL_CC) -shared $(LDFLAGS) -Wl,--version-script=shim/libp2e.map -Wl,-soname,libp2e.so \
                -Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,--build-id

.PHONY: musl
musl: $(MUSL_LIB)

# The library names no other one (shim/musl/musl_only.c says why). That musl has all that it asks for is
# seen by linking it with musl first.
$(MUSL_LIB): $(MUSL_OBJ) shim/libp2e.map
	$(SAY) LINK $@
	$(Q)$(MUSL_LINK) -Wl,--no-undefined -o $(MUSL)/checked.so $(MUSL_OBJ)
	$(Q)$(MUSL_LINK) -nostdlib -o $@ $(MUSL_OBJ) -lgcc

$(MUSL)/%.o: %.c | $(MUSL_HEADERS)
	$(Q)mkdir -p $(@D)
	$(SAY) CC "$< (musl)"
	$(Q)$(MUSL_CC) $(MUSL_CFLAGS) -fPIC -ffunction-sections -c -o $@ $<

$(MUSL_HEADERS):
	$(Q)mkdir -p $@
	$(Q)ln -sfn /usr/include/linux /usr/include/asm-generic /usr/include/$(MUSL_ARCH)/asm $@
