"""Programs that answer lines with lines of JSON, and programs that run to their end."""

import json
import os
import resource
import select
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 900  # seconds for one answer
# glibc gives freed memory back and takes it again, page by page, in every step of PyTorch's; with these
# it keeps it. Other C libraries ignore them.
KEEP = {"MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_MMAP_THRESHOLD_": "4294967296",
        "MALLOC_TOP_PAD_": "268435456"}


class Failed(Exception):
    """What a program answered instead of a number."""


class Program:
    def __init__(self, command, env=None):
        self.name = os.path.basename(command[-1] if command[0] != sys.executable else command[1])
        self.pipe = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                     env={**os.environ, **(env or {})})

    def ask(self, line):
        self.tell(line)
        return self.hear()

    def tell(self, line):
        try:
            self.pipe.stdin.write(line + "\n")
            self.pipe.stdin.flush()
        except BrokenPipeError:
            raise Failed("%s has ended" % self.name)

    def hear(self):
        if not select.select([self.pipe.stdout], [], [], PATIENCE)[0]:
            raise Failed("%s has not answered for %d s" % (self.name, PATIENCE))
        line = self.pipe.stdout.readline()
        if not line:
            raise Failed("%s has ended" % self.name)
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def close(self):
        """At once: it may be in the middle of something that nobody waits for."""
        self.pipe.kill()
        self.pipe.wait()
        self.pipe.stdin.close()
        self.pipe.stdout.close()


class Rival(Program):
    """PyTorch on so many threads; requests are {do: what, ...}."""

    def __init__(self, threads, keeps):
        super().__init__([sys.executable, os.path.join(HERE, "rival.py"), str(threads)], KEEP if keeps else {})

    def please(self, do, **what):
        return self.ask(json.dumps({"do": do, **what}))


def finish(command, text="", env=None):
    """Run it to its end: what it said, and its wall time, processor time and peak memory (of itself or
    one of its children), in seconds and bytes."""
    began = time.monotonic()
    p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True, env={**os.environ, **(env or {})})
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        out, err = p.communicate(text, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        p.kill()
        p.communicate()
        raise Failed("%s has not ended after %d s" % (command[0], PATIENCE))
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if p.returncode:
        raise Failed("%s: status %d, %s" % (os.path.basename(command[-1]), p.returncode, err.strip()[-300:]))
    return out, {"wall": wall,
                 "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def memory(command):
    """Peak memory of a command in bytes, the command alone: a child's child is another's."""
    pid = os.posix_spawnp(command[0], command, os.environ,
                          file_actions=[(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)])
    _, status, used = os.wait4(pid, 0)
    if status:
        raise Failed("%s has failed" % command[0])
    return used.ru_maxrss * 1024
