# The oracle: @bufbuild/protovalidate under node, installed by npm from package.json, and the programs that
# ask it. The versions are exact; without npm the oracle's tests are skipped.
ORACLE := build/oracle

.PHONY: oracle-programs
oracle-programs: $(ORACLE)/installed $(patsubst tests/oracle/%,$(ORACLE)/%,$(wildcard tests/oracle/*.js))

$(ORACLE)/installed: tests/oracle/package.json
	$(Q)mkdir -p $(@D) && cp $< $(@D)
	$(SAY) NPM $(@D)
	$(Q)if ! command -v npm >/dev/null; then echo "npm is missing: no oracle"; \
	else cd $(@D) && npm install --silent --package-lock=false --no-audit --no-fund --ignore-scripts \
	    && touch installed; fi

$(ORACLE)/%.js: tests/oracle/%.js
	$(Q)mkdir -p $(@D) && cp $< $@
