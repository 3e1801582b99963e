# make install, make uninstall (DESTDIR, prefix and the folders below), make deb.
prefix   ?= /usr/local
bindir   ?= $(prefix)/bin
libdir   ?= $(prefix)/lib
datadir  ?= $(prefix)/share
mandir   ?= $(datadir)/man
docdir   ?= $(datadir)/doc/p2e
unitdir  ?= $(prefix)/lib/systemd/system
bash_completion_dir ?= $(datadir)/bash-completion/completions
zsh_completion_dir  ?= $(datadir)/zsh/site-functions

# What is installed as it is: FOLDER:SOURCE:NAME. The library is without the set-user-ID bit, with
# which ld.so would preload it into set-user-ID programs, too; nor has it to be executable.
INSTALLED := \
    $(libdir):$(BUILD)/libp2e.so:libp2e.so \
    $(foreach page,1:p2e.1 5:p2e.conf.5 8:libp2e.8,$(mandir)/man$(firstword $(subst :, ,$(page))):man/$(lastword $(subst :, ,$(page))):$(lastword $(subst :, ,$(page)))) \
    $(bash_completion_dir):completion/p2e.bash:p2e \
    $(zsh_completion_dir):completion/_p2e:_p2e \
    $(docdir):config/p2e.conf.sample:p2e.conf.sample \
    $(foreach page,$(wildcard docs/*.md),$(docdir):$(page):$(notdir $(page))) \
    $(docdir)/examples:contrib/systemd/p2e-preload.conf:p2e-preload.conf \
    $(docdir)/examples:contrib/grafana/p2e.json:grafana.json \
    $(docdir)/examples:contrib/seccomp/p2e.jq:p2e.jq
part = $(word $(2),$(subst :, ,$(1)))
target = $(DESTDIR)$(call part,$(1),1)/$(call part,$(1),3)

# Where `make musl` has built it. By its name alone it would be found by glibc's programs.
MUSL_INSTALLED := $(DESTDIR)$(libdir)/p2e/musl/libp2e.so

define install_file
	install -D -m 0644 $(call part,$(1),2) $(call target,$(1))

endef

.PHONY: install uninstall
install: all
	install -D -m 0755 $(BUILD)/p2e $(DESTDIR)$(bindir)/p2e
	install -d $(DESTDIR)$(unitdir)
	sed 's|/usr/bin/|$(bindir)/|' contrib/systemd/p2e-agent.service > $(DESTDIR)$(unitdir)/p2e-agent.service
	chmod 0644 $(DESTDIR)$(unitdir)/p2e-agent.service
	$(foreach file,$(INSTALLED),$(call install_file,$(file)))
	test ! -e $(MUSL_LIB) || install -D -m 0644 $(MUSL_LIB) $(MUSL_INSTALLED)

uninstall:
	rm -f $(DESTDIR)$(bindir)/p2e $(DESTDIR)$(unitdir)/p2e-agent.service
	rm -f $(MUSL_INSTALLED) $(foreach file,$(INSTALLED),$(call target,$(file)))
	-rmdir $(DESTDIR)$(docdir)/examples $(DESTDIR)$(docdir)
	rmdir $(dir $(MUSL_INSTALLED)) $(DESTDIR)$(libdir)/p2e 2>/dev/null || true

# Debian packages, from a copy of the tree: dpkg-buildpackage begins by cleaning. Then they are tried.
DEB := $(BUILD)/deb
.PHONY: deb
deb:
	./deps.sh deb
	rm -rf $(DEB)
	mkdir -p $(DEB)/p2e
	tar --exclude=./build --exclude=./.git --exclude=__pycache__ -cf - . | tar -xf - -C $(DEB)/p2e
	cd $(DEB)/p2e && dpkg-buildpackage -us -uc -b
	P2E_DEB=1 tests/run.sh $(BUILD) tests/deb
