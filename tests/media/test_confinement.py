"""Code that a file has injected into its decoder cannot do anything outside it: the kernel refuses its calls."""

import errno
import os
import platform
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from media import decoders as module
from media.decoders import Decoders, ProcessEnd
from media.decoding import seccomp
from media.decoding.confinement import JobLimits
from media.decoding.jobs import IMAGES, Job
from media.decoding.seccomp import _MACHINES, _program
from tests.media import files

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


LIMITS = JobLimits(memory=2**30, file_size=1000, cpu_seconds=1)


def taken_over(program: str) -> str:
    """Return a server program whose confined processes run the given lines, and answer with the error raised."""
    lines = "".join(f"\n        {line}" for line in program.splitlines())
    return f"""import sys
number, kind, *sys.path[:] = sys.argv[1:]
import ctypes, mmap, os, resource, signal, socket, subprocess, threading, time
from media.decoding import confinement, server
this_server = os.getpid()
libc = ctypes.CDLL(None, use_errno=True)
def checked(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), "")
def answer(job, files):
    try:{lines}
    except BaseException as error:
        return dict(error=type(error).__name__, number=getattr(error, "errno", None))
    return dict(error=None)
server.answer = answer
server.main(int(number), kind)"""


async def run_program(program: str, limits: JobLimits = LIMITS, within: float = 10) -> ProcessEnd:
    """Return how a process ends that does this work instead of decoding a file."""
    decoders = Decoders(IMAGES)
    file, room = files.stored_file(b"content", "image/jpeg").spool, files.room()
    numbers = [file.duplicate(writable=False), room.duplicate(writable=True)]
    real = module._START
    module._START = taken_over(program)
    try:
        ending = await decoders.run(Job("image/jpeg", limits, strips=True), numbers, within)
    finally:
        module._START = real
        for number in numbers:
            os.close(number)
        await decoders.close()
    assert file.read_at(0, 100) == b"content"
    return ending


async def program_answer(program: str, limits: JobLimits = LIMITS) -> dict[str, Any]:
    ending = await run_program(program, limits)
    assert ending.answer is not None
    return ending.answer


@pytest.fixture
async def filtered() -> None:
    """Skip a test if the kernel does not filter system calls."""
    decoders, photo = Decoders(IMAGES), files.stored_file(files.jpeg(), "image/jpeg")
    number = photo.spool.duplicate(writable=False)
    ending = await decoders.run(Job("image/jpeg", LIMITS), [number], 20)
    os.close(number)
    warned = decoders._warned
    await decoders.close()
    assert ending.answer is not None
    if warned:
        pytest.skip("the kernel of this machine refuses seccomp filters, or there is none for it here")


ATTEMPTS = {
    "reads the worker's environment": "open('/proc/{worker}/environ').read()",
    "reads the server's environment": "open(f'/proc/{this_server}/environ').read()",
    "reads the worker's memory": "checked(libc.process_vm_readv({worker}, 0, 0, 0, 0, 0))",
    "reads a file": "open('{file}').read()",
    "opens a file for writing": "os.open('{file}', os.O_WRONLY)",
    "removes a file": "os.unlink('{file}')",
    "lists a folder": "os.listdir('/')",
    "opens a socket": "socket.socket()",
    "opens a local socket": "socket.socketpair()",
    "sends more than words": "checked(libc.sendmsg(3, 0, 0))",
    "runs a program": "os.execv(sys.executable, ['python', '-c', ''])",
    "forks": "os.fork()",
    "clones itself": "checked(libc.syscall(220 if os.uname().machine == 'aarch64' else 56, 17, 0, 0, 0, 0))",
    "traces the worker": "checked(libc.ptrace(16, {worker}, 0, 0))",
    "traces the server": "checked(libc.ptrace(16, this_server, 0, 0))",
    "signals the worker": "os.kill({worker}, 0)",
    "makes memory executable": "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
    "enters a namespace": "checked(libc.unshare(0x10000000))",
    "raises a limit": "checked(libc.setrlimit(0, ctypes.byref((ctypes.c_ulong * 2)(2, 2))))",
    "ignores the end of its time": "signal.signal(signal.SIGXCPU, signal.SIG_IGN)",
    "becomes another user": "os.setuid(1)",
    "lets itself be inspected": "checked(libc.prctl(4, 1, 0, 0, 0))",
}


