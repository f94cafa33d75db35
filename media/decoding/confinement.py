"""The rights that a decoding process gives up before it reads a file, so that a file which takes it over gains nothing.

The server gives up what no process needs; each process then gives up the rest, for its one job.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from domain.printable import error_words
from media.decoding.seccomp import forbid_other_calls

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000

_OPEN_FILES = 64
_TASKS = 4096
"""Processes and threads of this user. A taken-over HEIC decoder, which needs a thread, is stopped from making more."""
_TASKS_OF_THEIR_OWN = 64
"""The same if the decoders are counted apart from the worker, in a user namespace."""
_LESS_URGENT = 10
"""Jobs that take long yield to the worker and to short jobs, for which posts wait."""
_LINUX = sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class JobLimits:
    """The limits of one job: bytes of address space, bytes of the file it writes, seconds of CPU time."""

    memory: int
    file_size: int
    cpu_seconds: int
    threads: bool = False
    urgent: bool = True


def forbid_inspection() -> None:
    """Keep other processes of this user from reading this one's memory and environment, or tracing it.

    Privileged users still can. No core dump is written, either. Only Linux knows this.
    """
    _prctl(_PR_SET_DUMPABLE, 0)


def confine_server() -> None:
    """Drop the rights that no decoding process needs; called once, in a process with one thread and no secrets."""
    with contextlib.suppress(OSError):
        # If memory runs out, the system ends decoders and not the worker.
        Path("/proc/self/oom_score_adj").write_text("1000")
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _limit(resource.RLIMIT_NPROC, _TASKS_OF_THEIR_OWN if _enter_namespaces() else _TASKS)
    forbid_inspection()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def end_with_parent(parent: int) -> None:
    """End this process when its parent ends; immediately if that has ended already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def confine_job(limits: JobLimits) -> str | None:
    """Allow this process nothing but its job from now on; return why the kernel does not filter its calls, if so."""
    if not limits.urgent:
        os.nice(_LESS_URGENT)
    _limit(resource.RLIMIT_AS, limits.memory)
    _limit(resource.RLIMIT_FSIZE, limits.file_size)
    # The hard limit is a second later: the soft limit's signal shows the cause, but a taken-over process may ignore it.
    _limit(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1)
    try:
        forbid_other_calls(threads=limits.threads)
    except OSError as error:
        return error_words(error)
    return None


def _enter_namespaces() -> bool:
    """Enter namespaces without network and shared memory, if allowed; return whether users are counted apart."""
    if not _LINUX:
        return False
    libc = ctypes.CDLL(None)
    apart: bool = libc.unshare(_CLONE_NEWUSER) == 0
    for namespace in (_CLONE_NEWNET, _CLONE_NEWIPC):
        libc.unshare(namespace)
    return apart


def _limit(what: int, soft: int, hard: int | None = None) -> None:
    """Lower a limit; one that is lower already stays."""
    _, most = resource.getrlimit(what)
    within = (soft, soft if hard is None else hard)
    resource.setrlimit(what, within if most == resource.RLIM_INFINITY else (min(soft, most), min(within[1], most)))


def _prctl(option: int, value: int) -> None:
    if _LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
