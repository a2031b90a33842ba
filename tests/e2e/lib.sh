# What the end-to-end scripts share: TAP output and a few checks. A script sources it, calls
# its tests through `check`, and ends with `finish`:
#
#   . tests/e2e/lib.sh
#   check "an unknown command is refused in one sentence" refused 2 "unknown command" "$IMPRINT" foo
#   finish
#
# Every check is one test: a command that must exit with 0. $TMPDIR is the script's own folder,
# removed afterwards. $IMPRINT is the program. Sourced by sh; no bashisms.
set -u
tests=0
bad=0
: "${TMPDIR:=/tmp}"

check() { # sentence command...
    sentence=$1
    shift
    tests=$((tests + 1))
    if output=$( ("$@") 2>&1); then
        echo "ok $tests - $sentence"
    else
        bad=$((bad + 1))
        echo "not ok $tests - $sentence"
        printf '%s\n' "$output" | sed 's/^/# /' | head -n 30
    fi
}

skip() { # sentence, why
    tests=$((tests + 1))
    echo "ok $tests # SKIP $1: $2"
}

finish() {
    echo "1..$tests"
    [ "$bad" = 0 ]
    exit
}

# The command exits with this status, says exactly one line on stderr, which holds the text, and
# leaves no file behind in the folder it ran in.
refused() { # status text command...
    want=$1 text=$2
    shift 2
    here=$(mktemp -d "$TMPDIR/refused.XXXXXX")
    (cd "$here" && "$@") >"$TMPDIR/refused.out" 2>"$TMPDIR/refused.err" </dev/null
    status=$?
    left=$(ls -A "$here")
    rm -rf "$here"
    echo "exit status $status; stderr:"
    cat "$TMPDIR/refused.err"
    [ "$status" = "$want" ] || { echo "expected exit status $want" && return 1; }
    [ "$(wc -l <"$TMPDIR/refused.err")" = 1 ] || { echo "expected one line on stderr" && return 1; }
    grep -qF -- "$text" "$TMPDIR/refused.err" || { echo "expected the words: $text" && return 1; }
    [ ! -s "$TMPDIR/refused.out" ] || { echo "expected nothing on stdout" && return 1; }
    [ -z "$left" ] || { echo "files were created: $left" && return 1; }
}

# The command exits with 0 and its stdout holds the text.
says() { # text command...
    text=$1
    shift
    "$@" >"$TMPDIR/says.out" </dev/null || { echo "exit status $?" && return 1; }
    cat "$TMPDIR/says.out"
    grep -qF -- "$text" "$TMPDIR/says.out" || { echo "expected the words: $text" && return 1; }
}

fails() { ! "$@"; } # the command exits with anything but 0

# Two files are equal, byte for byte.
same() { cmp "$1" "$2"; }
