#!/bin/sh
# Launchers from the command line, where there is no cluster: what is planned, and what is refused.
# With a cluster: tests/slurm/test_slurm.sh.
. "$(dirname "$0")/lib.sh"

config="$TMPDIR/tiny.yaml"
cat >"$config" <<'END'
experiment: tiny
data: {set: optotypes, train: 40, test: 20}
net: {arch: convfc, channels: [2, 2, 2], fc: 8}
train: {batch: 20, epochs: {after_removal: 3}}
deficits: [{type: blur, kernel: area, factor: 4, from: 0, until: 0}]
fisher: {probes: 0}
sweep:
  axes:
    removal: {key: "deficits[0].until", values: [0, 2, 6]}
    seed: [1, 2, 3]
END
mkdir "$TMPDIR/empty"
no_slurm() { PATH=$TMPDIR/empty "$@"; }
plan() { "$IMPRINT" sweep "$config" --dry-run --launcher slurm --out "$TMPDIR/none" "$@"; }

lockstep() {
    plan | sed -n '/submissions/,$p' >"$TMPDIR/plan.txt"
    cat "$TMPDIR/plan.txt"
    cmp "$TMPDIR/plan.txt" - <<'END'
12 jobs in 3 submissions
  1  array of 6: epochs 0 to 2 of main removal=6 seed=1, ...
  2  array of 3 after 1, task by task: epochs 2 to 9 of main removal=6 seed=1, ...
  3  array of 3 after 1, task by task: epochs 2 to 5 of main removal=2 seed=1, ...
END
}
wrong_option() {
    plan slurm.options='[debug]' 2>"$TMPDIR/err"
    status=$?
    cat "$TMPDIR/err"
    [ "$status" = 2 ] && grep -q "slurm.options\[0\]: 'debug' is no option of sbatch" "$TMPDIR/err"
}

check "a dry run shows seeds in lockstep as arrays" lockstep
check "a dry run shows siblings that wait for one job" says "2  array of 2 after 1_0: " plan seed=1
check "a dry run of unshared runs has no dependencies" says "9 jobs in 1 submissions" plan --no-share
check "a dry run creates nothing" test ! -e "$TMPDIR/none"
check "a launcher that does not exist is refused" \
    refused 2 "--launcher: 'cloud' is none of local, slurm" "$IMPRINT" sweep "$config" --launcher cloud
check "without sbatch the Slurm launcher is refused" \
    refused 2 "there is no sbatch on PATH" no_slurm "$IMPRINT" sweep "$config" --launcher slurm
check "--wait without Slurm is refused" \
    refused 2 "--wait: goes with --launcher slurm" "$IMPRINT" sweep "$config" --wait
check "--fail-fast with Slurm is refused" refused 2 "--fail-fast: goes with the local launcher" \
    "$IMPRINT" sweep "$config" --launcher slurm --fail-fast
check "an option of sbatch that is none is refused" wrong_option
check "a misspelled resource is refused with the right one" refused 2 "did you mean 'partition'" \
    "$IMPRINT" sweep "$config" --launcher slurm slurm.partitoin=long

# A batch system's warning: what SIGUSR1 does outside a job.
warned() {
    "$IMPRINT" run "$config" -q --out "$TMPDIR/warned" 'sweep=~' data.train=20000 >/dev/null 2>"$TMPDIR/err" &
    pid=$!
    sleep 1
    kill -USR1 $pid
    wait $pid
    status=$?
    cat "$TMPDIR/err"
    [ "$status" = 130 ] && grep -q "is saved" "$TMPDIR/err" && ! grep -q "new start" "$TMPDIR/err"
}
check "a run that gets SIGUSR1 outside a cluster saves and ends as interrupted" warned
diverges() { # options
    "$IMPRINT" run "$config" -q --out "$TMPDIR/wild$#" 'sweep=~' train.lr.base=1000 \
        train.optimizer.weight_decay=1 "$@" 2>"$TMPDIR/err"
    status=$?
    cat "$TMPDIR/err"
    grep -q "not finite" "$TMPDIR/err" || return 9
    return $status
}
check "a run that diverges fails" fails diverges
check "as a job of a sweep it does not" diverges --job
finish
