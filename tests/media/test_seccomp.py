"""The filter's program, run by our own interpreter, because no machine here has the other architecture."""

import errno
import os
import platform
import re
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from media.decoding import seccomp
from media.decoding.seccomp import _MACHINES, _program

ALLOW, KILL, REFUSE, UNKNOWN = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
OTHERS = {"x86_64": _MACHINES["aarch64"].audit, "aarch64": _MACHINES["x86_64"].audit}
ARM_32, I386 = 0x40000028, 0x40000003
HEADERS = Path("/usr/include/asm-generic/unistd.h")


def verdict(program: Sequence[bytes], audit: int, number: int, *arguments: int) -> int:
    """Return what the kernel would do with a call (linux/filter.h defines the instructions)."""
    call = struct.pack("=IIQ6Q", number, audit, 0, *(*arguments, *[0] * 6)[:6])
    loaded, at = 0, 0
    while True:
        code, if_true, if_false, value = struct.unpack("=HBBI", program[at])
        at += 1
        match code:
            case 0x20:
                (loaded,) = struct.unpack_from("=I", call, value)
            case 0x15:
                at += if_true if loaded == value else if_false
            case 0x35:
                at += if_true if loaded >= value else if_false
            case 0x45:
                at += if_true if loaded & value else if_false
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(code)


@pytest.mark.parametrize("name", _MACHINES)
@pytest.mark.parametrize("threads", [False, True])
class TestProgram:
    def test_the_calls_of_another_architecture_end_the_process(self, name: str, threads: bool) -> None:
        program = _program(_MACHINES[name], threads=threads)
        for audit in (OTHERS[name], ARM_32, I386, 0):
            for number in range(500):
                assert verdict(program, audit, number) == KILL

    def test_only_listed_calls_are_allowed(self, name: str, threads: bool) -> None:
        machine = _MACHINES[name]
        program = _program(machine, threads=threads)
        names = {number: call for call, number in machine.calls.items()}
        allowed = {number for number in range(1000) if verdict(program, machine.audit, number) == ALLOW}
        assert {names[number] for number in allowed} == {*seccomp._PLAIN, "mmap", "mprotect"}
        for number in (0x40000000, 0x40000001, 0xFFFFFFFF):
            assert verdict(program, machine.audit, number) == REFUSE

    def test_arguments_are_held_to_what_decoding_needs(self, name: str, threads: bool) -> None:
        machine = _MACHINES[name]
        program, calls = _program(machine, threads=threads), machine.calls
        for call in ("mmap", "mprotect"):
            assert verdict(program, machine.audit, calls[call], 0, 4096, 0x3) == ALLOW
            assert verdict(program, machine.audit, calls[call], 0, 4096, 0x4) == REFUSE
            assert verdict(program, machine.audit, calls[call], 0, 4096, 0x7) == REFUSE
        assert verdict(program, machine.audit, calls["tgkill"], os.getpid(), 1, 6) == ALLOW
        assert verdict(program, machine.audit, calls["tgkill"], os.getppid(), 1, 6) == REFUSE
        assert verdict(program, machine.audit, calls["clone3"]) == UNKNOWN
        thread, process, namespace = 0x10000 | 0xF00, 17, 0x10000 | 0x10000000
        assert verdict(program, machine.audit, calls["clone"], thread) == (ALLOW if threads else REFUSE)
        assert verdict(program, machine.audit, calls["clone"], process) == REFUSE
        assert verdict(program, machine.audit, calls["clone"], namespace) == REFUSE


@pytest.mark.skipif(not HEADERS.exists(), reason="the kernel's headers are not installed")
def test_the_numbers_of_aarch64_are_those_of_the_kernels_generic_table() -> None:
    defined = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS.read_text(), re.MULTILINE)
    numbers = {name: int(number) for name, number in reversed(defined)}
    calls = _MACHINES["aarch64"].calls
    assert {name: numbers[name] for name in calls} == calls


@pytest.mark.parametrize(
    ("system", "machine", "largest"),
    [
        ("linux", "riscv64", 2**63 - 1),
        ("linux", "aarch64_be", 2**63 - 1),
        ("linux", "x86_64", 2**31 - 1),
        ("linux", "aarch64", 2**31 - 1),
        ("darwin", "arm64", 2**63 - 1),
    ],
)
def test_there_is_no_filter_for_other_machines(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, largest: int
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(sys, "maxsize", largest)
    # A mistake must not install a filter in the tests' own process.
    monkeypatch.setattr(seccomp, "_program", lambda *_, **__: pytest.fail("a filter was made"))
    with pytest.raises(OSError, match="there is no filter") as refused:
        seccomp.forbid_other_calls(threads=False)
    assert refused.value.errno == errno.ENOSYS
