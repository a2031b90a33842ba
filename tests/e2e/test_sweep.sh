#!/bin/sh
# A sweep from the command line: trained, interrupted and gone on with, reported, and the same bits.
. "$(dirname "$0")/lib.sh"

config="$TMPDIR/tiny.yaml"
cat >"$config" <<'EOF'
experiment: tiny
data: {set: optotypes, train: 400, test: 100}
net: {arch: convfc, channels: [4, 4, 4], fc: 16}
train:
  batch: 40
  epochs: {after_removal: 6}
  optimizer: {type: sgd, momentum: 0.9}
  lr: {base: 0.05, schedule: exponential, gamma: 0.9}
deficits:
  - {type: blur, kernel: area, factor: 4, from: 0, until: 0}
fisher: {probes: 32}
sweep:
  axes:
    removal: {key: "deficits[0].until", values: [0, 2, 6]}
    seed: [1, 2]
EOF
sweep() { # folder, more arguments
    folder=$1
    shift
    "$IMPRINT" sweep "$config" -q --out "$TMPDIR/$folder" "$@"
}

# Every numeric dataset of every log, wall times apart, as text.
numbers() { # folder
    for log in "$TMPDIR/$1"/tiny/runs/*.h5; do
        basename "$log"
        for name in train_loss test_accuracy test_deficit_accuracy fisher_trace fisher_layer_trace \
            fisher_deficit_trace lr grad_norm update_norm weight_norm path_length; do
            echo "$name"
            "$IMPRINT" table "$log" "$name"
        done
    done
}

plan() { "$IMPRINT" sweep "$config" --dry-run --out "$TMPDIR/none"; }
plans() { says "tiny: 6 points, 6 runs with clean twins; 48 epochs to train (52 without sharing, 4 saved)" plan; }
draws() { says "digraph" "$IMPRINT" sweep "$config" --dry-run --dot --out "$TMPDIR/none"; }
dry_run_leaves_nothing() { plan && [ ! -e "$TMPDIR/none" ]; }
trains() { says "6 of 6 runs done; 48 epochs trained" sweep whole -j 2; }
repeats() { says "6 of 6 runs done; 0 epochs trained" sweep whole; }
adds_a_seed() { says "9 of 9 runs done; 24 epochs trained" sweep whole seed=1,2,3; }

interrupted() { # Ctrl-C: exit status 130, and the rest is trained afterwards
    "$IMPRINT" sweep "$config" -q -j 2 --out "$TMPDIR/stopped" >/dev/null 2>"$TMPDIR/stopped.err" &
    pid=$!
    sleep 0.4
    kill -INT "$pid"
    wait "$pid"
    status=$?
    cat "$TMPDIR/stopped.err"
    [ "$status" = 130 ] && sweep stopped && numbers stopped | cmp "$TMPDIR/one.txt" -
}

stops_its_workers() { # a signal to the sweep alone; its runs would take minutes
    "$IMPRINT" sweep "$config" -q -j 2 --out "$TMPDIR/long" train.epochs.after_removal=5000 \
        >/dev/null 2>"$TMPDIR/long.err" &
    pid=$!
    sleep 1
    kill -TERM "$pid"
    waited=0
    while kill -0 "$pid" 2>/dev/null && [ "$waited" -lt 30 ]; do
        sleep 1
        waited=$((waited + 1))
    done
    kill -9 "$pid" 2>/dev/null && return 1
    wait "$pid"
    [ $? = 130 ]
}

one_worker() { sweep one -j 1 && numbers one >"$TMPDIR/one.txt"; }
unshared() { # every run alone, from scratch, in a folder of its own
    for removal in 0 2 6; do
        for seed in 1 2; do
            rm -rf "$TMPDIR/root"
            says "$((6 + removal)) epochs trained" "$IMPRINT" run "$config" -q --no-reuse \
                --out "$TMPDIR/root" "deficits[0].until=$removal" "seed=$seed" 'sweep=~' || return 1
            mkdir -p "$TMPDIR/alone/tiny/runs"
            mv "$TMPDIR"/root/tiny/runs/*.h5 "$TMPDIR/alone/tiny/runs"
        done
    done
    numbers alone | cmp "$TMPDIR/one.txt" -
}

# Two sweeps on one folder: what one trains the other leaves to it, and both end with all runs done.
second_sweep_shares_the_work() {
    sweep both -j 1 >"$TMPDIR/first.out" &
    first=$!
    sweep both -j 1 >"$TMPDIR/second.out"
    status=$?
    wait "$first" || return 1
    cat "$TMPDIR/first.out" "$TMPDIR/second.out"
    trained=0
    for n in $(sed -n 's/.*; \([0-9]*\) epochs trained.*/\1/p' "$TMPDIR/first.out" "$TMPDIR/second.out"); do
        trained=$((trained + n))
    done
    [ "$status" = 0 ] && [ "$trained" = 48 ] && numbers both | cmp "$TMPDIR/one.txt" -
}

