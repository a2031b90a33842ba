#!/bin/sh
# `imprint status` and `imprint clean` from the command line, on sweeps that run, are killed, fail and
# end, and with wrong input.
. "$(dirname "$0")/lib.sh"

config="$TMPDIR/tiny.yaml"
cat >"$config" <<'EOT'
experiment: tiny
data: {set: optotypes, train: 400, test: 100}
net: {arch: convfc, channels: [4, 4, 4], fc: 16}
train:
  batch: 40
  epochs: {after_removal: 6}
  lr: {base: 0.05, schedule: exponential, gamma: 0.9}
deficits:
  - {type: blur, kernel: area, factor: 4, from: 0, until: 0}
fisher: {probes: 32}
sweep:
  axes:
    removal: {key: "deficits[0].until", values: [0, 2, 6]}
    seed: [1, 2]
EOT
sweep() { # folder, more arguments
    folder=$1
    shift
    "$IMPRINT" sweep "$config" -q --out "$TMPDIR/$folder" "$@"
}
status() { "$IMPRINT" status "$@"; }
clean() { "$IMPRINT" clean "$@"; }

# The command exits with this status and its stdout holds the text.
exits() { # status text command...
    want=$1 text=$2
    shift 2
    "$@" >"$TMPDIR/exits.out" </dev/null
    got=$?
    cat "$TMPDIR/exits.out"
    [ "$got" = "$want" ] || { echo "exit status $got, expected $want" && return 1; }
    grep -qF -- "$text" "$TMPDIR/exits.out" || { echo "expected the words: $text" && return 1; }
}

# ---- a finished sweep

sweep whole -j 2 >/dev/null
for copy in kept cleaned mine readonly; do cp -r "$TMPDIR/whole" "$TMPDIR/$copy"; done

lists_runs() {
    says "tiny: 6 of 6 runs done; 52 of 52 epochs" status "$TMPDIR/whole/tiny" &&
        [ "$(grep -c '  done  ' "$TMPDIR/says.out")" = 6 ] &&
        grep -q '  12/12  main removal=6 seed=2$' "$TMPDIR/says.out"
}
sums_up_in_one_line() {
    says "tiny: 6 of 6 runs done" status "$TMPDIR/whole" --quiet && [ "$(wc -l <"$TMPDIR/says.out")" = 1 ]
}
from_inside() { (cd "$TMPDIR/whole/tiny" && says "tiny: 6 of 6" status . && cd .. && says "tiny: 6 of 6" status tiny/); }

dry_run_removes_nothing() {
    find "$TMPDIR/whole" -type f | sort >"$TMPDIR/before"
    says "would free 16 files" clean "$TMPDIR/whole" --dry-run &&
        find "$TMPDIR/whole" -type f | sort | cmp "$TMPDIR/before" -
}
cleaned_sweep_is_finished() {
    says "freed 16 files" clean "$TMPDIR/cleaned" &&
        grep -q -- '--keep final keeps their last states' "$TMPDIR/says.out" &&
        [ -z "$(find "$TMPDIR/cleaned/states" "$TMPDIR/cleaned/rows" -type f)" ] &&
        says "6 of 6 runs done; 0 epochs trained" sweep cleaned &&
        says "tiny: 6 of 6 runs done" status "$TMPDIR/cleaned" -q &&
        diff -r "$TMPDIR/whole/tiny/runs" "$TMPDIR/cleaned/tiny/runs"
}
keeps_what_is_asked_for() {
    says "stays: 6 states that finished runs ended in (--keep final)" clean "$TMPDIR/kept" --keep final,2 &&
        grep -q 'stays: 2 states of the epochs to keep' "$TMPDIR/says.out" &&
        says "6 of 6 runs done; 12 epochs trained" sweep kept train.epochs.after_removal=8
}
is_terse() { says "freed" clean "$TMPDIR/kept" -q && [ "$(wc -l <"$TMPDIR/says.out")" = 1 ]; }
default_folder() { # results, in the current one
    mkdir -p "$TMPDIR/here" && cp -r "$TMPDIR/whole" "$TMPDIR/here/results" &&
        (cd "$TMPDIR/here" && says "results: freed 16 files" clean)
}
users_files_stay() {
    id=$(ls "$TMPDIR/mine/states")
    echo mine >"$TMPDIR/mine/states/$id/notes.txt"
    says "notes.txt: no file of imprint's; it stays" clean "$TMPDIR/mine" && [ -s "$TMPDIR/mine/states/$id/notes.txt" ]
}

check "status lists every run with its title and sums up" lists_runs
check "status --quiet is one line for an experiment" sums_up_in_one_line
check "status takes the folder it stands in" from_inside
check "a dry run of clean removes nothing" dry_run_removes_nothing
check "after clean the sweep is finished and its logs are untouched" cleaned_sweep_is_finished
check "what --keep names stays, and extended runs train only what is added" keeps_what_is_asked_for
check "clean --quiet is one line" is_terse
check "clean takes results when no folder is given" default_folder
check "files of the user stay and are named" users_files_stay

# ---- one at work, killed, gone on with

