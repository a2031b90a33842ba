#!/bin/sh
# What a disk, a power cut, a user or another sweep can do to a results folder: a sweep says so in a
# sentence, trusts nothing that is damaged, loses nothing that is whole, and ends with the same bits.
. "$(dirname "$0")/lib.sh"

same=$(dirname "$IMPRINT")/tests/chaos/same
mounted=
trap '[ -z "$mounted" ] || umount "$mounted"' EXIT

# 4 clean epochs after removal at 0, 2 and 5: 9 + 4 + 4 per seed; every run alone: 9 + 6 + 4.
epochs=34
alone=38
config="$TMPDIR/crash.yaml"
cat >"$config" <<'EOT'
experiment: crash
data: {set: optotypes, train: 100, test: 20}
net: {arch: convfc, channels: [2, 2, 2], fc: 8}
train:
  batch: 20
  epochs: {after_removal: 4}
  optimizer: {type: sgd, momentum: 0.9}
deficits:
  - {type: blur, kernel: area, factor: 4, from: 0, until: 0}
fisher: {probes: 8}
sweep:
  axes:
    removal: {key: "deficits[0].until", values: [0, 2, 5]}
    seed: [1, 2]
EOT
sweep() { # folder, more arguments
    folder=$1
    shift
    "$IMPRINT" sweep "$config" -q -j 2 --out "$folder" "$@"
}
trained() { # file: how many epochs the sweep trained that said this
    sed -n 's/.*; \([0-9]*\) epochs trained.*/\1/p' "$1"
}
whole=$TMPDIR/whole
undisturbed() { says "6 of 6 runs done; $epochs epochs trained" sweep "$whole" && sweep "$whole"; }

# The folder ends like the undisturbed one; the same command once more, for plan.tsv.
ends_the_same() { sweep "$1" && sweep "$1" && "$same" "$whole" "$1"; }

is_gone() { # process, which may be a zombie
    ! [ -r "/proc/$1/stat" ] || grep -q ') [ZX]' "/proc/$1/stat"
}

# ---- damage ----

flip() { # file: one bit in its middle
    at=$(($(wc -c <"$1") / 2))
    byte=$(od -An -tu1 -j "$at" -N 1 "$1")
    # shellcheck disable=SC2059
    printf "\\$(printf %03o $((byte ^ 16)))" | dd of="$1" bs=1 seek="$at" conv=notrunc 2>/dev/null
}
halve() { head -c $(($(wc -c <"$1") / 2)) "$1" >"$TMPDIR/half" && cp "$TMPDIR/half" "$1"; }
empty() { : >"$1"; }
garble() { head -c 4000 "$IMPRINT" >"$1"; }

# Every file of a folder is damaged in the next of five ways; the fifth is the content of the file before.
damage() { # folder
    n=0
    last=
    for file in "$1"/*.h5; do
        cp "$file" "$TMPDIR/before.h5"
        case $((n % 5)) in
        0) flip "$file" ;;
        1) halve "$file" ;;
        2) empty "$file" ;;
        3) garble "$file" ;;
        4) cp "$last" "$file" ;;
        esac
        last=$TMPDIR/last.h5
        mv "$TMPDIR/before.h5" "$last"
        n=$((n + 1))
    done
    [ "$n" -ge 4 ]
}

copy() { # -> $copy, of the undisturbed sweep
    copy=$TMPDIR/copy
    rm -rf "$copy"
    cp -a "$whole" "$copy"
}

# Only a run without its log looks at states and rows.
damaged() { # states or rows
    copy
    rm "$copy"/crash/runs/*.h5
    damage "$copy/$1"/* && sweep "$copy" >"$TMPDIR/out" || return 1
    cat "$TMPDIR/out"
    n=$(trained "$TMPDIR/out") # the plan goes by names: a run may train again what another does too
    [ "$n" -ge "$epochs" ] && [ "$n" -le "$alone" ] && ends_the_same "$copy"
}
without_damage() { # else the test before would pass whatever the states are worth
    copy
    rm "$copy"/crash/runs/*.h5
    says "6 of 6 runs done; 0 epochs trained" sweep "$copy" && ends_the_same "$copy"
}
one_damaged_state() { # flip, halve, ...: the state written last, some run's end
    copy
    rm "$copy"/crash/runs/*.h5
    "$1" "$(ls -t "$copy"/states/*/*.h5 | head -n 1)"
    says "6 of 6 runs done; 4 epochs trained" sweep "$copy" && ends_the_same "$copy"
}
damaged_logs() {
    copy
    damage "$copy/crash/runs"
    says "6 of 6 runs done; 0 epochs trained" sweep "$copy" && ends_the_same "$copy"
}

