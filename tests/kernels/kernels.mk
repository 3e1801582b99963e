# The server and client that tests/kernels runs in its guests.
KERNELS_BIN := $(BUILD)/tests/kernels/loopback

.PHONY: kernels-programs
kernels-programs: $(KERNELS_BIN)

$(KERNELS_BIN): $(KERNELS_BIN).o
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^