# A claim of a process that is gone is nobody's.
stale_claim_is_no_claim() {
    numerics=$(ls "$TMPDIR/one/claims")
    mkdir -p "$TMPDIR/stale/claims/$numerics"
    sh -c 'exit 0' & gone=$!
    wait "$gone"
    for log in "$TMPDIR"/one/tiny/runs/*.h5; do
        echo "0123456789abcdef $gone 1 nowhere" >"$TMPDIR/stale/claims/$numerics/$(basename "$log" .h5)"
        touch -d '2 minutes ago' "$TMPDIR/stale/claims/$numerics/$(basename "$log" .h5)"
    done
    says "6 of 6 runs done; 48 epochs trained" sweep stale
}

diverging_run_does_not_stop_the_others() {
    "$IMPRINT" sweep "$config" -q --out "$TMPDIR/wild" 'deficits[0].until=0' 'seed=1' \
        'train.lr.base=0.05,1000' train.optimizer.weight_decay=1 >"$TMPDIR/wild.out" 2>"$TMPDIR/wild.err"
    status=$?
    cat "$TMPDIR/wild.out" "$TMPDIR/wild.err"
    [ "$status" = 3 ] && grep -q "1 diverged" "$TMPDIR/wild.out" && grep -q "not finite" "$TMPDIR/wild.err"
}

# A diverged run is a result; --retry-failed trains it again.
wild() {
    "$IMPRINT" sweep "$config" -q --out "$TMPDIR/wild" 'deficits[0].until=0' 'seed=1' \
        'train.lr.base=0.05,1000' train.optimizer.weight_decay=1 "$@" 2>/dev/null
}
diverged_runs_stay() { wild >"$TMPDIR/wild.out"; [ $? = 3 ] && grep -q "1 of 2 runs done, 1 diverged; 0 epochs" "$TMPDIR/wild.out"; }
retries_diverged() { wild --retry-failed --dry-run | grep -q "[1-9][0-9]* epochs to train"; }

# Why a run failed stays beside its log, until it is done.
failure_is_kept() {
    ls "$TMPDIR"/wild/tiny/runs/*.error && grep -q "not finite" "$TMPDIR"/wild/tiny/runs/*.error
}

stops_and_goes_on() {
    one="$TMPDIR/until"
    says "4 epochs trained" "$IMPRINT" run "$config" 'sweep=~' 'deficits[0].until=2' -q --out "$one" --until 4 &&
        says "4 epochs trained from epoch 4 on" "$IMPRINT" run "$config" 'sweep=~' 'deficits[0].until=2' -q --out "$one"
}

# Rows of a measure that is new: trained again, which the plan says, and no state is touched.
states_of() { ls -l --full-time "$TMPDIR/$1"/states/*/*; } # folder
measures_more() {
    before=$(states_of one)
    sweep one --dry-run 'measures=[weight_norm]' >"$TMPDIR/more.out" || return 1
    cat "$TMPDIR/more.out"
    grep -q "48 epochs to train" "$TMPDIR/more.out" &&
        grep -q "48 epochs of these are trained again for their rows alone: the states of 6 runs" "$TMPDIR/more.out" &&
        says "6 of 6 runs done; 48 epochs trained" sweep one 'measures=[weight_norm]' &&
        [ "$before" = "$(states_of one)" ]
}

