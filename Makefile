# banterd. `make deps run` builds and serves; `make help` names the other targets.

VERSION := 0.1.0

# Where things are installed; DESTDIR goes before each.
PREFIX     ?= /usr/local
SBINDIR    ?= $(PREFIX)/sbin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR    ?= $(PREFIX)/share
MANDIR     ?= $(DATADIR)/man
UNITDIR    ?= $(PREFIX)/lib/systemd/system
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)

# The sources, from the top layer down. tests/lint/layers holds these lists against the tree.
SERVER    := server generation passed worker mailbox watchdog status files
NET       := acceptor client input host limits record listener stream reason admission rates \
             deadlines endpoint loop
OPS       := log notify thread clock
CONFIG    := config setup section options hint file ini confirm scan
HOST      := catalog registry
PROTOCOLS := echo discard chargen qotd daytime knock_knock
TEXT      := line telnet address quantity suggest report utf8 arena

SOURCES   := main $(SERVER:%=server/%) $(NET:%=net/%) $(OPS:%=ops/%) $(CONFIG:%=config/%) \
             $(HOST:%=protocols/%) $(PROTOCOLS:%=protocols/%) $(TEXT:%=text/%)
UNIT      := main splits test_line test_telnet test_address test_config test_quantity \
             test_suggest test_report test_utf8 test_arena test_admission test_rates \
             test_deadlines
FUZZ      := lines config files quantities knock_knock client
MANUALS   := banterd.8 banterd.ini.5 banter-protocol.3
SERVICES  := banterd.service banterd@.service
SOCKETS   := banterd-echo.socket banterd-knock-knock.socket

# SAN=address (undefined comes with it), undefined or thread builds in a directory of its own; so
# does fuzz, with clang only, for `make fuzz`.
OUT.address        := build/asan
OUT.undefined      := build/ubsan
OUT.thread         := build/tsan
OUT.fuzz           := build/fuzz
SANITIZE.address   := -fsanitize=address,undefined
SANITIZE.fuzz      := -fsanitize=fuzzer-no-link,address,undefined
SANITIZE.undefined := -fsanitize=undefined
SANITIZE.thread    := -fsanitize=thread

OUT ?= $(if $(SAN),$(or $(OUT.$(SAN)),$(error SAN is address, undefined or thread)),build)
SANITIZE := $(if $(SAN),$(SANITIZE.$(SAN)) -fno-sanitize-recover=all -fno-omit-frame-pointer)

