#!/bin/sh
# The written manual says what the program does: every command and option is in the man page, and the
# README's example is a config.
. "$(dirname "$0")/lib.sh"

page=$TMPDIR/imprint.txt
sed 's/\\-/-/g' docs/imprint.1 >"$page"

options_are_documented() { # command
    "$IMPRINT" "$1" --help | grep -o -- '--[a-z-]*' | sort -u | while read -r option; do
        grep -q -- "$option" "$page" || echo "$1 $option is not in the man page"
    done >"$TMPDIR/missing"
    cat "$TMPDIR/missing"
    [ ! -s "$TMPDIR/missing" ]
}
silent() { [ -z "$("$@" 2>&1 >/dev/null)" ]; } # on stderr

commands=$("$IMPRINT" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
check "the program names its commands" test "$(echo "$commands" | wc -l)" -ge 8
for command in $commands; do
    check "the man page has '$command'" grep -q "^\.B $command\$" "$page"
    check "the man page has the options of '$command'" options_are_documented "$command"
done

example_is_valid() { # on the embedded data set, since the example's own needs files
    sed -n '/^```yaml/,/^```$/p' README.md | grep -v '```' >"$TMPDIR/my.yaml"
    "$IMPRINT" sweep "$TMPDIR/my.yaml" data.set=optotypes data.path=~ deficits[0].kernel=area \
        --dry-run --out "$TMPDIR/results"
}
check "the README's example is a valid sweep" example_is_valid
if command -v man >/dev/null; then
    check "the man page is well-formed" silent man -l --warnings docs/imprint.1
else
    skip "the man page is well-formed" "there is no man here"
fi
finish
