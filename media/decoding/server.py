"""The server of decoding processes: it makes a process for each job, and never reads a file itself.

It has loaded the decoders, so that a new process costs a fork of some milliseconds. A process does one job on one file
and ends: nothing that a file does to its decoder lasts. The worker sends the server one end of a socket for each
process. Over it the process is given its job and answers with a line; if it ends without, the server says how. A
process whose other end is closed is killed. Once the worker closes the server's own socket, the server makes no more
processes and ends with its last one; if the worker itself ended, that is immediately.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
from dataclasses import dataclass, field
from typing import NoReturn

from media.decoding.confinement import confine_job, confine_server, end_with_parent
from media.decoding.jobs import MAX_MESSAGE, Job
from media.decoding.work import answer, load
from media.spool import Spool


def main(descriptor: int, kind: str) -> None:
    """Serve the socket of that file descriptor with processes for files of one kind, until the worker closes it."""
    with socket.socket(fileno=descriptor) as control:
        _prepare(kind)
        _Server(control).serve()


def _prepare(kind: str) -> None:
    load(kind)
    confine_server()
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(quiet, stream)
    os.close(quiet)
    # Frozen objects are not touched by collections, so their memory stays shared by all processes.
    gc.collect()
    gc.freeze()
    gc.disable()


@dataclass
class _Server:
    control: socket.socket
    processes: dict[int, socket.socket] = field(default_factory=dict)
    """The server's copy of each process's socket, by the process's id."""
    waiting: "select.poll" = field(default_factory=select.poll)

    def serve(self) -> None:
        """Make processes until the worker wants no more, and report their ends."""
        ended, wake = os.pipe()
        for descriptor in (ended, wake):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.waiting.register(self.control, select.POLLIN)
        self.waiting.register(ended, select.POLLIN)
        makes_more = True
        while makes_more or self.processes:
            events = dict(self.waiting.poll())
            # Sockets first: once one is closed, its descriptor may be another's.
            for process, connection in self.processes.items():
                if connection.fileno() in events:
                    self.waiting.unregister(connection)
                    os.kill(process, signal.SIGKILL)
            if ended in events:
                os.read(ended, 4096)
                self._report_ends()
            if self.control.fileno() in events and not self._accept():
                makes_more = False
                self.waiting.unregister(self.control)

    def _accept(self) -> bool:
        """Make a process for the socket that comes in; return false if the worker wants no more."""
        message, descriptors, _, _ = socket.recv_fds(self.control, 1, 1)
        for descriptor in descriptors:
            connection, server = socket.socket(fileno=descriptor), os.getpid()
            try:
                process = os.fork()
            except OSError:
                # The worker sees the socket close without a word about an end.
                connection.close()
                continue
            if process == 0:
                _become_process(connection, server)
            self.processes[process] = connection
            # No event is requested: a closed other end, the only one of interest, is always reported.
            self.waiting.register(connection, 0)
        return bool(message)

    def _report_ends(self) -> None:
        while self.processes:
            process, status, used = os.wait4(-1, os.WNOHANG)
            if not process:
                return
            with self.processes.pop(process) as connection, contextlib.suppress(OSError):
                with contextlib.suppress(KeyError):
                    self.waiting.unregister(connection)
                signal_number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
                report = {"signal": signal_number, "cpu_seconds": used.ru_utime + used.ru_stime}
                connection.send(json.dumps(report).encode() + b"\n", socket.MSG_DONTWAIT)


def _become_process(connection: socket.socket, server: int) -> NoReturn:
    status = 1
    try:
        end_with_parent(server)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # It must not have the sockets of the worker and of other processes.
        descriptor = os.dup2(connection.fileno(), 3)
        os.closerange(descriptor + 1, os.sysconf("SC_OPEN_MAX"))
        _work(descriptor)
        status = 0
    finally:
        os._exit(status)


def _work(descriptor: int) -> None:
    """Run the one job that comes over the socket of that file descriptor."""
    connection = socket.socket(fileno=descriptor)
    message, descriptors, _, _ = socket.recv_fds(connection, MAX_MESSAGE, 2)
    if not message:
        return
    job = Job.from_message(message)
    files = [Spool(os.fdopen(file, mode, buffering=0)) for file, mode in zip(descriptors, ("rb", "r+b"), strict=False)]
    unconfined = confine_job(job.limits)
    os.write(descriptor, json.dumps({**answer(job, files), "unconfined": unconfined}).encode() + b"\n")
