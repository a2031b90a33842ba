# The scripts around the build: what is missing is installed (with stand-ins for pkg-config, apt-get,
# sudo and id, so that nothing on this machine changes), version.h is rewritten only when it changes.
. tests/e2e/lib.sh

bin=$TMPDIR/bin
mkdir -p "$bin"
stand_in() { # name: a program of that name, from stdin, first on the path of with_stand_ins
    { echo '#!/bin/sh' && cat; } >"$bin/$1" && chmod +x "$bin/$1"
}
with_stand_ins() { PATH=$bin:$PATH "$@"; }

# libyaml is missing until apt-get was asked for libyaml-dev.
stand_in pkg-config <<END
case "\$*" in *yaml*) test -e "$TMPDIR/installed" ;; esac
END
stand_in apt-get <<END
echo "\$*" >>"$TMPDIR/apt-get.log"
case "\$*" in *"install libyaml-dev") test "\$DEBIAN_FRONTEND" = noninteractive && touch "$TMPDIR/installed" ;; esac
END
stand_in sudo <<END
echo sudo >>"$TMPDIR/sudo.log"
exec "\$@"
END

forget() { rm -f "$TMPDIR/installed" "$TMPDIR"/*.log; }
user() { echo "echo $1" | stand_in id; }
silent() { [ -z "$("$@" 2>&1)" ]; }
deps_says() { # expected output
    out=$(with_stand_ins scripts/deps build 2>&1) || return 1
    echo "$out"
    [ "$out" = "$1" ]
}
quick() { # a second a call at the very most, so that a busy machine fails no test
    begin=$(date +%s%N)
    for _ in 1 2 3; do "$@"; done
    echo "$((($(date +%s%N) - begin) / 3000000)) ms a call"
    [ $((($(date +%s%N) - begin) / 1000000)) -lt 3000 ]
}

check "deps says nothing when nothing is missing" silent scripts/deps build test
check "deps is quick when nothing is missing" quick scripts/deps build test
check "deps refuses a group it does not know" \
    refused 2 "no group 'everything'" "$(pwd)/scripts/deps" everything

user 0
check "deps installs what is missing and says what" \
    deps_says "deps: installing with apt-get: libyaml-dev "
check "root needs no sudo" fails test -e "$TMPDIR/sudo.log"
check "the second call is silent" silent with_stand_ins scripts/deps build
forget
user 1000
check "an ordinary user installs with sudo" \
    deps_says "deps: installing with apt-get: libyaml-dev "
check "sudo was called" test -s "$TMPDIR/sudo.log"

forget
stand_in apt-get </dev/null
check "deps fails when the installation did not help" fails with_stand_ins scripts/deps build

check "version.h compiles, whatever the flags hold" sh -c '
    scripts/version 1.2.3 cc "-O2 -DX=\"a\\b\"" >"$TMPDIR/version.h" &&
    printf "#include \"version.h\"\n#include <string.h>\nint main(void) {
        return strcmp(IMPRINT_VERSION, \"1.2.3\") || strcmp(BUILD_FLAGS, \"-O2 -DX=\\\"a\\\\\\\\b\\\"\") ||
               sizeof GIT_COMMIT + GIT_DIRTY == 0; }\n" >"$TMPDIR/v.c" &&
    cc -I"$TMPDIR" -o "$TMPDIR/v" "$TMPDIR/v.c" && "$TMPDIR/v"'
cp scripts/version "$TMPDIR/version"
outside() { cd "$TMPDIR" && GIT_CEILING_DIRECTORIES=$TMPDIR ./version 1 cc ""; }
check "outside a checkout the commit is empty" says '#define GIT_COMMIT ""' outside

unchanged_file() {
    scripts/if-changed "$TMPDIR/f" echo same && touch -d '2000-01-01' "$TMPDIR/f" &&
        scripts/if-changed "$TMPDIR/f" echo same && [ -z "$(find "$TMPDIR/f" -newermt 2001-01-01)" ]
}
check "a generated file that says the same keeps its time stamp" unchanged_file
check "a generated file that says something else is rewritten" sh -c '
    scripts/if-changed "$TMPDIR/f" echo other && [ "$(cat "$TMPDIR/f")" = other ]'
finish
