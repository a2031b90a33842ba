# imprint: `make` builds it, `make demo` shows it, `make test` checks it.
# Settings (make CC=clang SAN=1 REAL=double V=1 ...; V=1 shows the commands):
CC      ?= gcc
REAL    ?= float
SAN     ?= 0
OPT     ?= -O2 -g
PREFIX  ?= /usr/local
DESTDIR ?=
OUT     ?= build
ifeq ($(origin CC),default)
CC      := gcc
endif
# Instruction sets that nets/kernels/NAME.isa.c are compiled for; `ISAS=base` is the portable build.
ISAS_ALL := base $(if $(filter x86_64,$(shell uname -m)),v3 v4)
ISAS    ?= $(ISAS_ALL)
BUILD   ?= $(OUT)/$(notdir $(CC))-$(REAL)$(if $(filter 1,$(SAN)),-san)$(if $(filter-out $(ISAS),$(ISAS_ALL)),-$(subst $() ,-,$(strip $(ISAS))))

# NO NEED TO CHANGE ANYTHING BELOW
VERSION  := 0.1.0
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Werror
PKGS     := openblas yaml-0.1 libxxhash libpng zlib hdf5
comma    := ,
ifeq ($(filter float double,$(REAL)),)
$(error REAL=$(REAL): the engine's number is float or double)
endif

# What decides the numbers: these flags are part of every log's numerics id.
SANITIZE := $(if $(filter 1,$(SAN)),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
              -Wno-pass-failed)
NUMERIC  := -std=c17 $(OPT) -ffp-contract=off $(SANITIZE) $(CFLAGS)
DEFINES  := -D_GNU_SOURCE $(if $(filter double,$(REAL)),-DREAL_IS_DOUBLE) $(ISAS:%=-DHAVE_ISA_%)
ISA_FLAGS_base :=
ISA_FLAGS_v3   := -march=x86-64-v3
ISA_FLAGS_v4   := -march=x86-64-v4 -mprefer-vector-width=512
# Every a += b c of a tile must be fused or none, whatever tile it lies in: Clang sees to that with `on`, GCC has
# that only with `fast`.
KERNEL   := -O3 -ffp-contract=$(if $(findstring clang,$(CC)),on,fast) -fno-math-errno

# pkg-config is asked at first use, once: what the targets install first is then there.
PKG_INCLUDE = $(eval PKG_INCLUDE := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I $(PKGS))))$(PKG_INCLUDE)
PKG_LIBS    = $(eval PKG_LIBS := $(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)
COMPILE     = $(CC) -I. -I$(BUILD)/gen $(PKG_INCLUDE) $(CPPFLAGS) $(DEFINES) $(NUMERIC) $(WARNINGS) -fopenmp-simd -pthread
LIBS        = $(PKG_LIBS) -lhdf5_hl -lm

# Every .c of these folders is in the library: a plug-in is one file and one line of a .def.
SOURCES := $(filter-out %.isa.c sim/main.c,$(wildcard base/*.c nets/*.c nets/*/*.c deficits/*.c stabilizers/*.c \
             analysis/*.c analysis/*/*.c sim/*.c sim/*/*.c))
KERNELS := $(wildcard nets/kernels/*.isa.c)
HEADERS := $(filter-out $(OUT)/%,$(wildcard */*.h */*/*.h))
SCRIPTS := $(wildcard tests/e2e/test_*.sh)
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o) \
           $(foreach i,$(ISAS),$(KERNELS:%.isa.c=$(BUILD)/%.$(i).o))
LIBRARY := $(BUILD)/libimprint.a
BINARY  := $(BUILD)/imprint
TESTS   := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/test_*.c))
STEPS   := $(BUILD)/tests/interop/steps
PENALTIES := $(BUILD)/tests/interop/penalties
CHAOS   := $(BUILD)/tests/chaos
CHAOTIC := $(CHAOS)/chaos $(CHAOS)/same $(CHAOS)/kill.so
EXTENDED := $(BUILD)/tests/extending
BENCH   := $(BUILD)/bench
BENCH_PARTS := $(BENCH)/machine.o $(BENCH)/load.o $(BENCH)/images.o $(ISAS:%=$(BENCH)/peak.%.o)
GEN     := $(BUILD)/gen/version.h $(BUILD)/gen/flags

CORES   := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
# A make of its own, on all cores unless the caller said how many.
AGAIN    = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(CORES))

.PHONY: all deps demo demo-run demo-text demo-text-run test test-run test-all test-chaos test-interop test-slurm interop-programs lint \
        lint-run lint-format lint-cppcheck install clean always bench bench-conv bench-gram bench-count bench-sharing \
        reproduce-demo reproduce-demo-text reproduce-remedies-acuity \
        reproduce-achille2019-fig1 reproduce-achille2019-sensitivity \
        reproduce-kleinman2024-pathways reproduce-kleinman2024-completion
.DELETE_ON_ERROR:
.SECONDARY: $(BENCH_PARTS)

all: $(BINARY)
	@$(if $(filter $(OUT)/%,$(BUILD)),ln -sfn $(BINARY:$(OUT)/%=%) $(OUT)/imprint)

deps:
	@scripts/deps build

# The targets for people install what is missing, then start a make that finds it.
demo:
	@scripts/deps build figures
	@$(AGAIN) all
	@$(MAKE) --no-print-directory demo-run

demo-run:
	$(BINARY) sweep configs/demo.yaml
	$(BINARY) report results/demo

demo-text:
	@scripts/deps build figures
	@$(AGAIN) all
	@$(MAKE) --no-print-directory demo-text-run

demo-text-run:
	$(BINARY) sweep configs/demo-text.yaml
	$(BINARY) report results/demo-text

# Reference results (results/reference): hours where the name does not say otherwise.
CIFAR10 ?= cifar-10-batches-bin

reproduce-demo: # two minutes
	@scripts/deps build figures test
	@$(AGAIN) all
	IMPRINT=$(BINARY) scripts/reproduce demo configs/demo.yaml

reproduce-demo-text: # four minutes
	@scripts/deps build figures test
	@$(AGAIN) all
	IMPRINT=$(BINARY) scripts/reproduce demo-text configs/demo-text.yaml

reproduce-remedies-acuity: # a quarter of an hour
	@scripts/deps build figures test
	@$(AGAIN) all
	IMPRINT=$(BINARY) scripts/reproduce remedies-acuity configs/remedies/acuity.yaml

reproduce-achille2019-fig1: # CIFAR10=folder with the batches; the laptop profile
	@scripts/deps build figures test
	@$(AGAIN) all
	IMPRINT=$(BINARY) scripts/reproduce achille2019-fig1-laptop \
	  configs/achille2019/fig1-blur-removal.yaml --profile laptop data.path=$(CIFAR10)

reproduce-achille2019-sensitivity: # ten minutes
	@scripts/deps build figures test
	@$(AGAIN) all
	IMPRINT=$(BINARY) scripts/reproduce achille2019-sensitivity configs/achille2019/sensitivity.yaml

reproduce-kleinman2024-pathways: # a minute
	@scripts/deps build figures test
	@$(AGAIN) all
	SERIES="mode_first mode_second" IMPRINT=$(BINARY) scripts/reproduce kleinman2024-pathways \
	  configs/kleinman2024/pathways.yaml

reproduce-kleinman2024-completion: # two minutes; the laptop profile
	@scripts/deps build figures test
	@$(AGAIN) all
	SERIES=output_singular_values IMPRINT=$(BINARY) scripts/reproduce kleinman2024-completion-laptop \
	  configs/kleinman2024/completion.yaml --profile laptop

# Training steps, Fisher traces, ops, a sweep, beside PyTorch's, into bench/results, in 20 minutes; QUICK=1: a
# look, printed only.
bench:
	@scripts/deps build
	-@scripts/deps bench
	@$(AGAIN) $(BINARY) $(BENCH)/bench $(BENCH)/timed
	@/usr/bin/python3 bench/run.py $(if $(filter 1,$(QUICK)),--quick) $(BUILD) $(NETWORKS)

# Instructions of a training step against bench/counts.txt, under valgrind; UPDATE=1 writes them anew.
bench-count:
	@scripts/deps build
	-@scripts/deps bench
	@$(AGAIN) $(BENCH)/bench
	@bench/count $(BENCH)/bench

bench-conv:
	@scripts/deps build
	@$(AGAIN) $(BENCH)/bench_conv
	OPENBLAS_NUM_THREADS=1 $(BENCH)/bench_conv

bench-gram:
	@scripts/deps build
	@$(AGAIN) $(BENCH)/bench_gram
	$(BENCH)/bench_gram

# What the tree saves: the same sweep with and without sharing, in turns, beside the plan's prediction.
bench-sharing:
	@scripts/deps build
	@$(AGAIN) all
	IMPRINT=$(BINARY) scripts/measure-sharing 3 bench/sharing.yaml

test:
	@scripts/deps build figures test
	@$(AGAIN) test-run

test-run: $(BINARY) $(TESTS) $(CHAOTIC) $(EXTENDED)/imprint
	@BUILD=$(BUILD) SAN=$(SAN) IMPRINT=$(abspath $(BINARY)) EXTENDED=$(abspath $(EXTENDED)/imprint) tests/run $(TESTS) $(SCRIPTS)

test-all:
	@scripts/deps build figures test lint
	@MAKE='$(AGAIN)' OUT=$(OUT) tests/all

# Kills a sweep 200 times, in some minutes; KILLS and SEED are settings.
KILLS ?= 200
SEED  ?= $(shell date +%s)
test-chaos:
	@scripts/deps build test
	@$(AGAIN) $(BINARY) $(CHAOTIC)
	@folder=$$(mktemp -d) && $(CHAOS)/chaos $(abspath $(BINARY)) tests/chaos/tiny.yaml $$folder $(KILLS) $(SEED) \
	  $(abspath $(CHAOS)/kill.so) && rm -rf $$folder

test-interop:
	@scripts/deps build test interop
	@$(AGAIN) BUILD=$(OUT)/gcc-float  CC=gcc REAL=float  SAN=0 all interop-programs
	@$(AGAIN) BUILD=$(OUT)/gcc-double CC=gcc REAL=double SAN=0 interop-programs
	@IMPRINT=$(abspath $(OUT)/gcc-float/imprint) STEPS_FLOAT=$(OUT)/gcc-float/tests/interop/steps \
	 STEPS_DOUBLE=$(OUT)/gcc-double/tests/interop/steps BUILD=$(OUT)/interop \
	 tests/run $(wildcard tests/interop/test_*.py)

# A cluster of one node, as root on Linux; elsewhere the suite says why it skips.
test-slurm:
	@scripts/deps build test
	@[ "$$(uname)" != Linux ] || [ "$$(id -u)" != 0 ] || scripts/deps slurm || :
	@$(AGAIN) $(BINARY) $(CHAOS)/same
	@BUILD=$(BUILD) SAME=$(abspath $(CHAOS)/same) IMPRINT=$(abspath $(BINARY)) tests/run tests/slurm/test_slurm.sh

interop-programs: $(STEPS) $(PENALTIES)

# --- building ---------------------------------------------------------------------------------
say = $(if $(filter 1,$(V)),,@echo '  $(1)  $(2)';)

$(BINARY): $(BUILD)/sim/main.o $(LIBRARY)
	$(call say,LINK,$@)$(CC) $(NUMERIC) -pthread -o $@ $^ $(LIBS)

$(LIBRARY): $(OBJECTS)
	@rm -f $@
	$(call say,AR  ,$@)ar rcs $@ $^

$(BUILD)/%.o: %.c $(BUILD)/gen/flags | $(BUILD)/gen/version.h
	@mkdir -p $(@D)
	$(call say,CC  ,$@)$(COMPILE) -MMD -MP -c -o $@ $<

define isa_rule
$(BUILD)/%.$(1).o: %.isa.c $(BUILD)/gen/flags | $(BUILD)/gen/version.h
	@mkdir -p $$(@D)
	$$(call say,CC  ,$$@)$$(COMPILE) $$(KERNEL) $(ISA_FLAGS_$(1)) -DISA=$(1) -MMD -MP -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call isa_rule,$(i))))

# An optimizer's step rounds as its formula says: weight decay of a stabilizer is the optimizer's, bit for bit.
$(ISAS:%=$(BUILD)/nets/kernels/step.%.o): private KERNEL += -ffp-contract=off

$(BUILD)/tests/%: tests/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(COMPILE) -MMD -MP -o $@ $< $(LIBRARY) -lcmocka $(LIBS)

$(CHAOS)/kill.so: tests/chaos/kill.c $(BUILD)/gen/flags
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) -std=c17 -D_GNU_SOURCE $(OPT) $(WARNINGS) -shared -fPIC -o $@ $< -ldl

# The program with what docs/extending.md adds; its listings are compiled as they stand there.
REGISTRIES := deficits/deficit.c stabilizers/stabilizer.c analysis/measures/measure.c
$(EXTENDED)/imprint: docs/extending.md tests/listings $(REGISTRIES) $(BUILD)/sim/main.o $(LIBRARY)
	@tests/listings $< $(EXTENDED)
	$(call say,LINK,$@)$(COMPILE) -iquote $(EXTENDED) -o $@ $(REGISTRIES) $$(find $(EXTENDED) -name '*.c') \
	  $(BUILD)/sim/main.o $(LIBRARY) $(LIBS)

# What the programs of bench/ share; the peak is measured with the kernels' instruction sets. The
# machine's own threads are OpenMP's, imprint's are not.
$(BENCH)/machine.o: bench/machine.c $(BUILD)/gen/flags | $(BUILD)/gen/version.h
	@mkdir -p $(@D)
	$(call say,CC  ,$@)$(COMPILE) -fopenmp -MMD -MP -c -o $@ $<

$(BUILD)/bench/%: bench/%.c $(BENCH_PARTS) $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(COMPILE) -fopenmp -MMD -MP -o $@ $< $(BENCH_PARTS) $(LIBRARY) $(LIBS)

# imprint with a stopwatch: calls of these pass through bench/timed.c.
$(BENCH)/timed: LIBS += $(patsubst %,-Wl$(comma)--wrap=%,net_forward net_backward net_loss fisher_trace optimizer_step optimizer_descend \
                          feed_assemble view_make state_save rows_save log_write data_load net_create net_init)

# Both are rewritten only when they change: `flags` rebuilds everything when the compiler or a
# flag changed under the same folder, version.h what names the commit.
$(BUILD)/gen/flags: always
	@mkdir -p $(@D)
	@scripts/if-changed $@ echo "$$($(CC) --version | head -n 1): $(COMPILE) $(KERNEL)"

$(BUILD)/gen/version.h: always
	@mkdir -p $(@D)
	@scripts/if-changed $@ scripts/version "$(VERSION)" "$(CC)" \
	  "$(strip REAL=$(REAL) $(NUMERIC) kernels: $(KERNEL) $(foreach i,$(ISAS),$(i) $(ISA_FLAGS_$(i))))"

# --- checks -----------------------------------------------------------------------------------
lint:
	@scripts/deps build lint
	@$(AGAIN) --output-sync=target lint-run

# One stamp a file, so that only what changed is read again; everything when a header changed.
# The analyzer's own limit, 225,000 nodes a function, costs six times the time and finds the same.
LINTED := $(filter %.c,$(SOURCES) $(KERNELS) $(wildcard sim/main.c tests/*.c tests/*/*.c bench/*.c))
# Tests: it takes cmocka's fail_msg for a function that returns; the sanitizers look there.
TIDY    = clang-tidy --quiet --warnings-as-errors='*' \
          $(if $(filter tests/%,$<),--checks=-clang-analyzer-*$(comma)-bugprone-reserved-identifier) \
          $< -- -I. -I$(BUILD)/gen $(PKG_INCLUDE) $(CPPFLAGS) $(DEFINES) -DISA=base -std=c17 -fopenmp \
          -Xclang -analyzer-config -Xclang max-nodes=40000

lint-run: lint-format lint-cppcheck $(LINTED:%=$(OUT)/lint/%.tidy)
	@echo "lint: nothing found in $(words $(LINTED) $(HEADERS)) files"

lint-format:
	@out=$$(clang-format --dry-run -Werror $(LINTED) $(HEADERS) 2>&1) || { \
	  printf '%s\n' "$$out" | sed -n 's/:.*error: code should be.*/: not formatted, run clang-format -i/p' | sort -u; exit 1; }

lint-cppcheck: $(BUILD)/gen/version.h
	@mkdir -p $(OUT)/lint/cppcheck
	@cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
	  --suppressions-list=scripts/cppcheck.txt --error-exitcode=1 --cppcheck-build-dir=$(OUT)/lint/cppcheck \
	  -j$(CORES) -I. -I$(BUILD)/gen $(DEFINES) -DISA=base $(LINTED)

$(OUT)/lint/%.tidy: % $(HEADERS) .clang-tidy | $(BUILD)/gen/version.h
	@mkdir -p $(@D)
	@out=$$($(TIDY) 2>&1) || { printf '%s\n' "$$out" | grep -v 'warnings generated'; exit 1; }
	@touch $@

# --- installing -------------------------------------------------------------------------------
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/imprint
	install -m 644 docs/imprint.1 $(DESTDIR)$(PREFIX)/share/man/man1/imprint.1
	install -d $(DESTDIR)$(PREFIX)/share/doc/imprint
	install -m 644 README.md LICENSE CHANGELOG.md CITATION.cff $(wildcard docs/*.md) $(DESTDIR)$(PREFIX)/share/doc/imprint
	for d in $(sort $(dir $(wildcard configs/*.yaml configs/*/*.yaml))); do \
	  install -d $(DESTDIR)$(PREFIX)/share/imprint/$$d && \
	  install -m 644 $$d*.yaml $(DESTDIR)$(PREFIX)/share/imprint/$$d || exit 1; done

clean:
	rm -rf $(OUT)

-include $(OBJECTS:.o=.d) $(TESTS:=.d) $(STEPS).d $(PENALTIES).d $(CHAOS)/chaos.d $(CHAOS)/same.d $(BUILD)/sim/main.d $(wildcard $(BUILD)/bench/*.d)
