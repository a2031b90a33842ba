# `make install` puts the program and what its users read where PREFIX and DESTDIR say.
. tests/e2e/lib.sh

root=$TMPDIR/root
# `-o all`: the program of this build folder as it is, nothing rebuilt.
check "make install works" env -u MAKEFLAGS -u MAKELEVEL \
    make -s -o all install BUILD="$BUILD" DESTDIR="$root" PREFIX=/opt/imprint
check "the program is there and starts" says "usage" "$root/opt/imprint/bin/imprint" --help
check "the man page is there" test -s "$root/opt/imprint/share/man/man1/imprint.1"
check "the demo's config is there" test -s "$root/opt/imprint/share/imprint/configs/demo.yaml"
check "the manual is there" test -s "$root/opt/imprint/share/doc/imprint/log-format.md"
check "nothing is outside the prefix" test "$(ls -A "$root" "$root/opt")" = "$root:
opt

$root/opt:
imprint"
finish
