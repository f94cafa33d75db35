"""The tuning of a process: its garbage collection and its limit of open files."""

import subprocess
import sys

CACHED = 1_000
ENDED = 30_000
PROGRAM = f"""
import gc, weakref
from collections import deque
from runtime.process import tune_gc

class Workflow:
    def __init__(self):
        self.parts = [[self] for _ in range(80)]

tune_gc()
cache, alive = deque(maxlen={CACHED}), weakref.WeakSet()
most = 0
for number in range({ENDED}):
    alive.add(workflow := Workflow())
    cache.append(workflow)
    if number % 100 == 0:
        most = max(most, len(alive))
print(most, sum(each["collections"] for each in gc.get_stats()))
"""
"""A cache of workflows, each of which is a cycle of objects, as in a worker. It prints how many objects were kept."""


def test_evicted_workflows_are_released() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    most, collections = map(int, ran.stdout.split())
    assert most < CACHED + 8_000
    # Python's default settings would collect garbage some 3,500 times.
    assert collections < 500


def test_the_limit_of_open_files_is_raised() -> None:
    program = (
        "import resource as r; from runtime.process import allow_open_files\n"
        "hard = r.getrlimit(r.RLIMIT_NOFILE)[1]; r.setrlimit(r.RLIMIT_NOFILE, (100, hard)); allow_open_files(65_536)\n"
        "soft = r.getrlimit(r.RLIMIT_NOFILE)[0]; print(soft > 100 and soft == min(hard, 65_536))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
