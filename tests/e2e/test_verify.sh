#!/bin/sh
# imprint verify from the command line: what it says of right, wrong, damaged and missing logs, and
# that it leaves nothing behind.
. "$(dirname "$0")/lib.sh"

config="$TMPDIR/tiny.yaml"
cat >"$config" <<'EOC'
experiment: tiny
data: {set: optotypes, train: 100, test: 50}
net: {arch: convfc, channels: [4, 4, 4], fc: 8}
train: {batch: 20, epochs: {after_removal: 2}}
deficits:
  - {type: blur, kernel: area, factor: 4, from: 0, until: 0}
fisher: {probes: 16}
sweep:
  axes:
    removal: {key: "deficits[0].until", values: [0, 1, 3]}
EOC
root="$TMPDIR/results"
"$IMPRINT" sweep "$config" -q --out "$root" >/dev/null || echo "the sweep failed"
log=$(find "$root/tiny/runs" -name '*.h5' | sort | head -n 1)
forked= # a log whose run has a state before its end on disk
for one in "$root"/tiny/runs/*.h5; do
    if "$IMPRINT" verify "$one" -q --from-states >/dev/null 2>&1; then forked=$one; fi
done

exits() { # status command...
    want=$1
    shift
    "$@"
    status=$?
    [ "$status" = "$want" ] || { echo "exit status $status, expected $want" && return 1; }
}
verify() { "$IMPRINT" verify -q "$@"; }

passes_in_one_line() {
    says "epochs trained: equal bit for bit" verify "$log" && [ "$(wc -l <"$TMPDIR/says.out")" = 1 ]
}
# A byte in the middle of the file, which another program may have written.
damaged() {
    cp "$log" "$TMPDIR/damaged.h5"
    printf 'X' | dd of="$TMPDIR/damaged.h5" bs=1 seek=2500 conv=notrunc 2>/dev/null
    refused 4 "it is damaged: its content is not what was written" "$IMPRINT" verify "$TMPDIR/damaged.h5"
}
cut_short() {
    head -c 6000 "$log" >"$TMPDIR/short.h5"
    refused 4 "cut short" "$IMPRINT" verify "$TMPDIR/short.h5"
}
one_of_two_is_damaged() {
    exits 4 verify "$log" "$TMPDIR/damaged.h5" >"$TMPDIR/two.out" || return 1
    cat "$TMPDIR/two.out"
    grep -q "1 of 2 logs are what training gives" "$TMPDIR/two.out"
}
from_states() { says "from the state of epoch" verify "$forked" --from-states; }
moved() { # out of its results folder it can be verified, but has no states
    cp "$log" "$TMPDIR/moved.h5"
    verify "$TMPDIR/moved.h5" && refused 1 "no results folder is around it" "$IMPRINT" verify -q "$TMPDIR/moved.h5" --from-states
}
missing_run_is_counted() {
    rm "$log"
    says "2 of 2 logs are what training gives; 1 more runs have no log yet" verify "$root/tiny"
}
leaves_nothing() { [ -z "$(find "$TMPDIR" -name 'imprint-verify*')" ]; }

# Ctrl-C while it trains again: exit status 130, and its folder is gone.
interrupted() {
    "$IMPRINT" verify -q "$root/tiny" "$root/tiny" "$root/tiny" "$root/tiny" "$root/tiny" \
        >/dev/null 2>"$TMPDIR/interrupted.err" &
    pid=$!
    while leaves_nothing && kill -0 "$pid"; do :; done
    kill -INT "$pid"
    wait "$pid"
    status=$?
    cat "$TMPDIR/interrupted.err"
    echo "exit status $status"
    [ "$status" = 130 ] && leaves_nothing && grep -q "interrupted while it was trained again" "$TMPDIR/interrupted.err"
}

check "a log that training gives passes in one line" passes_in_one_line
check "a sweep's folder stands for all its logs" says "3 of 3 logs are what training gives" verify "$root/tiny"
check "a log with a flipped byte has exit status 4" damaged
check "a log that was cut short has exit status 4" cut_short
check "of two logs the damaged one is told" one_of_two_is_damaged
check "from states, the last segment is trained" from_states
check "a log that was moved is verified, but has no states" moved
check "data.path means nothing to data without files" refused 2 "reads no files" "$IMPRINT" verify "$log" data.path=/nowhere
check "no other key may be" refused 2 "only data.path can be overridden" "$IMPRINT" verify "$log" train.batch=10
check "a tolerance must be a number" refused 2 "--tolerance: 'much' is not a number" "$IMPRINT" verify "$log" --tolerance much
check "nor negative" refused 2 "is not a number from 0 on" "$IMPRINT" verify "$log" --tolerance=-1
check "a log that is not there has exit status 1" refused 1 "No such file" "$IMPRINT" verify "$TMPDIR/absent.h5"
check "a config is no log" refused 1 "is no log" "$IMPRINT" verify "$config"
check "an override alone is no log" refused 2 "give a log" "$IMPRINT" verify data.path=x
check "a folder without logs" refused 1 "no log" "$IMPRINT" verify "$root/states"
check "an unwritable TMPDIR is told" refused 1 "cannot make a temporary folder" env TMPDIR=/nowhere "$IMPRINT" verify "$log"
check "interrupted, it leaves nothing behind" interrupted
check "a run without a log is counted" missing_run_is_counted
check "nothing is left behind" leaves_nothing
finish
