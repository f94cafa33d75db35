"""A seccomp filter: the few calls of the kernel that decoding a file needs; every other one fails with EPERM.

There is no maintained binding of libseccomp that brings the library along, so this is the kernel's own interface: a
program for its packet filter (BPF), which it runs for every system call. See seccomp(2), `linux/seccomp.h` and
`linux/filter.h` for the numbers here, and the kernel's system call tables for those of the calls.
"""

import ctypes
import os
import platform
import struct
import sys
from dataclasses import dataclass
from errno import ENOSYS, EPERM

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_KILL_PROCESS, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000

# Instructions: load a word of the call, compare it, test its bits, end with a verdict.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06

# The offsets of the words in `struct seccomp_data`. The lower half of an argument is enough here.
_NUMBER, _ARCHITECTURE = 0, 4
_ARGUMENTS = tuple(range(16, 64, 8))

_PROT_EXEC = 0x4
_CLONE_THREAD = 0x10000
_CLONE_NEW_NAMESPACE = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET."""
_X32 = 0x40000000
"""Numbers from here on are calls of another interface of x86-64, which nothing here uses."""


@dataclass(frozen=True, slots=True)
class _Machine:
    """A processor architecture: how the kernel names it, and its number of each call."""

    audit: int
    calls: dict[str, int]


_PLAIN = (
    # Files that are open already. Nothing can be opened, so nothing else can be read or written.
    "read", "write", "pread64", "pwrite64", "lseek", "fstat", "ftruncate", "close",
    # Memory; calls that make it executable are refused below.
    "munmap", "mremap", "madvise", "brk",
    # Threads that exist, signals to oneself, time, chance, the end.
    "futex", "set_robust_list", "rseq", "membarrier", "sched_yield", "sched_getaffinity", "rt_sigprocmask",
    "rt_sigreturn", "sigaltstack", "restart_syscall", "getpid", "gettid", "sysinfo", "clock_gettime", "gettimeofday",
    "clock_nanosleep", "nanosleep", "getrandom", "exit", "exit_group",
)  # fmt: skip

_MACHINES = {
    "x86_64": _Machine(
        0xC000003E,
        {
            "read": 0, "write": 1, "close": 3, "fstat": 5, "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11,
            "brk": 12, "rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17, "pwrite64": 18, "sched_yield": 24,
            "mremap": 25, "madvise": 28, "nanosleep": 35, "getpid": 39, "clone": 56, "exit": 60, "ftruncate": 77,
            "gettimeofday": 96, "sysinfo": 99, "sigaltstack": 131, "gettid": 186, "futex": 202,
            "sched_getaffinity": 204, "restart_syscall": 219, "clock_gettime": 228, "clock_nanosleep": 230,
            "exit_group": 231, "tgkill": 234, "set_robust_list": 273, "getrandom": 318, "membarrier": 324,
            "rseq": 334, "clone3": 435,
        },
    ),
    "aarch64": _Machine(
        0xC00000B7,
        {
            "ftruncate": 46, "close": 57, "lseek": 62, "read": 63, "write": 64, "pread64": 67, "pwrite64": 68,
            "fstat": 80, "exit": 93, "exit_group": 94, "futex": 98, "set_robust_list": 99, "nanosleep": 101,
            "clock_gettime": 113, "clock_nanosleep": 115, "sched_getaffinity": 123, "sched_yield": 124,
            "restart_syscall": 128, "tgkill": 131, "sigaltstack": 132, "rt_sigprocmask": 135, "rt_sigreturn": 139,
            "gettimeofday": 169, "getpid": 172, "gettid": 178, "sysinfo": 179, "brk": 214, "munmap": 215,
            "mremap": 216, "clone": 220, "mmap": 222, "mprotect": 226, "madvise": 233, "getrandom": 278,
            "membarrier": 283, "rseq": 293, "clone3": 435,
        },
    ),
}  # fmt: skip


def forbid_other_calls(*, threads: bool) -> None:
    """Allow this process and its threads nothing but decoding from now on, new threads only if asked for.

    PR_SET_NO_NEW_PRIVS must be set. Raises OSError if the kernel refuses or the machine is none that is known here.
    """
    machine = _MACHINES.get(platform.machine())
    # A 32-bit program on this machine uses other call numbers; the filter would end it.
    if sys.platform != "linux" or machine is None or sys.maxsize < 2**32:
        kind = f"{platform.machine()}, {sys.maxsize.bit_length() + 1} bits"
        raise OSError(ENOSYS, f"there is no filter for {sys.platform} on {kind}")
    program = b"".join(_program(machine, threads=threads))
    code = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    libc = ctypes.CDLL(None, use_errno=True)
    described = Program(len(program) // 8, ctypes.addressof(code))
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(described), 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _program(machine: _Machine, *, threads: bool) -> list[bytes]:
    calls = machine.calls
    lines = [
        _step(_LOAD, _ARCHITECTURE),
        *_unless(_EQUAL, machine.audit, _KILL_PROCESS),
        _step(_LOAD, _NUMBER),
        *_if(_AT_LEAST, _X32, _ERRNO | EPERM),
    ]
    for name in _PLAIN:
        lines += _if(_EQUAL, calls[name], _ALLOW)
    not_to_run = [_step(_LOAD, _ARGUMENTS[2]), *_if(_ANY_BIT, _PROT_EXEC, _ERRNO | EPERM), _ALLOWED]
    for name in ("mmap", "mprotect"):
        lines += _on(calls[name], not_to_run)
    # Aborting is a signal to oneself.
    lines += _on(
        calls["tgkill"], [_step(_LOAD, _ARGUMENTS[0]), *_unless(_EQUAL, os.getpid(), _ERRNO | EPERM), _ALLOWED]
    )
    # The flags of clone3 lie in memory, where no filter sees them. The C library then takes clone.
    lines += _if(_EQUAL, calls["clone3"], _ERRNO | ENOSYS)
    if threads:
        new_thread = [
            _step(_LOAD, _ARGUMENTS[0]),
            *_unless(_ANY_BIT, _CLONE_THREAD, _ERRNO | EPERM),
            *_if(_ANY_BIT, _CLONE_NEW_NAMESPACE, _ERRNO | EPERM),
            _ALLOWED,
        ]
        lines += _on(calls["clone"], new_thread)
    return [*lines, _step(_RETURN, _ERRNO | EPERM)]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """Return one instruction; the last two say how many to skip."""
    return struct.pack("=HBBI", code, if_true, if_false, value)


_ALLOWED = _step(_RETURN, _ALLOW)


def _if(test: int, value: int, verdict: int) -> list[bytes]:
    return [_step(test, value, 0, 1), _step(_RETURN, verdict)]


def _unless(test: int, value: int, verdict: int) -> list[bytes]:
    return [_step(test, value, 1, 0), _step(_RETURN, verdict)]


def _on(number: int, lines: list[bytes]) -> list[bytes]:
    """Return lines for one call; they end with a verdict, because the call's number is no longer loaded."""
    return [_step(_EQUAL, number, 0, len(lines)), *lines]
