# The runner and the checks of lib.sh can fail: every way in which a suite goes wrong is counted.
. tests/e2e/lib.sh

suite() { # name: a suite of that name in a folder of its own, from stdin; prints its path
    mkdir -p "$TMPDIR/$1" && cat >"$TMPDIR/$1/$1.sh" && echo "$TMPDIR/$1/$1.sh"
}
last_line() { # expected last line, expected status, suites...
    line=$1 status=$2
    shift 2
    out=$(BUILD=$TMPDIR/logs COUNT='' TEST_TIMEOUT=${limit:-60} tests/run "$@")
    got=$?
    printf '%s\n' "$out"
    [ "$(printf '%s\n' "$out" | tail -n 1)" = "$line" ] && [ $got = "$status" ]
}

good=$(printf 'echo 1..2; echo "ok 1 - a"; echo "ok 2 - b"' | suite good)
failing=$(printf 'echo 1..2; echo "ok 1 - a"; echo "not ok 2 - b"; exit 1' | suite failing)
crashing=$(printf 'echo 1..3; echo "ok 1 - a"; kill -SEGV $$' | suite crashing)
silent=$(printf ':' | suite silent)
lying=$(printf 'echo 1..1; echo "ok 1 - a"; exit 3' | suite lying)
skipping=$(printf 'echo 1..2; echo "ok 1 - a"; echo "not ok 2 # SKIP b"' | suite skipping)
sleeping=$(printf 'echo 1..1; sleep 30; echo "ok 1 - a"' | suite sleeping)

check "tests that pass are counted" last_line "2 passed, 0 failed" 0 "$good"
check "a failed test is counted and makes the status 1" last_line "1 passed, 1 failed" 1 "$failing"
check "tests that a crash left out are failed" last_line "1 passed, 2 failed" 1 "$crashing"
check "a suite without tests is failed" last_line "0 passed, 1 failed" 1 "$silent"
check "a bad exit status is failed, whatever the tests said" \
    last_line "1 passed, 1 failed" 1 "$lying"
check "a skipped test is neither passed nor failed" last_line "1 passed, 0 failed" 0 "$skipping"
check "suites are summed" last_line "5 passed, 3 failed" 1 "$good" "$failing" "$crashing" "$skipping"
check "a suite that is not there is failed" last_line "0 passed, 1 failed" 1 "$TMPDIR/nowhere"
check "nothing to run is no success" last_line "0 passed, 0 failed" 1
limit=1
check "a suite that hangs is stopped" last_line "0 passed, 1 failed" 1 "$sleeping"

complains() { echo "$1" >&2 && return "$2"; }
litters() { touch litter && echo sentence >&2 && return 2; }
check "refused takes one sentence with its status" refused 2 "no such" complains "no such thing" 2
check "refused wants the status" fails refused 2 "no such" complains "no such thing" 1
check "refused wants the words" fails refused 2 "other" complains "no such thing" 2
check "refused wants one line" fails refused 2 "no" complains "no
such" 2
check "refused wants nothing created" fails refused 2 "sentence" litters
check "says wants the words" fails says "b" echo a
finish