@pytest.mark.usefixtures("filtered")
@pytest.mark.parametrize("attempt", ATTEMPTS)
async def test_compromised_decoder_can_do_nothing(attempt: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("theirs")
    program = ATTEMPTS[attempt].replace("{worker}", str(os.getpid())).replace("{file}", str(file))
    answer = await program_answer(program)
    assert (answer["error"], answer["number"]) == ("PermissionError", errno.EPERM)
    assert file.read_text() == "theirs"


@pytest.mark.usefixtures("filtered")
async def test_only_a_decoder_that_needs_a_thread_may_start_one() -> None:
    program = "thread = threading.Thread(target=time.time)\nthread.start()\nthread.join()"
    assert (await program_answer(program))["error"] == "RuntimeError"
    assert (await program_answer(program, replace(LIMITS, threads=True)))["error"] is None


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("x = bytes(2**30)", "MemoryError"),
        ("files[0].write_at(0, b'x')", "OSError"),
        ("files[1].write_at(0, bytes(1000))\nfiles[1].write_at(1000, b'x')", "OSError"),
        ("files[1].truncate(1001)", "OSError"),
    ],
    ids=["too much memory", "to the file", "too much", "too far"],
)
async def test_memory_and_output_of_a_decoder_are_limited(program: str, error: str) -> None:
    assert (await program_answer(program))["error"] == error


async def test_a_decoder_has_no_secrets_and_no_other_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", "hush")
    program = "found = [n for n in range(64) if libc.lseek(n, 0, 1) != -1 or ctypes.get_errno() != 9]\n"
    program += "return dict(files=found, environment=dict(os.environ), folder=os.environ.get('PWD'))"
    answer = await program_answer(program)
    # The standard streams (which lead nowhere), its socket, the file and its copy.
    assert answer["files"] == [0, 1, 2, 3, 4, 5]
    assert set(answer["environment"]) <= {"MALLOC_ARENA_MAX", "LC_CTYPE"}


async def test_endless_work_is_killed() -> None:
    ending = await run_program("while True: pass")
    assert (ending.answer, ending.signal) == (None, signal.SIGXCPU)
    # The kernel enforces the limit in ticks and reports the time by its clock: they differ on a busy machine.
    assert 0.5 < ending.cpu_seconds < 2
    assert ending.used_up_its_seconds


async def test_endless_waiting_is_killed() -> None:
    ending = await run_program("time.sleep(60)", within=2)
    assert (ending.answer, ending.too_late) == (None, True)


async def test_a_kernel_that_filters_no_calls_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = "def refuse(**_): raise OSError(22, 'refused')\nconfinement.forbid_other_calls = refuse\nserver.main("
    program = taken_over("pass").replace("server.answer = answer\nserver.main(", refusing)
    monkeypatch.setattr(module, "_START", program)
    decoders, photo = Decoders(IMAGES), files.stored_file(files.jpeg(), "image/jpeg")
    with capture_logs() as logged:
        for _ in range(2):
            number = photo.spool.duplicate(writable=False)
            ending = await decoders.run(Job("image/jpeg", LIMITS), [number], 20)
            os.close(number)
            assert ending.answer is not None
            assert ending.answer["examined"]["facts"]["width"] == 40
    await decoders.close()
    unconfined = [entry["reason"] for entry in logged if entry["event"] == "media.decoders_unconfined"]
    assert unconfined == ["[Errno 22] refused"]


UNPRIVILEGED = """
import ctypes, fcntl, os, sys, time
from media.decoding.confinement import forbid_inspection
from media.spool import Spool
if os.getuid() == 0:
    os.setuid(65534)
# Giving up privileges would have done it, too.
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
"""
INSPECTED = """
if "seal" in sys.argv:
    forbid_inspection()
print("ready", flush=True)
time.sleep(60)
"""
REOPENING = """
forbid_inspection()
spool = Spool()
spool.append(b"content")
number = spool.duplicate(writable=False)
print(fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY, os.pread(number, 9, 0).decode())
"""
INSPECTING = "print(open(f'/proc/{sys.argv[1]}/environ').read())"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems show no process's environment")
@pytest.mark.parametrize(("sealed", "readable"), [("open", True), ("seal", False)])
def test_other_processes_of_the_user_cannot_read_the_worker(sealed: str, readable: bool) -> None:
    environment = {"PYTHONPATH": str(Path(module.__file__).parents[1]), "SECRET": "hush"}
    command = [sys.executable, "-c", UNPRIVILEGED + INSPECTED, sealed]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            inspect = [sys.executable, "-c", UNPRIVILEGED + INSPECTING, str(process.pid)]
            seen = subprocess.run(inspect, capture_output=True, text=True, check=False)
            assert ("hush" in seen.stdout) is readable
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems open no file a second time by its number")
def test_a_sealed_worker_can_give_away_files_for_reading_only() -> None:
    environment = {"PYTHONPATH": str(Path(module.__file__).parents[1])}
    command = [sys.executable, "-c", UNPRIVILEGED + REOPENING]
    output_run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert output_run.stdout == "True content\n"
