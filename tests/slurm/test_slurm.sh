#!/bin/sh
# The Slurm launcher against a real cluster of one node (tests/slurm/cluster): whole sweeps, killed,
# failing and cancelled jobs, launchers that die, time limits; what comes out is compared with the
# local launcher's, every data set of every log, every state and every row (tests/chaos/same.c).
# Needs root on Linux and `scripts/deps slurm`; about three minutes. $SAME is the program `same`.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../e2e/lib.sh"

why=
[ "$(uname)" = Linux ] || why="a cluster of its own needs Linux"
[ -n "$why" ] || [ "$(id -u)" = 0 ] || why="a cluster of its own needs root"
for program in slurmctld slurmd munged sbatch setpriv; do
    [ -n "$why" ] || command -v $program >/dev/null 2>&1 || why="$program is not installed"
done
if [ -n "$why" ]; then
    skip "the Slurm suite" "$why"
    finish
fi

cluster=$TMPDIR/cluster
chmod go+x "$TMPDIR" # for munged, which is not root
trap '"$here/cluster" down "$cluster"' EXIT
trap 'exit 1' HUP INT TERM
MAX_ARRAY=5 "$here/cluster" up "$cluster" || { echo "Bail out! no cluster" && exit 1; }
. "$cluster/env"
cd "$TMPDIR" || exit 1

cat >tiny.yaml <<'END'
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
END
# The same with longer epochs, for what has to happen while a job runs.
sed 's/experiment: tiny/experiment: slow/; s/train: 400/train: 6000/' tiny.yaml >slow.yaml

local_sweep() { "$IMPRINT" sweep tiny.yaml -q "$@"; }
slurm_sweep() { "$IMPRINT" sweep "${config:-tiny.yaml}" -q --launcher slurm "$@"; }
in_queue() { squeue -h -r -o '%F %K %T %r %j'; }
# A job of a limited time runs beside most of the tests; it does not count.
tasks_ended() { grep -vc 'Name=limited-' "$cluster/log/jobcomp.log"; }
is_empty() { ! squeue -h -o %j | grep -v '^limited-'; }

within() { # seconds command...: it succeeds in time
    left=$(($1 * 5))
    shift
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ $left -gt 0 ] || { echo "not in time: $*" && in_queue && return 1; }
        sleep 0.2
    done
}

# Both folders have the same logs, states and rows; what tells how they were made is left out.
same_results() { # folder folder
    rm -rf a b
    cp -r "$1" a && cp -r "$2" b || return 1
    rm -rf a/*/slurm b/*/slurm a/*/plan.tsv b/*/plan.tsv a/claims b/claims
    "$SAME" a b
}

# ---- whole sweeps --------------------------------------------------------------------------------

returns_at_once() {
    begin=$(date +%s)
    says "tiny: 8 jobs submitted (arrays: 3, single jobs: 0," slurm_sweep --out whole &&
        [ $(($(date +%s) - begin)) -le 2 ]
}
submits_nothing_twice() {
    says "tiny: 0 jobs submitted; " slurm_sweep --out whole &&
        [ "$(in_queue | awk '{print $5}' | sort -u | wc -l)" -le 3 ]
}
waits() { says "6 of 6 runs done" slurm_sweep --out whole --wait; }
no_more_jobs_than_segments() { [ "$(tasks_ended)" = 8 ]; }
same_as_local() { local_sweep --out local && same_results local whole; }
nothing_left_to_do() {
    slurm_sweep --out whole >out.txt && cat out.txt
    [ "$(head -n 1 out.txt)" = "tiny: 0 jobs submitted" ] && grep -q "^6 of 6 runs done" out.txt
}
status_when_done() { says "tiny: 6 of 6 runs done; 52 of 52 epochs" "$IMPRINT" status -q whole/tiny; }

