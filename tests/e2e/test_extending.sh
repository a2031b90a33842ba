# The listings of docs/extending.md, compiled as they stand there, are parts like any other.
. tests/e2e/lib.sh
extended=$EXTENDED
config=$TMPDIR/extended.yaml
cat >"$config" <<'YAML'
data: {set: optotypes, train: 200, test: 100}
net: {arch: convfc}
train: {batch: 50, epochs: {after_removal: 2}, lr: {base: 0.01}}
deficits: [{type: contrast, keep: 0.1, from: 0, until: 2}]
stabilizers: [{type: gradient_noise, sigma: 0.02, from: 0, until: removal}]
measures: [confidence]
fisher: {probes: 0}
YAML

trains() {
    (cd "$TMPDIR" && "$extended" run "$config" --quiet) || return 1
    log=$(ls "$TMPDIR"/results/extended/runs/*.h5)
    "$extended" table "$log" test_confidence | awk '/^[0-9]/ && ($2 < 0.125 || $2 > 1) { bad = 1 } END { exit bad || NR < 5 }'
}

# Each setting of the three parts makes another run.
differs() { # override: with it the run has another id than without
    "$extended" run "$config" "$1" --quiet --out "$TMPDIR/other" || return 1
    id=$(basename "$(ls "$TMPDIR"/results/extended/runs/*.h5)")
    [ ! -e "$TMPDIR/other/extended/runs/$id" ]
}

same() { # override: without effect, so that it is the run without the part
    "$extended" run "$config" "$1" --quiet --out "$TMPDIR/one" || return 1
    "$extended" run "$config" "$2" --quiet --out "$TMPDIR/two" || return 1
    [ "$(ls "$TMPDIR/one/extended/runs")" = "$(ls "$TMPDIR/two/extended/runs")" ]
}

for part in contrast confidence gradient_noise; do
    check "imprint describes $part" says "$part" "$extended" describe "$part"
done
check "a run trains with all three" trains
check "another contrast is another run" differs 'deficits[0].keep=0.2'
check "another noise is another run" differs 'stabilizers[0].sigma=0.03'
check "no noise is the run without the stabilizer" same 'stabilizers[0].sigma=0' 'stabilizers=[]'
check "a value out of range is refused" refused 2 "keep" "$extended" run "$config" 'deficits[0].keep=2'
finish