long() { sweep long -j 2 train.epochs.after_removal=60 seed=1 "$@"; }
watched_at_work() {
    "$IMPRINT" sweep "$config" -q -j 2 --out "$TMPDIR/long" train.epochs.after_removal=60 seed=1 >/dev/null 2>&1 &
    pid=$!
    tries=0
    until status "$TMPDIR/long/tiny" >"$TMPDIR/work.out" 2>&1 && grep -q 'epochs/s by 2 processes, about .* left' "$TMPDIR/work.out"; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { cat "$TMPDIR/work.out" && return 1; }
        sleep 0.1
    done
    cat "$TMPDIR/work.out"
    grep -q '  running .* (process [0-9]* on ' "$TMPDIR/work.out" || return 1
    clean "$TMPDIR/long" >"$TMPDIR/busy.out" 2>"$TMPDIR/busy.err"
    busy=$?
    cat "$TMPDIR/busy.err"
    kill -9 "$pid" # its workers save and leave
    wait "$pid"
    [ "$busy" = 1 ] && [ ! -s "$TMPDIR/busy.out" ] && grep -q 'process [0-9]* on .* is at work there' "$TMPDIR/busy.err"
}
killed_sweep() {
    tries=0
    until says "nobody is at work: about" status "$TMPDIR/long/tiny"; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || return 1
        sleep 0.1
    done
    grep -q '  interrupted  ' "$TMPDIR/says.out"
}
to_train() { long --dry-run | sed -n 's/.*; \([0-9]*\) epochs to train.*/\1/p'; }
clean_costs_a_killed_sweep_nothing() {
    before=$(to_train)
    clean "$TMPDIR/long" || return 1
    after=$(to_train)
    echo "$before epochs before, $after after"
    [ -n "$before" ] && [ "$before" = "$after" ] && says "3 of 3 runs done; $before epochs trained" long
}

check "status shows who is at work, the rate and the time left; clean refuses" watched_at_work
check "a killed sweep is shown as interrupted" killed_sweep
check "clean costs a killed sweep no epoch" clean_costs_a_killed_sweep_nothing

# ---- what went wrong

diverged() {
    sweep wild 'deficits[0].until=0' seed=1 train.lr.base=1000 train.optimizer.weight_decay=1 >/dev/null 2>&1
    exits 3 "is not finite" status "$TMPDIR/wild/tiny" && grep -q '0 of 1 runs done, 1 diverged' "$TMPDIR/exits.out"
}
damaged_log() {
    cp -r "$TMPDIR/cleaned" "$TMPDIR/torn"
    log=$(ls "$TMPDIR"/torn/tiny/runs/*.h5 | head -n 1)
    head -c 9000 "$log" >"$log.half" && mv "$log.half" "$log"
    exits 3 "5 of 6 runs done, 1 damaged" status "$TMPDIR/torn" &&
        exits 3 "6 of 6 runs done" status "$TMPDIR/torn" "$TMPDIR/whole"
}
check "a diverged run makes the exit status 3 and says why" diverged
check "a torn log makes the exit status 3" damaged_log

# ---- wrong input

mkdir "$TMPDIR/empty" "$TMPDIR/broken"
cp -r "$TMPDIR/whole/." "$TMPDIR/broken"
printf 'run\tepochs\nx' >"$TMPDIR/broken/tiny/plan.tsv"
check "status of nothing" refused 2 "usage: imprint status DIR..." "$IMPRINT" status
check "status of a folder that is not there" refused 2 "cannot find it" "$IMPRINT" status "$TMPDIR/absent"
check "status of a file" refused 2 "is a file" "$IMPRINT" status "$config"
check "status of an empty folder" refused 2 "holds no experiment" "$IMPRINT" status "$TMPDIR/empty"
check "status of a folder that is there and one that is not" refused 2 "cannot find it" "$IMPRINT" status "$TMPDIR/whole" "$TMPDIR/absent"
check "status with a damaged plan" refused 1 "tiny/plan.tsv:1: does not begin as a plan" "$IMPRINT" status "$TMPDIR/broken/tiny"
check "clean with a damaged plan" refused 1 "tiny/plan.tsv:1: does not begin as a plan" "$IMPRINT" clean "$TMPDIR/broken"
check "clean of a folder that is not there" refused 2 "cannot find it" "$IMPRINT" clean "$TMPDIR/absent"
check "clean without results here" refused 2 "results: cannot find it" "$IMPRINT" clean
check "clean of a file" refused 2 "is a file" "$IMPRINT" clean "$config"
check "clean of an empty folder" refused 2 "holds no states" "$IMPRINT" clean "$TMPDIR/empty"
check "clean of one experiment" refused 2 "is one experiment" "$IMPRINT" clean "$TMPDIR/whole/tiny"
check "clean that keeps nonsense" refused 2 "'last' is neither 'final' nor an epoch" "$IMPRINT" clean "$TMPDIR/whole" --keep last
check "clean that keeps a negative epoch" refused 2 "'-1' is neither" "$IMPRINT" clean "$TMPDIR/whole" --keep final,-1
check "clean that keeps nothing" refused 2 "--keep: needs a value" "$IMPRINT" clean "$TMPDIR/whole" --keep=
check "clean of two folders" refused 2 "usage: imprint clean [DIR]" "$IMPRINT" clean a b

# A folder that may be read only. Root may write everywhere, and so becomes nobody.
as_reader() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups "$TMPDIR/imprint" "$@"
    else
        "$TMPDIR/imprint" "$@"
    fi
}
read_only_folder_is_refused() {
    chmod -R a+rX,a-w "$TMPDIR/readonly"
    as_reader status "$TMPDIR/readonly" && as_reader clean "$TMPDIR/readonly" --dry-run || return 1
    refused 1 "cannot remove it: Permission denied" as_reader clean "$TMPDIR/readonly"
    result=$?
    chmod -R u+w "$TMPDIR/readonly"
    return $result
}
cp "$IMPRINT" "$TMPDIR/imprint" && chmod a+rx "$TMPDIR" "$TMPDIR/imprint"
if [ "$(id -u)" != 0 ] || { setpriv --reuid=65534 --regid=65534 --clear-groups "$TMPDIR/imprint" --version; } >/dev/null 2>&1; then
    check "a folder that may only be read has a status, and clean says that it cannot" read_only_folder_is_refused
else
    skip "a folder that may only be read has a status, and clean says that it cannot" "root cannot become another user here"
fi
finish
