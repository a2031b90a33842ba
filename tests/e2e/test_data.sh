#!/bin/sh
# Data sets of several modalities on the command line: told of, previewed, trained on, verified; keys of
# a set that another one is made of.
. "$(dirname "$0")/lib.sh"

vqa=$TMPDIR/vqa.yaml
views=$TMPDIR/views.yaml
cat >"$vqa" <<'YAML'
data: {set: vqa, train: 128, test: 64}
net: {arch: towers}
train: {batch: 32, epochs: {total: 2}, lr: {base: 0.02}}
fisher: {probes: 16}
YAML
cat >"$views" <<'YAML'
data: {set: views, of: optotypes, width: 12, contrast: 3, train: 64, test: 32, augment: {shift: 1}}
net: {arch: towers}
train: {batch: 32, epochs: {total: 2}, lr: {base: 0.02}}
fisher: {probes: 16}
YAML

trained() { # config word...: its log verifies
    rm -rf "$TMPDIR/out"
    "$IMPRINT" run "$@" --quiet --out "$TMPDIR/out" >"$TMPDIR/run.out" || return 1
    "$IMPRINT" verify "$(grep '\.h5$' "$TMPDIR/run.out")" --quiet
}
logged() { # text: in the config that the log of the last run holds
    "$IMPRINT" table "$(grep '\.h5$' "$TMPDIR/run.out")" config | grep -qF -- "$1"
}
previewed() { (cd "$TMPDIR" && "$IMPRINT" preview "$1" --output sheet.png && [ -s sheet.png ]); }

for set in vqa views hdf5; do
    check "data info $set tells of it" says "$set" "$IMPRINT" data info $set
    check "list datasets has $set" says "$set" "$IMPRINT" list datasets
done
check "vqa is made and checked" says "14 classes" "$IMPRINT" data verify vqa .
check "vqa is previewed" previewed "$vqa"
check "views are previewed" previewed "$views"
check "a run on vqa verifies" trained "$vqa" data.skew=0.5 data.test_prior=reversed
check "a run on views verifies" trained "$views"
check "its log names the set that it is made of" logged "of: optotypes"
check "its log has that set's keys" logged "contrast: 3.0"
check "another set drops the keys of the first" says "no such" sh -c \
    "'$IMPRINT' preview '$views' data.of=mnist data.path=nowhere 2>&1 | sed 's/No such/no such/'"

check "views of nothing are refused" refused 2 "data.of is missing" "$IMPRINT" run "$views" data.of=~
check "views of an unknown set are refused" refused 2 "did you mean 'mnist'?" \
    "$IMPRINT" run "$views" data.of=mnits
check "views of views are refused" refused 2 "cannot be one of its own kind" \
    "$IMPRINT" run "$views" data.of=views
check "views of questions are refused" refused 2 "not a set of single images" \
    "$IMPRINT" run "$views" data.of=vqa
check "a key of another set is refused" refused 2 "did you mean 'contrast'?" \
    "$IMPRINT" run "$views" data.contrst=2
check "too wide a view is refused" refused 2 "the images have 20" "$IMPRINT" run "$views" data.width=21
check "views are not verified as files" refused 2 "verify that one" "$IMPRINT" data verify views .
check "a skew above 1 is refused" refused 2 "data.skew" "$IMPRINT" run "$vqa" data.skew=1.1
check "an unknown prior is refused" refused 2 "fair, same, reversed" \
    "$IMPRINT" run "$vqa" data.test_prior=odd
check "a shift larger than the picture is refused" refused 2 "out of sight" \
    "$IMPRINT" run "$vqa" data.augment.shift=24
check "a shift smaller than the picture and larger than the question is none" \
    trained "$vqa" data.augment.shift=8
finish
