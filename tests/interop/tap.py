"""TAP output for the Python suites: `check(sentence, problem)`, then `finish()`.

`problem` is "" for a test that passed, else what is wrong, in a line or more."""

import sys

_count = 0
_failed = 0


def check(sentence, problem=""):
    global _count, _failed
    _count += 1
    print(("not ok" if problem else "ok"), _count, "-", sentence)
    for line in str(problem).splitlines():
        print("#", line)
    _failed += bool(problem)
    sys.stdout.flush()


def finish():
    print("1..%d" % _count)
    sys.exit(1 if _failed else 0)


def attempt(sentence, function, *arguments):
    """A test that is a function: passes when it returns, fails with what it raised."""
    try:
        function(*arguments)
    except Exception as error:  # the sentence of any failure goes into the report
        check(sentence, "%s: %s" % (type(error).__name__, error))
    else:
        check(sentence)
