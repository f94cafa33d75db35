"""A launcher that becomes another program, which ends with its parent and, on request, does not run as root.

Run by its path, with the standard library only: `python -I -S launch.py JSON PROGRAM ARGUMENT…`. A `preexec_fn` could
do the same, but it is not safe in a process with threads.
"""

import ctypes
import json
import os
import signal
import sys
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_SECUREBITS = 28
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2
"""Numbers from linux/prctl.h, linux/securebits.h and linux/capability.h."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _drop_root(libc: Any, uid: int, gid: int) -> None:
    """Become `uid`, and keep only one of root's capabilities: to read root's folders.

    PostgreSQL refuses to run as root, but a fresh clone may be under /root. If the system (a container) lets us keep no
    capability, the program starts as a plain user, which is enough if all users may read the folders.
    """
    # Without this bit access(2) ignores capabilities, and PostgreSQL checks its own program file with it.
    if sys.platform == "linux":
        libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if sys.platform != "linux":
        return
    # Containers often have only the more general one.
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        sets = (_Sets * 2)()
        sets[0].effective = sets[0].permitted = sets[0].inheritable = 1 << capability
        try:
            _checked(libc.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), sets))
            _checked(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0))
        except OSError:
            continue
        return


def main() -> None:
    """Apply the options in the first argument, then become the program in the rest."""
    options: dict[str, int] = json.loads(sys.argv[1])
    command = sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if "uid" in options:
        _drop_root(libc, options["uid"], options["gid"])
    os.nice(options["nice"])
    if sys.platform == "linux":
        # This comes after the change of user, which would clear it.
        libc.prctl(_PR_SET_PDEATHSIG, options["death_signal"], 0, 0, 0)
    if os.getppid() != options["parent"]:
        sys.exit("the parent has gone")
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    try:
        os.execv(command[0], command)  # noqa: S606 no shell is wanted
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error.strerror}")


if __name__ == "__main__":
    main()
