#!/bin/sh
# Threads and cores from the command line: the bits of a run do not depend on how many threads it
# has, and a sweep starts as many processes as it may use cores.
. "$(dirname "$0")/lib.sh"

config="$TMPDIR/tiny.yaml"
cat >"$config" <<'END'
experiment: tiny
data: {set: optotypes, train: 300, test: 100}
net: {arch: lenet, width: 0.25, norm: batch}
train: {batch: 64, epochs: {after_removal: 2}}
deficits: [{type: blur, kernel: area, factor: 4, from: 0, until: 2}]
fisher: {probes: 40}
measures: [weight_norm, dead_units]
END
run() { # threads, more arguments
    threads=$1
    shift
    "$IMPRINT" run "$config" -q --threads "$threads" --out "$TMPDIR/$threads" "$@"
}

# All series but times as text, and the bytes of the last state.
content() { # folder
    log=$(echo "$TMPDIR/$1"/tiny/runs/*.h5)
    for name in train_loss train_accuracy test_loss test_accuracy test_deficit_accuracy fisher_trace \
        fisher_trace_stderr fisher_layer_trace fisher_deficit_trace fisher_entropy lr grad_norm \
        update_norm path_length weight_norm dead_units; do
        echo "$name"
        "$IMPRINT" table "$log" "$name" || return 1
    done
    cat "$TMPDIR/$1"/states/*/*.h5 | cksum
}
trains_alone() { run 1 && content 1 >"$TMPDIR/1.txt" && [ "$(wc -l <"$TMPDIR/1.txt")" -gt 60 ]; }
same_content() { run "$1" && content "$1" | cmp "$TMPDIR/1.txt" -; }
verifies() { says "equal bit for bit" "$IMPRINT" verify "$TMPDIR"/1/tiny/runs/*.h5 -q --threads 8; }

# A machine whose cores are all at work: as many processes again, that never rest.
busily() { # command...
    hogs=
    for _ in $(seq "$(nproc)"); do
        (while :; do :; done) &
        hogs="$hogs $!"
    done
    "$@"
    status=$?
    # shellcheck disable=SC2086
    kill $hogs
    return $status
}
seconds() { # command... -> tenths of seconds that it took
    begin=$(date +%s%N)
    "$@" >/dev/null || return 1
    echo $((($(date +%s%N) - begin) / 100000000))
}
# Threads that wait for each other spinning take 3 to 14 times as long as one.
does_not_crawl() {
    train() { run "$1" --force --no-reuse data.train=2000 fisher.probes=0; }
    one=$(seconds train 1) && two=$(seconds train 2) || return 1
    echo "one thread: $one, two: $two tenths of a second"
    [ "$two" -le $((2 * one + 10)) ]
}

jobs_by_default() { # command that goes before
    "$@" "$IMPRINT" sweep "$config" --dry-run --out "$TMPDIR/none" seed=1,2 |
        sed -n 's/.* with -j \([0-9]*\) .*/\1/p'
}
takes_the_cores() { # number, command that goes before
    want=$1
    shift
    got=$(jobs_by_default "$@")
    echo "-j is $got, expected $want"
    [ "$got" = "$want" ]
}
at_most_the_machine() {
    got=$(jobs_by_default env)
    [ "$got" -ge 1 ] && [ "$got" -le "$(getconf _NPROCESSORS_CONF)" ]
}

check "a run with one thread" trains_alone
for threads in 2 3 8; do
    check "a run with $threads threads has the same content" same_content "$threads"
done
check "verify with 8 threads finds no difference" verifies
check "on a busy machine two threads are about as quick as one" busily does_not_crawl
check "0 threads are refused" refused 2 "--threads: '0' is not a number from 1 to 256" \
    "$IMPRINT" run "$config" --threads 0
check "a sweep starts no more processes than the machine has cores" at_most_the_machine
check "in a Slurm job, no more than cores of the task" \
    takes_the_cores 1 env SLURM_JOB_ID=7 SLURM_CPUS_PER_TASK=1
if first=$(taskset -cp $$ 2>/dev/null | sed 's/.*: *\([0-9]*\).*/\1/') && [ -n "$first" ]; then
    check "with an affinity of one core, one" takes_the_cores 1 taskset -c "$first"
else
    skip "with an affinity of one core, one" "there is no taskset"
fi
finish
