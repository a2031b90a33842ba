#!/bin/sh
# Matched controls from the command line: planned, trained, killed and gone on with, and seen by
# status, report, collect, verify and clean like any other run.
. "$(dirname "$0")/lib.sh"

config="$TMPDIR/matched.yaml"
cat >"$config" <<'EOT'
experiment: matched
data: {set: optotypes, train: 200, test: 50}
net: {arch: convfc, channels: [4, 4, 4], fc: 16}
train:
  batch: 20
  epochs: {after_removal: 3}
  lr: {base: 0.05, schedule: exponential, gamma: 0.8}
deficits:
  - {type: blur, kernel: area, factor: 4, from: 0, until: 0}
fisher: {probes: 16}
sweep:
  controls: [twin, lr_clock, stabilizer_on_clean]
  axes:
    removal: {key: "deficits[0].until", values: [0, 4]}
    remedy:
      none: {}
      decay: {stabilizers: [{type: weight_decay, lambda: 0.05, until: removal}]}
    seed: [1, 2]
EOT
sweep() { # folder, more arguments
    folder=$1
    shift
    "$IMPRINT" sweep "$config" -q --out "$TMPDIR/$folder" "$@"
}
home="$TMPDIR/whole/matched"

# Per seed: removal 0 is the clean twin, with and without a remedy of no epochs; at removal 4 two points,
# two lr_clock controls, on_clean and clean_total. Epochs: 3; 7 and 7; 3 and 3; 7; 4 behind the twin's 3.
plan() { "$IMPRINT" sweep "$config" --dry-run --out "$TMPDIR/none"; }
plans() {
    says "matched: 8 points, 14 runs with clean twins and 8 controls; 68 epochs to train" plan
}
names_controls() { says "stabilizer_on_clean control of main removal=4 remedy=decay seed=1" plan; }
refuses() {
    refused 2 "sweep.controls: there is no control 'lr_clok' (did you mean 'lr_clock'?" \
        "$IMPRINT" sweep "$config" --dry-run "sweep.controls=[lr_clok]"
}
describes() { says "stabilizer_on_clean" "$IMPRINT" describe sweep.controls; }

trains() { says "14 of 14 runs done; 68 epochs trained" sweep whole -j 2; }
repeats() { says "14 of 14 runs done; 0 epochs trained" sweep whole; }
columns() {
    sed -n 2p "$home/sweep.tsv" | tr '\t' ' ' >"$TMPDIR/columns.txt"
    says "run twin part removal remedy seed* =unstabilized =lr_clock =lr_clock_twin \
=lr_clock_unstabilized =on_clean =clean_total" cat "$TMPDIR/columns.txt"
}
every_id_has_a_log() {
    for id in $(grep -v '^#' "$home/sweep.tsv" | grep -oE '\b[0-9a-f]{32}\b' | sort -u); do
        [ -e "$home/runs/$id.h5" ] || { echo "no log of $id" && return 1; }
    done
    [ "$(grep -oE '\b[0-9a-f]{32}\b' "$home/sweep.tsv" | sort -u | wc -l)" = 14 ]
}
status_lists() { says "done  " "$IMPRINT" status "$home" && says "lr_clock control of" "$IMPRINT" status "$home"; }
status_counts() { says "14 runs" "$IMPRINT" status "$home" -q; }
reports() { says "remedy" "$IMPRINT" report "$home" --no-figures; }
collects() {
    "$IMPRINT" collect "$home" && h5dump -H -d /test_accuracy "$home/sweep.h5" >"$TMPDIR/shape.txt" &&
        grep -q 'SIMPLE { ( 2, 2, 2, 8 )' "$TMPDIR/shape.txt" || { cat "$TMPDIR/shape.txt" && return 1; }
}
control() { # column: a run id of the last point
    awk -F '\t' -v name="$1" 'NR == 2 { for (i = 1; i <= NF; i++) if ($i == name) at = i }
        END { print $at }' "$home/sweep.tsv"
}
verifies() {
    for column in =lr_clock =on_clean =clean_total; do
        says "equal bit for bit" "$IMPRINT" verify "$home/runs/$(control $column).h5" || return 1
    done
}
cleans() { # everything is finished, so all states may go; nothing does in a dry run
    says "states" "$IMPRINT" clean "$TMPDIR/whole" --dry-run &&
        [ -n "$(ls "$TMPDIR"/whole/states/*/)" ]
}

numbers() { # folder: every numeric series of every log, wall times apart
    for log in "$TMPDIR/$1"/matched/runs/*.h5; do
        basename "$log"
        for name in train_loss test_accuracy fisher_trace lr weight_norm; do
            "$IMPRINT" table "$log" "$name"
        done
    done
}
killed() { # kill -9 in the midst of it, twice, then to the end: the same numbers
    for wait in 0.3 0.5; do
        setsid "$IMPRINT" sweep "$config" -q -j 2 --out "$TMPDIR/killed" >/dev/null 2>&1 &
        pid=$!
        sleep "$wait"
        kill -9 -- "-$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    sweep killed && numbers whole >"$TMPDIR/a.txt" && numbers killed >"$TMPDIR/b.txt" &&
        same "$TMPDIR/a.txt" "$TMPDIR/b.txt" && same "$home/sweep.tsv" "$TMPDIR/killed/matched/sweep.tsv"
}

constant() { # under a constant rate lr_clock is the point itself
    "$IMPRINT" sweep "$config" --dry-run --out "$TMPDIR/none" "sweep.controls=[lr_clock]" \
        "train.lr={base: 0.05, schedule: constant}"
}
constants() { says "matched: 8 points, 6 runs with clean twins; 34 epochs to train" constant; }

check "a dry run counts the controls" plans
check "and names them" names_controls
check "an unknown control is refused in one sentence" refuses
check "describe knows the key" describes
check "controls are trained like any other run" trains
check "and not a second time" repeats
check "sweep.tsv has a column for each" columns
check "every run that it names has a log" every_id_has_a_log
check "status lists them by their titles" status_lists
check "status counts them" status_counts
check "a report of a sweep with controls works" reports
check "collect keeps the axes that the sweep has" collects
check "controls verify bit for bit" verifies
check "clean counts their states" cleans
check "killed twice and gone on with, the numbers are the same" killed
check "lr_clock costs nothing under a constant rate" constants
finish
