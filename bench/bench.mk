# The benchmark's programs, and what people type: make bench, or one part, make bench-verdict.
# BENCH_OPTIONS="--rounds 3 --kinds search" makes it short.
BENCH     := $(BUILD)/bench
BENCH_BIN := $(addprefix $(BENCH)/,verdict server sender cost bind)
BENCH_PARTS := bench-verdict bench-server bench-growth bench-overheads bench-tail

.PHONY: bench $(BENCH_PARTS) bench-programs
# One after another, whatever -j says: they would measure each other.
bench:
	for part in $(BENCH_PARTS); do $(MAKE) $$part || exit 1; done
bench-programs: $(BENCH_BIN)

$(BENCH_PARTS): bench-%:
	./deps.sh bench
	$(MAKE) all bench-programs
	/usr/bin/python3 bench/$*.py $(BENCH_OPTIONS)

# ---- What protoc makes of the messages: for protobuf-c, nanopb and the C++ library -----------------
$(BENCH)/c/bench.pb-c.c $(BENCH)/c/bench.pb-c.h &: bench/bench.proto
	$(Q)mkdir -p $(@D)
	$(SAY) GEN $@
	$(Q)protoc-c --c_out=$(@D) -Ibench $<

$(BENCH)/nanopb/bench.pb.c $(BENCH)/nanopb/bench.pb.h &: bench/bench.proto bench/bench.options
	$(Q)mkdir -p $(@D)
	$(SAY) GEN $@
	$(Q)nanopb_generator.py -q -I bench -D $(@D) -f bench/bench.options bench.proto

$(BENCH)/cpp/bench.pb.cc $(BENCH)/cpp/bench.pb.h &: bench/bench.proto
	$(Q)mkdir -p $(@D)
	$(SAY) GEN $@
	$(Q)protoc --cpp_out=$(@D) -Ibench $<

# Generated code is not ours to warn about.
$(BENCH)/c/%.o: $(BENCH)/c/%.c
	$(SAY) CC $<
	$(Q)$(CC) $(CFLAGS) -w -c -o $@ $<
$(BENCH)/nanopb/%.o: $(BENCH)/nanopb/%.c
	$(SAY) CC $<
	$(Q)$(CC) $(CFLAGS) -w -c -o $@ $<
$(BENCH)/cpp/%.o: $(BENCH)/cpp/%.cc
	$(SAY) CXX $<
	$(Q)g++ -O2 -g -w -I$(BENCH)/cpp -c -o $@ $<

$(BENCH)/judge_protobuf_c.o: $(BENCH)/c/bench.pb-c.h
$(BENCH)/judge_protobuf_c.o: CFLAGS += -I$(BENCH)/c
$(BENCH)/judge_nanopb.o: $(BENCH)/nanopb/bench.pb.h
$(BENCH)/judge_nanopb.o: CFLAGS += -I$(BENCH)/nanopb
$(BENCH)/judge_cpp.o: bench/judge_cpp.cc bench/judge.h bench/utf8.h $(BENCH)/cpp/bench.pb.h
	$(SAY) CXX $<
	$(Q)g++ -O2 -g -Wall -Wextra -Werror -isystem $(BENCH)/cpp -I. -c -o $@ $<

# ---- Programs --------------------------------------------------------------------------------------
BENCH_JUDGES := $(patsubst %,$(BENCH)/%.o,judge_scanner judge_protobuf_c judge_nanopb judge_cpp \
                c/bench.pb-c nanopb/bench.pb cpp/bench.pb)
BENCH_KERNEL := $(BENCH)/kernel.o $(BENCH)/corpus.o $(OBJ_BOTH)

$(BENCH)/verdict: $(BENCH)/verdict.o $(BENCH)/wire.o $(BENCH_JUDGES) $(BENCH_KERNEL)
	$(SAY) LINK $@
	$(Q)g++ $(LDFLAGS) -o $@ $^ $(LIBS_CLI) -lprotobuf -lprotobuf-nanopb -lm -lpthread

$(BENCH)/server: $(addprefix $(BENCH)/,server.o wire.o judge_protobuf_c.o c/bench.pb-c.o)
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lprotobuf-c

$(BENCH)/sender: $(addprefix $(BENCH)/,sender.o wire.o corpus.o)
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^

$(BENCH)/cost: $(BENCH)/cost.o $(BENCH_KERNEL)
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_CLI) -lm

$(BENCH)/bind: $(BENCH)/bind.o
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^
