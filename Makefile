# imprint: `make` builds it, `make demo` shows it, `make test` checks it.
# Settings (make CC=clang SAN=1 REAL=double ...):
CC      ?= gcc
REAL    ?= float
SAN     ?= 0
PREFIX  ?= /usr/local
ifeq ($(origin CC),default)
CC      := gcc
endif
BUILD   ?= build/$(notdir $(CC))-$(REAL)$(if $(filter 1,$(SAN)),-san)

# NO NEED TO CHANGE ANYTHING BELOW
VERSION  := 0.1.0
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Werror
PKGS     := openblas yaml-0.1 libxxhash libpng zlib hdf5
OPT      := -O2 -g
SANFLAGS := $(if $(filter 1,$(SAN)),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all)
comma    := ,
SANFLAGS := $(if $(filter 1,$(SAN)),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all)
CPPFLAGS += -I. -I$(BUILD)/gen $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I $(PKGS) 2>/dev/null)) \
            -D_GNU_SOURCE $(if $(filter double,$(REAL)),-DREAL_IS_DOUBLE) -DIMPRINT_VERSION='"$(VERSION)"'
CFLAGS_  := -std=c17 $(OPT) $(WARNINGS) -fopenmp -ffp-contract=off $(SANFLAGS) $(CFLAGS)
LIBS     := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lhdf5_hl -lm

# Kernels (nets/kernels/NAME.isa.c) are compiled once per instruction set, with fused multiply-add.
ISAS := base
ifeq ($(shell uname -m),x86_64)
ISAS := base v3 v4
endif
ISA_FLAGS_base :=
ISA_FLAGS_v3   := -march=x86-64-v3
ISA_FLAGS_v4   := -march=x86-64-v4 -mprefer-vector-width=512

SOURCES := $(filter-out %.isa.c sim/main.c,$(wildcard base/*.c nets/*.c nets/*/*.c deficits/*.c \
             analysis/*.c analysis/*/*.c sim/*.c sim/*/*.c))
KERNELS := $(wildcard nets/kernels/*.isa.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o) \
           $(foreach i,$(ISAS),$(KERNELS:%.isa.c=$(BUILD)/%.$(i).o))
LIBRARY := $(BUILD)/libimprint.a
BINARY  := $(BUILD)/imprint
TESTS   := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/test_*.c))

.PHONY: all demo test test-all test-interop lint install deps clean docs
all: $(BINARY)

$(BINARY): $(BUILD)/sim/main.o $(LIBRARY)
	$(CC) $(CFLAGS_) -o $@ $^ $(LIBS)

$(LIBRARY): $(OBJECTS)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_) -MMD -MP -c -o $@ $<

define isa_rule
$(BUILD)/%.$(1).o: %.isa.c
	@mkdir -p $$(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_) -O3 -ffp-contract=fast $(ISA_FLAGS_$(1)) -DISA=$(1) -MMD -MP -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call isa_rule,$(i))))

$(BUILD)/tests/%: tests/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_) -MMD -MP -o $@ $< $(LIBRARY) -lcmocka $(LIBS)

test: $(BINARY) $(TESTS)
	@for t in $(TESTS); do $$t || exit 1; done

clean:
	rm -rf build

-include $(OBJECTS:.o=.d) $(TESTS:=.d) $(BUILD)/sim/main.d