# One seed: siblings of one job; and words that a shell would take apart.
awkward_folder() {
    mkdir "it's 100%A here" && cd "it's 100%A here" && cp ../tiny.yaml . || return 1
    "$IMPRINT" sweep tiny.yaml -q --out "\$my results" seed=1 removal=0,2,4,6 >/dev/null &&
        slurm_sweep --wait --out 're sults' seed=1 removal=0,2,4,6 &&
        same_results '$my results' 're sults' && ls 're sults'/tiny/slurm/*-1-*_1.out
}
large_arrays_are_split() { # MaxArraySize is 5: eight roots are an array of 5 and one of 3
    slurm_sweep --out split --wait seed=1,2,3,4 &&
        awk -F'\t' '$3 == "-" {print $1, $2}' split/tiny/slurm/jobs.tsv | sort |
        awk '{n[$1]++} END {for (i in n) print n[i]}' | sort -rn | tr '\n' ' ' | grep '^5 4 4 3 $' &&
        local_sweep --out split-local seed=1,2,3,4 && same_results split-local split
}

# Jobs rebuild a control's config from its role: the remedy's window ends at a removal that is gone.
matched_controls() {
    cat >matched.yaml <<'END'
experiment: tiny
data: {set: optotypes, train: 400, test: 100}
net: {arch: convfc, channels: [4, 4, 4], fc: 16}
train:
  batch: 40
  epochs: {after_removal: 3}
  lr: {base: 0.05, schedule: exponential, gamma: 0.8}
deficits:
  - {type: blur, kernel: area, factor: 4, from: 0, until: 2}
stabilizers: [{type: weight_decay, lambda: 0.05, until: removal}]
fisher: {probes: 32}
sweep: {controls: [lr_clock, stabilizer_on_clean], axes: {seed: [1]}}
END
    config=matched.yaml
    slurm_sweep --out matched --wait >out.txt
    cat out.txt
    grep -q "^7 of 7 runs done" out.txt && "$IMPRINT" sweep matched.yaml -q --out matched-local &&
        same_results matched-local matched
}

# ---- jobs that die -------------------------------------------------------------------------------

holder() { cat slow/claims/*/* 2>/dev/null | awk 'NR == 1 {print $2}'; }
is_at_work() { [ -n "$(holder)" ] && ls slow/parts/*/*.h5; }
killed_job() { # the first program that is at work; what waits for it falls, the rest goes on
    config=slow.yaml
    slurm_sweep --out slow && within 30 is_at_work || return 1
    kill -9 "$(holder)" && echo "killed" && within 90 is_empty || return 1
    "$IMPRINT" status slow/slow
    "$IMPRINT" status slow/slow | grep -q "job .* failed" &&
        "$IMPRINT" status slow/slow | grep "cancelled .*DependencyNeverSatisfied"
}
killed_job_is_submitted_again() {
    config=slow.yaml
    slurm_sweep --out slow --wait && "$IMPRINT" sweep slow.yaml -q --out slow-local &&
        same_results slow-local slow
}

# A state that cannot be written: a folder is in its place.
obstacle() { # path
    key=$(awk -F'\t' '$3 == 2 {print $4}' local/tiny/plan.tsv | head -n 1)
    echo "failing/states/$(ls local/states)/$key.h5"
}
failing_job() {
    mkdir -p "$(obstacle)"
    slurm_sweep --out failing --wait
    status=$?
    "$IMPRINT" status failing/tiny
    [ "$status" = 3 ] && "$IMPRINT" status failing/tiny >status.txt
    [ "$(grep -c ' done ' status.txt)" = 4 ] && grep -q ' failed .*cannot' status.txt &&
        grep -q ' cancelled ' status.txt
}
failing_job_is_submitted_again() {
    rmdir "$(obstacle)" || return 1
    slurm_sweep --out failing --wait && same_results local failing
}
diverging_run() { # is a result: its job ends well, and so do the jobs that wait for it
    slurm_sweep --out wild --wait removal=2,6 seed=1 \
        'train.lr.base=0.05,1000' train.optimizer.weight_decay=1 >wild.txt
    status=$?
    cat wild.txt
    [ "$status" = 3 ] && grep -q "3 of 6 runs done, 3 diverged" wild.txt &&
        ! in_queue | grep tiny-
}
cancelled_array() {
    slurm_sweep --out cancelled && first=$(awk -F'\t' '$3 ~ /[0-9]/ {print $3; exit}' cancelled/tiny/slurm/jobs.tsv)
    scancel "$first" && within 20 is_empty || return 1
    "$IMPRINT" status cancelled/tiny
    slurm_sweep --out cancelled --wait && same_results local cancelled
}

# ---- launchers that die or are refused -----------------------------------------------------------

mkdir bin
stand_in() { { echo '#!/bin/sh' && cat; } >bin/sbatch && chmod +x bin/sbatch; } # an sbatch from stdin
real=$(command -v sbatch)

refused_at_once() {
    before=$(tasks_ended)
    slurm_sweep --out refused slurm.partition=nowhere >out.txt 2>err.txt
    status=$?
    cat out.txt err.txt
    [ "$status" = 1 ] && [ "$(wc -l <err.txt)" = 1 ] && grep -q "nvalid partition" err.txt &&
        is_empty && [ "$(tasks_ended)" = "$before" ]
}
refused_midway() { # what was submitted before is cancelled, and nothing of it ever ran
    stand_in <<END
case " \$* " in *dependency=*) exec $real --partition=nowhere "\$@" ;; esac
exec $real "\$@"
END
    (PATH=$TMPDIR/bin:$PATH && slurm_sweep --out refused 2>err.txt)
    status=$?
    cat err.txt
    [ "$status" = 1 ] && grep -q "submission 2 of 3: sbatch refused: .*nvalid partition" err.txt &&
        within 10 is_empty && [ ! -d refused/states ] && slurm_sweep --out refused --wait &&
        same_results local refused
}
launcher_killed() { # right after sbatch, before it can write the number down
    stand_in <<END
case "\$1" in --version) exec $real --version ;; esac
$real "\$@" && kill -9 \$PPID
END
    (PATH=$TMPDIR/bin:$PATH && slurm_sweep --out orphan) 2>/dev/null
    in_queue
    [ "$(in_queue | grep -c JobHeldUser)" = 4 ]
}
launcher_that_follows() { # finds the held jobs, adds what is missing and releases them
    before=$(tasks_ended)
    says "tiny: 4 jobs submitted (arrays: 2, single jobs: 0," slurm_sweep --out orphan &&
        says "6 of 6 runs done" slurm_sweep --out orphan --wait &&
        [ "$(tasks_ended)" = $((before + 8)) ] && same_results local orphan
}
two_launchers() {
    before=$(tasks_ended)
    slurm_sweep --out two --wait >one.txt &
    other=$!
    slurm_sweep --out two --wait && wait $other && cat one.txt &&
        [ "$(tasks_ended)" = $((before + 8)) ] && same_results local two
}

# ---- time ----------------------------------------------------------------------------------------

# A run of 40 seconds or more under a limit of one minute, which Slurm announces 55 seconds early; it
# looks at the clock every half minute only.
limited="deficits[0].until=0 seed=1 sweep=~ experiment=limited data.train=16000
         train.epochs.after_removal=120 slurm.time=1 slurm.signal=55"
has_ended() { [ -z "$(squeue -h)" ]; }
limit_begins() { slurm_sweep --out limit $limited; }
limit_ends() {
    within 240 has_ended
    cat limit/limited/slurm/*.out
    grep -q "asks for a new start" limit/limited/slurm/*.out &&
        [ "$(grep -c 'epochs trained from epoch' limit/limited/slurm/*.out)" = 1 ] &&
        says "1 of 1 runs done" "$IMPRINT" status -q limit/limited
}
# A job of an epoch without end, told again and again that its time is up.
endless="deficits[0].until=0 seed=1 sweep=~ experiment=endless data.train=60000 data.test=20
         train.batch=10 net.channels=[64,64,64]"
endless_is() { [ "$(squeue -h -o '%T %j' | awk '/endless-/ {print $1}')" = "$1" ]; }
is_training() { # its claim is there, and it is past the first moments
    endless_is RUNNING && ls endless/claims/*/* && sleep 1
}
warned() { # how many times the job was told, by its own words
    cat endless/endless/slurm/*.out | grep -c "asks for a new start"
}
has_warned() { [ "$(warned)" = "$1" ]; }
gives_up() {
    slurm_sweep --out endless $endless || return 1
    id=$(squeue -h -o '%A %j' | awk '/ endless-/ {print $1}')
    for n in 1 2; do
        within 40 is_training && scancel --signal=USR1 --batch "$id" && within 20 has_warned $n &&
            within 20 endless_is PENDING || return 1
    done
    within 40 is_training && scancel --signal=USR1 --batch "$id" && within 20 is_empty
    cat endless/endless/slurm/*.out endless/endless/runs/*.error
    [ "$(warned)" = 2 ] && grep -q "raise slurm.time" endless/endless/runs/*.error
}
scancel_saves() { # SIGTERM alone: the last epoch is saved, and nobody asks for a new start
    config=slow.yaml
    slurm_sweep --out term seed=1 removal=2 && within 30 has_epoch && scancel -n "$(in_queue |
        awk '$5 ~ /^slow-/ {print $5; exit}')"
    within 20 is_empty && cat term/slow/slurm/*.out
    ! grep -q "new start" term/slow/slurm/*.out && grep -q "is saved" term/slow/slurm/*.out
}
has_epoch() { grep -q . term/parts/*/*.h5 && [ "$(ls term/slow/runs/*.h5 | wc -l)" -gt 0 ]; }

