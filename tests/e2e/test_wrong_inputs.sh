#!/bin/sh
# Wrong inputs, as a newcomer makes them: one sentence on stderr, the right exit status, nothing on
# stdout and no file created.
. "$(dirname "$0")/lib.sh"

tiny="$TMPDIR/tiny.yaml"
cat >"$tiny" <<'EOF'
experiment: tiny
data: {set: optotypes, train: 40, test: 20}
net: {arch: convfc, channels: [2, 2, 2], fc: 4}
train: {batch: 20, epochs: {after_removal: 1}}
deficits:
  - {type: blur, kernel: area, factor: 4, from: 0, until: 1}
fisher: {probes: 8}
EOF
variant() { # name, sed expression: a wrong copy of the tiny config
    sed "$2" "$tiny" >"$TMPDIR/$1.yaml"
    echo "$TMPDIR/$1.yaml"
}
run() { # status, words, arguments of imprint
    want=$1 words=$2
    shift 2
    refused "$want" "$words" "$IMPRINT" "$@"
}

# the command line
check "an unknown command" run 2 "no command" trian
check "an unknown option" run 2 "no option of 'imprint run'" run "$tiny" --fast
check "an option without its value" run 2 "needs a value" run "$tiny" --out
check "a number that is none" run 2 "not a number from 1 to 4096" sweep "$tiny" -j many
check "no config at all" run 2 "usage: imprint run CONFIG" run
check "too many words" run 2 "usage: imprint table" table a b c
check "a list of nothing known" run 2 "is none of deficits, stabilizers, nets" list defects
check "an unknown key to describe" run 2 "did you mean" describe train.lr.bass
check "an unknown data set" run 2 "no data set" data info cifar11
# the config
check "a config that is not there" run 2 "No such file" run "$TMPDIR/absent.yaml"
check "a folder as a config" run 2 "is a directory" run "$TMPDIR"
check "an unknown key with its place and a suggestion" run 2 "wrong-key.yaml:6:18: deficits[0].kernle: unknown key (did you mean 'kernel'?)" \
    run "$(variant wrong-key 's/kernel: area/kernle: area/')"
check "a wrong type" run 2 "wrong-type.yaml:4" run "$(variant wrong-type 's/batch: 20/batch: twenty/')"
check "a value out of range" run 2 "data.cue_validity" run "$(variant range 's/set: optotypes/set: optotypes, cue_validity: 1.5/')"
check "an unknown deficit" run 2 "did you mean 'blur'" run "$(variant deficit 's/type: blur/type: blurr/')"
check "a key given twice" run 2 "twice" run "$(variant twice 's/^fisher/experiment: again\nfisher/')"
check "a reversed window" run 2 "before it begins" run "$tiny" 'deficits[0].from=3'
check "broken YAML" run 2 "broken.yaml:4:1: is not valid YAML" run "$(variant broken 's/^net: {/net: {{/')"
check "both budgets at once" run 2 "train.epochs" run "$(variant both 's/after_removal: 1/after_removal: 1, total: 3/')"
check "an override of an unknown key" run 2 "override 'train.lr.bsae=1'" run "$tiny" train.lr.bsae=1
check "an override without a value" run 2 "nonsense" run "$tiny" nonsense
check "an unknown profile" run 2 "profile" run "$tiny" --profile laptop
check "a sweep given to run" run 2 "is a sweep of 3 runs" run "$tiny" seed=1,2,3
check "an axis with the same value twice" run 2 "twice" sweep "$tiny" seed=1,1
check "a name that is no folder name" run 2 "experiment" run "$tiny" experiment=../up
# config and data together
check "a net that no memory holds" run 2 "mlp" run "$tiny" 'net={arch: mlp, hidden: [1000000, 1000000]}'
check "a data file that is not there" run 2 "x.h5: missing" run "$tiny" 'data={set: hdf5, path: x.h5}'
check "a flip that changes labels" run 2 "may have another label" run "$tiny" data.augment.flip=true
check "Nesterov without momentum" run 2 "train.optimizer" run "$tiny" 'train.optimizer={type: sgd, nesterov: true}'
check "a shift that moves images out of sight" run 2 "out of sight" run "$tiny" data.augment.shift=20
check "a deficit of a sense that is not there" run 2 "no modality 'sound'" run "$tiny" 'deficits[0].modality=sound'
senses='data={set: vqa, train: 40, test: 20}'
check "a deficit of the wrong kind of sense" run 2 "deficits[0].modality: blur takes images, 'text' holds tokens" \
    run "$tiny" "$senses" 'deficits[0].modality=text'
check "a deficit of one of several senses" run 2 "the data have several modalities (image, text): name one" \
    run "$tiny" "$senses" 'deficits=[{type: modality_off, until: 1}]'
check "a mean of tokens" run 2 "'text' holds tokens, which have no mean" \
    run "$tiny" "$senses" 'deficits=[{type: modality_off, modality: text, mode: mean, until: 1}]'
check "a deficit of a text where there is none" run 2 "text_dominance takes tokens, and data set 'optotypes' has none" \
    run "$tiny" 'deficits=[{type: text_dominance, until: 1}]'
check "a measure of senses that are not there" run 2 "measures: rsv: it compares modalities" run "$tiny" 'measures=[rsv]'
check "the same before a sweep" run 2 "measures: modality_accuracy: it compares" sweep "$tiny" 'measures=[modality_accuracy]'
check "Fisher probes of a deficit that is not listed" run 2 "no deficit of type 'noise' is listed" run "$tiny" fisher.deficit_probes=noise
check "a data folder that is not there" run 2 "absent" run "$tiny" "data={set: mnist, path: $TMPDIR/absent}"
check "a data set without its path" run 2 "data.path" run "$tiny" 'data={set: cifar10}'
# results
check "a report of nothing" run 2 "absent" report "$TMPDIR/absent"
check "a table of no log" run 1 "absent.h5" table "$TMPDIR/absent.h5"
echo "this is no log" >"$TMPDIR/text.h5"
check "a table of a text file" run 1 "not an HDF5 file" table "$TMPDIR/text.h5"
check "a collection of nothing" run 2 "absent" collect "$TMPDIR/absent"
check "a collection of a file" run 2 "give the folder of a sweep" collect "$TMPDIR/text.h5"
mkdir -p "$TMPDIR/texts/runs" && cp "$TMPDIR/text.h5" "$TMPDIR/texts/runs"
check "a collection of a text file" run 1 "no log that can be read" collect "$TMPDIR/texts"
echo file >"$TMPDIR/file"
check "results into a file" run 1 "Not a directory" run "$tiny" --out "$TMPDIR/file"

finish
