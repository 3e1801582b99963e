# Regular expressions against the RE2 library, which is C++.
REGEX_DIFFERENTIAL := $(BUILD)/tests/compiler/regex_differential
CXX                := g++

.PHONY: regex-programs
regex-programs: $(REGEX_DIFFERENTIAL)

$(REGEX_DIFFERENTIAL).o: tests/compiler/regex_differential.cc
	$(Q)mkdir -p $(@D)
	$(SAY) CXX $<
	$(Q)$(CXX) $(filter -fsanitize=%,$(CFLAGS)) -O2 -g -Wall -Wextra -Werror -I. -MMD -MP -c -o $@ $<

$(REGEX_DIFFERENTIAL): $(REGEX_DIFFERENTIAL).o $(OBJ_COMP) $(OBJ_BOTH)
	$(SAY) LINK $@
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(LIBS_CLI) -lre2