# CC, CFLAGS, CPPFLAGS and LDFLAGS are the caller's; what banterd itself needs stands beside them.
CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wcast-qual -Wformat=2 -Wvla -Wundef -Wwrite-strings $(if $(WERROR),-Werror)
FORTIFY  := $(if $(SAN)$(filter -O0,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
HARDEN   := -fstack-protector-strong -fvisibility=hidden
RELRO    := -Wl,-z,relro,-z,now
COMPILE   = $(CC) -std=c11 -D_GNU_SOURCE -Isrc $(FORTIFY) $(CPPFLAGS) $(WARNINGS) $(HARDEN) \
            -pthread $(SANITIZE) $(CFLAGS) -MMD -MP
LINK      = $(CC) -pie -pthread $(RELRO) $(SANITIZE) $(CFLAGS) $(LDFLAGS)

# Asked when a recipe runs: `make deps` may only just have installed them.
LIBRARY_FLAGS = $(shell pkg-config --cflags libevent_core) -I/usr/include/iniparser
LIBRARIES     = $(shell pkg-config --libs libevent_core) -liniparser -ldl
CHECK_FLAGS   = $(shell pkg-config --cflags check)
CHECK         = $(shell pkg-config --libs check)

# What depends on where things are installed. The manual pages name the default directories, to be
# readable as they stand; other files have @NAME@.
PATHS     := -DSYSCONFDIR='"$(SYSCONFDIR)"' -DPROTOCOL_DIR='"$(LIBDIR)/banterd"' \
             -DBANTERD_VERSION='"$(VERSION)"'
# Lines of the units that begin with #254 are for a systemd of that version.
SYSTEMD   ?= $(shell systemctl --version 2>/dev/null | sed -n 's/^systemd \([0-9]*\).*/\1/p')
IS_NEW    := $(shell [ 0$(SYSTEMD) -lt 254 ] || echo yes)
SET_PATHS := sed -e 's|/usr/local/etc/|$(SYSCONFDIR)/|g' -e 's|/usr/local/lib/|$(LIBDIR)/|g' \
             -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' \
             -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|g' -e 's|@SBINDIR@|$(SBINDIR)|g' \
             -e 's|/usr/local/share/|$(DATADIR)/|g' -e 's|@VERSION@|$(VERSION)|g' \
             $(if $(IS_NEW),-e 's|^\#254 ||')

Q   := $(if $(V),,@)
say  = $(if $(V),,@printf '  %-3s %s\n' $(1))

OBJECTS      := $(SOURCES:%=$(OUT)/obj/%.o)
UNIT_OBJECTS := $(UNIT:%=$(OUT)/obj/unit/%.o)
LOADABLE     := $(PROTOCOLS:%=$(OUT)/protocols/%.so)
FUZZ_TARGETS := $(FUZZ:%=$(OUT)/fuzz-%)
FUZZ_OBJECTS := $(patsubst tests/%.c,$(OUT)/obj/%.o,$(wildcard tests/fuzz/*.c))
WITH_PATHS   := $(OUT)/obj/main.o $(OUT)/obj/config/options.o

# ---- Build

all: $(OUT)/banterd $(LOADABLE) ## build the daemon and the loadable protocols (the default)

run: all ## build, and serve conf/banterd.ini in the foreground
	$(OUT)/banterd -c conf/banterd.ini

$(OUT)/banterd: $(OBJECTS) src/banter/exports.list
	$(call say,LD $@)
	$(Q)$(LINK) -Wl,--dynamic-list=src/banter/exports.list -o $@ $(OBJECTS) $(LIBRARIES)

$(OUT)/unit-tests: $(filter-out $(OUT)/obj/main.o,$(OBJECTS)) $(UNIT_OBJECTS)
	$(call say,LD $@)
	$(Q)$(LINK) -o $@ $^ $(LIBRARIES) $(CHECK)

# A target takes of the archive what it calls, and may have functions of its own in the place of
# others. replay.c runs it where there is no libFuzzer to do so.
$(FUZZ_TARGETS): $(OUT)/fuzz-%: $(OUT)/obj/fuzz/%.o $(OUT)/obj/fuzz/fuzz.o $(OUT)/banterd.a
	$(call say,LD $@)
	$(Q)$(LINK) $(FUZZ_LINK) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBRARIES)

ifeq ($(SAN),fuzz)
$(FUZZ_TARGETS): private FUZZ_LINK += -fsanitize=fuzzer
else
$(FUZZ_TARGETS): $(OUT)/obj/fuzz/replay.o
endif
$(OUT)/fuzz-lines: $(OUT)/obj/fuzz/model.o
$(OUT)/fuzz-files: $(OUT)/obj/fuzz/host.o
$(OUT)/fuzz-knock_knock: $(OUT)/obj/fuzz/host.o $(OUT)/obj/fuzz/model.o
$(OUT)/fuzz-client: $(OUT)/obj/fuzz/system.o $(OUT)/obj/fuzz/model.o
$(OUT)/fuzz-client: private FUZZ_LINK += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free

$(OUT)/banterd.a: $(filter-out $(OUT)/obj/main.o,$(OBJECTS))
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(OUT)/obj/fuzz/%.o: tests/fuzz/%.c $(OUT)/flags | build-tools
	$(call say,CC $<)
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) $(LIBRARY_FLAGS) -DBANTER_BUILT_IN -fPIE -c -o $@ $<

$(OUT)/obj/unit/%.o: tests/unit/%.c $(OUT)/flags | check-tools
	$(call say,CC $<)
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) $(LIBRARY_FLAGS) $(CHECK_FLAGS) -fPIE -c -o $@ $<

$(OUT)/obj/%.o: src/%.c $(OUT)/flags | build-tools
	$(call say,CC $<)
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) $(LIBRARY_FLAGS) -DBANTER_BUILT_IN $(OWN_FLAGS) -fPIE -c -o $@ $<

$(WITH_PATHS): OWN_FLAGS := $(PATHS)
$(WITH_PATHS): $(OUT)/paths

$(OUT)/protocols/%.so: src/protocols/%.c $(OUT)/flags | build-tools
	$(call say,SO $@)
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -fPIC -shared $(RELRO) $(LDFLAGS) -o $@ $<

# These two change only when what they hold does, and then what was made with it is made again.
$(OUT)/flags: export CONTENT = $(COMPILE) $(LINK)
$(OUT)/paths: export CONTENT = $(SET_PATHS)
$(OUT)/flags $(OUT)/paths: always
	@mkdir -p $(@D)
	@echo "$$CONTENT" | cmp -s - $@ || echo "$$CONTENT" >$@

clean: ## remove build/
	rm -rf build

# ---- What must be there. Only these install anything, and they go before the rest.

INSTALLING := $(filter deps check-deps bench-deps fuzz-deps coverage-deps,$(MAKECMDGOALS))

deps: ## install what building needs
	.ci/deps install build

check-deps: | $(filter deps,$(MAKECMDGOALS)) ## install what the tests and lint need
	.ci/deps install build check service lint

bench-deps: | $(filter deps check-deps,$(MAKECMDGOALS)) ## install what bench needs
	.ci/deps install build check bench

fuzz-deps: | $(filter deps check-deps bench-deps,$(MAKECMDGOALS)) ## install what fuzz needs
	.ci/deps install build fuzz

coverage-deps: | $(filter deps check-deps bench-deps fuzz-deps,$(MAKECMDGOALS)) ## install what coverage needs
	.ci/deps install build check coverage

build-tools: | $(INSTALLING)
	@.ci/deps verify build

check-tools: | $(INSTALLING)
	@.ci/deps verify build check

service-tools: | $(INSTALLING)
	@.ci/deps verify build check service

lint-tools: | $(INSTALLING)
	@.ci/deps verify check lint

bench-tools: | $(INSTALLING)
	@.ci/deps verify build check bench

fuzz-tools: | $(INSTALLING)
	@.ci/deps verify build fuzz

coverage-tools: | $(INSTALLING)
	@.ci/deps verify build check coverage

# ---- Test

export ASAN_OPTIONS  ?= detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS ?= halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS  ?= halt_on_error=1:second_deadlock_stack=1

check: all | check-tools ## run all tests: unit, corpus, e2e, cost, install, docs, exports (check-unit, …)
	@$(MAKE) --no-print-directory check-unit
	@$(MAKE) --no-print-directory check-corpus
	@$(MAKE) --no-print-directory check-e2e
	@$(MAKE) --no-print-directory check-cost
	@$(MAKE) --no-print-directory check-install
	@$(MAKE) --no-print-directory check-docs
	@$(MAKE) --no-print-directory check-exports
	@echo 'check: everything passed'

check-unit: $(OUT)/unit-tests
	$(OUT)/unit-tests

# The inputs that fuzzing has found, without a fuzzer.
check-corpus: $(FUZZ_TARGETS)
	@for target in $(FUZZ); do \
	    $(OUT)/fuzz-$$target tests/fuzz/corpus/$$target $$([ $$target != config ] || \
	        echo conf tests/config) || exit; \
	done

check-e2e: all | check-tools
	BANTERD=$(OUT)/banterd TEST_PATIENCE=$(if $(SAN),4,1) tests/e2e/run

check-cost: all | check-tools
	BANTERD=$(OUT)/banterd tests/cost/run

check-install: all
	tests/install/run
	tests/install/missing

check-docs: | check-tools
	tests/docs/man
	tests/docs/readme

check-exports: $(OUT)/banterd
	tests/install/exports $(OUT)/banterd

check-systemd: | service-tools ## boot a systemd, install into it, and try the service (as root)
	@$(MAKE) --no-print-directory OUT=build/systemd PREFIX=/usr all
	tests/systemd/run

check-asan: | build-tools ## run the unit, corpus and daemon tests under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory SAN=address check-unit
	@$(MAKE) --no-print-directory SAN=address check-corpus
	@$(MAKE) --no-print-directory SAN=address check-e2e

check-tsan: | build-tools ## run the unit and daemon tests under ThreadSanitizer
	@$(MAKE) --no-print-directory SAN=thread check-unit
	@$(MAKE) --no-print-directory SAN=thread check-e2e

check-hostile: all | check-tools ## attack the daemon, and hold it to limits (TIMES=10 ONLY=flood)
	BANTERD=$(OUT)/banterd tests/hostile/run $(if $(TIMES),--times $(TIMES)) $(ONLY)

check-fault: all | check-tools ## let each call fail in turn that can, and look at what comes of it (ONLY=recv)
	BANTERD=$(OUT)/banterd tests/fault/run $(ONLY)

check-valgrind: all $(OUT)/unit-tests | check-tools ## run the unit and daemon tests under valgrind
	BANTERD=$(OUT)/banterd tests/valgrind/run $(OUT)/unit-tests

# Atomic counters, since workers count at the same time; and see tests/coverage/exit.h.
COVERAGE := -O0 -g --coverage -fprofile-update=atomic -include tests/coverage/exit.h

coverage: | coverage-tools ## measure what the tests reach in src/, and hold it to limits
	@$(MAKE) --no-print-directory OUT=build/coverage CC=gcc CFLAGS='$(COVERAGE)' \
	    all build/coverage/unit-tests fuzz-programs
	tests/coverage/run

check-compilers: | lint-tools ## build with gcc and with clang, each warning an error
	$(MAKE) OUT=build/gcc CC=gcc WERROR=1 all build/gcc/unit-tests
	$(MAKE) OUT=build/clang CC=clang WERROR=1 all build/clang/unit-tests

fuzz: | fuzz-tools ## fuzz for T seconds a target (T=60 ONLY=client); see fuzz-deps
	@$(MAKE) --no-print-directory SAN=fuzz CC=clang fuzz-programs
	@tests/fuzz/run $(if $(T),-t '$(T)') $(if $(ONLY),--only '$(ONLY)')

fuzz-programs: $(FUZZ_TARGETS)
	@:

# ---- Measure. The load, the floor and banterd's peers are a short program each.

BENCH := load floor bufferevent libuv echo-go Echo.class line_echo.so
BENCH_COMPILE = $(CC) -std=c11 -D_GNU_SOURCE -O2 -pthread $(WARNINGS)
BENCH_SOURCES := $(wildcard tests/bench/load/*.[ch])

bench: | bench-tools ## measure banterd and its peers (ONLY=64,connect ROUNDS=3); see bench-deps
	@$(MAKE) --no-print-directory bench-programs >&2
	@BANTERD=$(OUT)/banterd tests/bench/run \
	    $(if $(ONLY),--only '$(ONLY)') $(if $(ROUNDS),--rounds '$(ROUNDS)')

bench-programs: all $(BENCH:%=build/bench/%)
	@:

build/bench/load: $(BENCH_SOURCES) $(OUT)/flags
	$(call say,CC $@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BENCH_COMPILE) -o $@ $(filter %.c,$^)

build/bench/%: tests/bench/peers/%.c $(OUT)/flags
	$(call say,CC $@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BENCH_COMPILE) -o $@ $< $(BENCH_LIBRARIES)

build/bench/bufferevent: BENCH_LIBRARIES = $(shell pkg-config --libs libevent_core)
build/bench/libuv: BENCH_LIBRARIES = $(shell pkg-config --libs libuv)

build/bench/echo-go: tests/bench/peers/echo.go
	$(call say,GO $@)
	$(Q)mkdir -p $(@D)
	$(Q)GO111MODULE=off go build -o $@ $<

build/bench/Echo.class: tests/bench/peers/Echo.java
	$(call say,JC $@)
	$(Q)mkdir -p $(@D)
	$(Q)javac -d $(@D) $<

build/bench/line_echo.so: tests/cost/line_echo.c src/banter/protocol.h $(OUT)/flags
	$(call say,SO $@)
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -fPIC -shared $(RELRO) $(LDFLAGS) -o $@ $<

# ---- Lint

lint: | lint-tools ## check format, layers, scripts, manual pages and unit files
	tests/lint/run

format: ## format the sources
	clang-format -i $$(find src tests -name '*.[ch]')

list-sources:
	@printf '%s\n' $(SOURCES:%=src/%.c) $(UNIT:%=tests/unit/%.c)

# ---- Install

FILLED_IN     := $(SERVICES) $(MANUALS) banter.pc
CONFIGURATION := $(notdir $(wildcard conf/*))
TO_CONFIG      = $(DESTDIR)$(SYSCONFDIR)/banterd
TO_PROTOCOLS   = $(DESTDIR)$(LIBDIR)/banterd
TO_HEADERS     = $(DESTDIR)$(INCLUDEDIR)/banter
TO_PKGCONFIG   = $(DESTDIR)$(LIBDIR)/pkgconfig
TO_UNITS       = $(DESTDIR)$(UNITDIR)
TO_DATA        = $(DESTDIR)$(DATADIR)/banterd

install: all $(FILLED_IN:%=$(OUT)/%) ## install below PREFIX (DESTDIR, SYSCONFDIR, …)
	install -D -m 755 $(OUT)/banterd $(DESTDIR)$(SBINDIR)/banterd
	install -D -m 644 -t $(TO_PROTOCOLS) $(LOADABLE)
	install -D -m 644 -t $(TO_HEADERS) src/banter/protocol.h
	install -D -m 644 -t $(TO_PKGCONFIG) $(OUT)/banter.pc
	install -D -m 644 -t $(TO_UNITS) $(SERVICES:%=$(OUT)/%) $(SOCKETS:%=systemd/%)
	install -D -m 644 -t $(TO_DATA) systemd/activated.conf
	@for page in $(MANUALS); do \
	    install -D -m 644 -t $(DESTDIR)$(MANDIR)/man$${page##*.} $(OUT)/$$page || exit; \
	done
	@for file in $(CONFIGURATION); do \
	    if [ ! -e $(TO_CONFIG)/$$file ]; then \
	        install -D -m 644 -t $(TO_CONFIG) conf/$$file || exit; \
	    elif ! cmp -s conf/$$file $(TO_CONFIG)/$$file; then \
	        echo "kept $(TO_CONFIG)/$$file, which differs from conf/$$file"; \
	    fi; \
	done
	@echo 'the configuration is in $(TO_CONFIG)'

uninstall: ## remove what install put there, but no configuration that was edited
	rm -f $(DESTDIR)$(SBINDIR)/banterd $(addprefix $(TO_PROTOCOLS)/,$(notdir $(LOADABLE)))
	rm -f $(TO_HEADERS)/protocol.h $(TO_PKGCONFIG)/banter.pc
	rm -f $(addprefix $(TO_UNITS)/,$(SERVICES) $(SOCKETS)) $(TO_DATA)/activated.conf
	rm -f $(foreach page,$(MANUALS),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(page))
	@for file in $(CONFIGURATION); do \
	    if cmp -s conf/$$file $(TO_CONFIG)/$$file; then rm $(TO_CONFIG)/$$file; \
	    elif [ -e $(TO_CONFIG)/$$file ]; then echo "kept $(TO_CONFIG)/$$file: it was edited"; \
	    fi; \
	done
	@for directory in $(TO_CONFIG) $(TO_PROTOCOLS) $(TO_HEADERS) $(TO_DATA); do \
	    [ ! -d $$directory ] || rmdir --ignore-fail-on-non-empty $$directory || exit; \
	done

$(OUT)/%: systemd/%.in $(OUT)/paths
	$(Q)$(SET_PATHS) $< >$@

$(OUT)/%: src/banter/%.in $(OUT)/paths
	$(Q)$(SET_PATHS) $< >$@

$(OUT)/%: src/man/% $(OUT)/paths
	$(Q)$(SET_PATHS) $< >$@

help: ## name the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile
	@echo "  with V=1, WERROR=1, CC=clang, SAN=address|undefined|thread, PREFIX=, DESTDIR=, …"

-include $(OBJECTS:.o=.d) $(UNIT_OBJECTS:.o=.d) $(FUZZ_OBJECTS:.o=.d) $(LOADABLE:.so=.d)

.DELETE_ON_ERROR:
.PHONY: all run clean deps check-deps bench-deps fuzz-deps coverage-deps build-tools check-tools \
        service-tools lint-tools bench-tools fuzz-tools coverage-tools check check-unit \
        check-corpus check-e2e check-cost check-install check-docs check-exports check-systemd \
        check-asan check-tsan check-valgrind check-hostile check-fault check-compilers coverage \
        fuzz fuzz-programs bench bench-programs lint format list-sources install uninstall help \
        always