reports() {
    "$IMPRINT" report "$TMPDIR/one/tiny" >"$TMPDIR/report.txt" || return 1
    cat "$TMPDIR/report.txt"
    grep -q "drop" "$TMPDIR/report.txt" && [ -s "$TMPDIR/one/tiny/report.html" ] &&
        ! grep -Eq '(src|href)="http' "$TMPDIR/one/tiny/report.html"
}

previews() {
    "$IMPRINT" preview "$config" --output "$TMPDIR/sheet.png" &&
        [ "$(head -c 4 "$TMPDIR/sheet.png" | tail -c 3)" = PNG ]
}

h5dump_reads() {
    command -v h5dump >/dev/null || { echo "h5dump is not installed"; return 1; }
    h5dump -d /test_accuracy "$(ls "$TMPDIR"/one/tiny/runs/*.h5 | head -n 1)"
}

python_reads() { # labelled, dimensioned series, by h5py and by xarray
    log=$(ls "$TMPDIR"/one/tiny/runs/*.h5 | head -n 1)
    /usr/bin/python3 - "$log" <<'EOF'
import sys, h5py, xarray
with h5py.File(sys.argv[1]) as f:
    assert f.attrs["status"] == "done" and f["test_accuracy"].dims[0][0] == f["epoch"]
with xarray.open_dataset(sys.argv[1], engine="h5netcdf") as log:
    assert log.fisher_layer_trace.dims == ("epoch", "layer")
    share = log.fisher_layer_trace.sel(layer="fc1") / log.fisher_trace
    assert 0 < float(share[-1]) < 1 and not any(d.startswith("phony") for d in log.dims)
EOF
}

check "a dry run counts the epochs of the tree" plans
check "a dry run draws the tree for graphviz" draws
check "a dry run creates nothing" dry_run_leaves_nothing
check "a sweep trains each epoch once" trains
check "the same sweep again trains nothing" repeats
check "one more seed trains only its own epochs" adds_a_seed
check "one worker trains the sweep too" one_worker
check "interrupted and gone on with, it ends with the same bits" interrupted
check "a signal to the sweep alone stops its workers" stops_its_workers
check "runs trained alone from scratch have the same bits" unshared
check "two sweeps on one folder share the work" second_sweep_shares_the_work
check "claims that nobody touched for a minute are stale" stale_claim_is_no_claim
check "a run that diverges does not stop the others" diverging_run_does_not_stop_the_others
check "a diverged run stays as it is" diverged_runs_stay
check "unless its retry is asked for" retries_diverged
check "a measure more trains its rows again and leaves every state as it is" measures_more
check "why a run failed is kept beside its log" failure_is_kept
check "a run stopped at an epoch goes on from it" stops_and_goes_on
check "a graph goes with a dry run" refused 2 "--dot: goes with --dry-run" "$IMPRINT" sweep "$config" --dot
check "a plan too large for its memory is refused" refused 2 "--memory MIB raises" "$IMPRINT" sweep "$config" \
    --dry-run --memory 1 "seed=$(seq -s, 1 400)" "data.seed=1" "net.seed=$(seq -s, 1 20)"
check "a report of the sweep has drops and a self-contained page" reports
check "a preview is a PNG" previews
check "h5dump reads a log" h5dump_reads
if /usr/bin/python3 -c 'import h5py, h5netcdf, xarray' 2>/dev/null; then
    check "h5py and xarray read a log" python_reads
else
    skip "h5py and xarray read a log" "python3 does not have them"
fi
finish
