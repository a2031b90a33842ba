#!/bin/sh
# A sweep that is killed with -9 again and again, half of the time inside a write or beside it, ends with
# the files and the bits of one that is not (tests/chaos; `make test-chaos` kills 200 times).
. "$(dirname "$0")/lib.sh"

chaos=$(dirname "$IMPRINT")/tests/chaos
library=$chaos/kill.so
[ "${SAN:-0}" = 0 ] || library= # a sanitizer has to be the first library of a process

killed() {
    mkdir "$TMPDIR/chaos" &&
        "$chaos/chaos" "$IMPRINT" tests/chaos/tiny.yaml "$TMPDIR/chaos" "${KILLS:-10}" "${SEED:-1}" $library
}

# The comparison can fail: by a bit, by a file too few, by one too many.
whole=$TMPDIR/chaos/whole
changed() { # command, on a copy of the undisturbed sweep
    rm -rf "$TMPDIR/copy" && cp -r "$whole" "$TMPDIR/copy" && (cd "$TMPDIR/copy" && "$@") &&
        fails "$chaos/same" "$whole" "$TMPDIR/copy"
}
first() { find "$1" -type f | sort | head -n 1; }
cut_off() { printf x >>"$(first "$1")"; }
loses() { rm "$(first "$1")"; }
other() { # a file of one key under another's name
    set -- $(find "$1" -type f | sort | head -n 2)
    cp "$1" "$2"
}

check "killed ten times and gone on with, a sweep has the files and bits of an undisturbed one" killed
check "the comparison finds equal what is equal" "$chaos/same" "$whole" "$whole"
for kind in states rows chaos/runs; do
    check "the comparison sees a byte too many in $kind" changed cut_off $kind
    check "the comparison sees a missing file in $kind" changed loses $kind
    check "the comparison sees the wrong file in $kind" changed other $kind
done
check "the comparison sees a file too many" changed touch left.tmp
check "the comparison of nothing is no success" fails "$chaos/same" "$TMPDIR/none" "$TMPDIR/none"
finish
