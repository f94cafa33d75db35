"""Answer one request after the other over a socket that also brings the files, until the other side is gone."""

import json
import os
import resource
import socket
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from activities.media.decoding.facts import ImageDemand, TooManyBytes, TooManyPixels, Undecodable
from activities.media.spool import Spool

MAX_MESSAGE = 64 * 1024
MAX_MEMORY = 4 * 2**30
"""Bytes of address space: the largest picture that is decoded takes a good quarter of it, whatever its format."""


def main(number: int) -> None:
    """Serve the socket of that file number."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    with socket.socket(fileno=number) as line:
        while True:
            message, files, _, _ = socket.recv_fds(line, MAX_MESSAGE, 2)
            if not message:
                return
            with ExitStack() as stack:
                spools = [stack.enter_context(Spool(os.fdopen(file, "r+b", buffering=0))) for file in files]
                line.send(json.dumps(_answer(json.loads(message), spools)).encode())


def _answer(request: dict[str, Any], spools: list[Spool]) -> dict[str, Any]:
    try:
        return {"result": _result(request, spools)}
    except MemoryError:
        return {"error": Undecodable.__name__, "limit": 0}
    except (Undecodable, TooManyPixels, TooManyBytes) as error:
        limit = error.args[0] if isinstance(error.args[0], int) else 0
        return {"error": type(error).__name__, "limit": limit}


def _result(request: dict[str, Any], spools: list[Spool]) -> dict[str, Any]:
    # Pictures need no FFmpeg, videos no Pillow: each is imported by the first file that needs it.
    content_type = request["contentType"]
    if "demand" in request:
        from activities.media.decoding.jpegs import to_jpeg  # noqa: PLC0415

        return asdict(to_jpeg(spools[0], content_type, ImageDemand(**request["demand"]), spools[1]))
    if content_type.startswith("video/"):
        from activities.media.decoding.videos import video_facts  # noqa: PLC0415

        return asdict(video_facts(spools[0], content_type))
    from activities.media.decoding.images import image_facts  # noqa: PLC0415

    return asdict(image_facts(spools[0], content_type))