# Killed while at least two runs have parts. (Looking starts no process, or it would come too late.)
damaged_parts() {
    folder=$TMPDIR/parts
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        rm -rf "$folder"
        setsid "$IMPRINT" sweep "$config" -q -j 4 --out "$folder" >/dev/null 2>&1 &
        pid=$!
        until parts 2 || ! kill -0 $pid; do :; done
        kill -s KILL -- "-$pid"
        wait $pid
        parts 2 && break
    done 2>/dev/null
    echo "attempt $attempt"
    damage "$folder"/parts/* && ends_the_same "$folder"
}
parts() { # how many runs have parts, at least
    want=$1
    set -- "$folder"/parts/*/*.rows.h5
    [ $# -ge "$want" ] && [ -e "$1" ]
}

# ---- disks ----

can_mount() {
    mkdir -p "$TMPDIR/disk" && mount -t tmpfs -o "size=$1" tmpfs "$TMPDIR/disk" 2>/dev/null && mounted=$TMPDIR/disk
}
unmount() {
    umount "$mounted" && mounted=
}
full_disk() {
    sweep "$TMPDIR/disk/results" >"$TMPDIR/out" 2>"$TMPDIR/err"
    status=$?
    cat "$TMPDIR/out" "$TMPDIR/err"
    failed=$(sed -n 's/.* \([0-9]*\) failed;.*/\1/p' "$TMPDIR/out")
    [ "$status" = 3 ] && [ "$failed" -gt 0 ] && [ "$(wc -l <"$TMPDIR/err")" = "$failed" ] &&
        [ "$(grep -c "disk/results/.*: No space left on device" "$TMPDIR/err")" = "$failed" ]
}
room_again() { # what was whole is gone on with
    mount -o remount,size=64m "$TMPDIR/disk" && sweep "$TMPDIR/disk/results" >"$TMPDIR/out" || return 1
    cat "$TMPDIR/out"
    [ "$(trained "$TMPDIR/out")" -lt "$epochs" ] && ends_the_same "$TMPDIR/disk/results"
}
read_only() {
    mount -o remount,ro "$TMPDIR/disk" &&
        refused 1 "Read-only file system" "$IMPRINT" sweep "$config" -q --out "$TMPDIR/disk/results" seed=3
}

# ---- processes ----

holders() { # process numbers of the claims under a folder
    for file in "$1"/claims/*/*; do
        read -r _ number _ 2>/dev/null <"$file" && echo "$number"
    done 2>/dev/null
}
begin() { # folder, file for stdout: starts a sweep whose workers are at it when this returns -> $pid
    rm -rf "$1"
    "$IMPRINT" sweep "$config" -q -j 2 --out "$1" >"$2" 2>&1 &
    pid=$!
    until [ -n "$(holders "$1")" ]; do
        kill -0 $pid || return 1
    done
}
parent_killed() {
    begin "$TMPDIR/orphans" /dev/null || return 1
    workers=$(holders "$TMPDIR/orphans")
    kill -9 $pid
    sweep "$TMPDIR/orphans" || return 1
    for worker in $workers; do
        is_gone "$worker" || { echo "process $worker outlived its sweep" && return 1; }
    done
    ends_the_same "$TMPDIR/orphans"
}

# A stopped process is not a dead one: what it claims is waited for, and trained once.
stopped_worker() {
    begin "$TMPDIR/stop" "$TMPDIR/first.out" || return 1
    # shellcheck disable=SC2046
    set -- $(holders "$TMPDIR/stop")
    kill -STOP "$1" || return 1
    sweep "$TMPDIR/stop" >"$TMPDIR/second.out" 2>"$TMPDIR/second.err" &
    second=$!
    until grep -q "is waited for" "$TMPDIR/second.err" || is_gone $second; do sleep 0.1; done
    sleep 1 # the other worker of the first sweep has ended by now; this one goes on waiting
    waits=$(is_gone $second || echo yes)
    kill -CONT "$1"
    wait $second && wait $pid && [ "$waits" = yes ] || return 1
    cat "$TMPDIR/first.out" "$TMPDIR/second.out" "$TMPDIR/second.err"
    [ $(($(trained "$TMPDIR/first.out") + $(trained "$TMPDIR/second.out"))) = "$epochs" ] &&
        ends_the_same "$TMPDIR/stop"
}

claim_all() { # folder, text: a claim of every run
    mkdir -p "$1/claims/$numerics"
    for log in "$whole"/crash/runs/*.h5; do
        printf '%s\n' "$2" >"$1/claims/$numerics/$(basename "$log" .h5)"
    done
}
# What two sweeps find claimed by the dead they take over at the same moment, each run once.
two_take_over() {
    folder=$TMPDIR/over
    claim_all "$folder" "0123456789abcdef 1 1 nowhere"
    touch -d '2 minutes ago' "$folder"/claims/*/*
    sweep "$folder" >"$TMPDIR/first.out" 2>&1 &
    first=$!
    sweep "$folder" >"$TMPDIR/second.out" 2>&1
    status=$?
    wait $first && [ $status = 0 ] || return 1
    cat "$TMPDIR/first.out" "$TMPDIR/second.out"
    [ $(($(trained "$TMPDIR/first.out") + $(trained "$TMPDIR/second.out"))) = "$epochs" ] &&
        ends_the_same "$folder"
}
# A claim that nobody can read, or of this host before a restart, holds for a minute without a touch.
waits_for() { # text
    folder=$TMPDIR/restart
    rm -rf "$folder"
    claim_all "$folder" "$1"
    touch -d '30 seconds ago' "$folder"/claims/*/*
    sweep "$folder" >"$TMPDIR/out" 2>"$TMPDIR/err" &
    pid=$!
    until grep -q "is waited for" "$TMPDIR/err"; do
        ! is_gone $pid || return 1
        sleep 0.1
    done
    [ -z "$(ls "$folder/states"/*)" ] && touch -d '61 seconds ago' "$folder"/claims/*/* &&
        wait $pid && ends_the_same "$folder"
}
reused_number() { # process 1 lives, but began at another time than the claim's holder
    folder=$TMPDIR/reused
    begin "$TMPDIR/place" /dev/null || return 1
    place=$(head -qn 1 "$TMPDIR"/place/claims/*/* 2>/dev/null | awk 'NR == 1 { print $1 }')
    kill $pid
    wait $pid
    claim_all "$folder" "$place 1 1 here"
    ends_the_same "$folder"
}

check "an undisturbed sweep" undisturbed
numerics=$(basename "$(ls -d "$whole"/states/*)")
check "whole states and rows are trusted" without_damage
check "damaged states are not trusted, however they are damaged" damaged states
check "damaged rows are not trusted, however they are damaged" damaged rows
check "a state with one flipped bit is trained again" one_damaged_state flip
check "half a state is trained again" one_damaged_state halve
check "damaged logs are written again" damaged_logs
check "damaged parts of runs in progress are not trusted" damaged_parts
if [ "$(id -u)" = 0 ] && can_mount 400k; then
    check "a full disk is named by every run that fails of it" full_disk
    check "with room again, the same command ends with the same bits" room_again
    check "a read-only folder is refused in one sentence" read_only
    unmount
else
    skip "a full disk, a read-only folder" "only root can make small disks"
fi
check "when a sweep is killed its workers end, and the next one starts at once" parent_killed
check "what a stopped worker claims is waited for" stopped_worker
check "two sweeps take over the claims of a dead one at the same moment" two_take_over
check "a claim from before a restart holds for a minute" waits_for "0123456789abcdef 1 1 nowhere"
check "a claim that says nothing holds for a minute" waits_for ""
check "the number of a dead process may be another's now" reused_number
finish