check "a sweep is submitted as three arrays, and the launcher returns" returns_at_once
check "a second launcher submits nothing twice" submits_nothing_twice
check "--wait returns when all is done" waits
check "no more jobs ran than the tree has segments" no_more_jobs_than_segments
check "logs, states and rows have the bits of the local launcher's" same_as_local
check "a finished sweep submits nothing" nothing_left_to_do
check "status says that all is done" status_when_done
check "siblings wait for one job, in a folder that a shell would take apart" awkward_folder
check "arrays are split at MaxArraySize" large_arrays_are_split
check "matched controls have the bits of the local launcher's" matched_controls
check "a job of a limited time is submitted" limit_begins
check "a run that diverges is a result, also for what waits for it" diverging_run
check "a job that fails takes down only what waits for it" failing_job
check "and is submitted again when the reason is gone" failing_job_is_submitted_again
check "a killed job takes down only what waits for it, and status says so" killed_job
check "and is submitted again, to the same bits" killed_job_is_submitted_again
check "a cancelled array is submitted again, to the same bits" cancelled_array
check "a partition that is not there is one sentence and leaves nothing behind" refused_at_once
check "a submission refused midway cancels those before it" refused_midway
check "a launcher killed after sbatch leaves its jobs held" launcher_killed
check "the next launcher finds them and completes the sweep without doubles" launcher_that_follows
check "two launchers at once submit every job once" two_launchers
check "a cancelled job saves and asks for no new start" scancel_saves
check "a job whose time ends before an epoch does gives up" gives_up
check "a job that was told its time is up goes on in a new one" limit_ends
finish
