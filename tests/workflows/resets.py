"""Reset a post's workflow as an operator does, by Temporal's command line."""

import asyncio
import sysconfig
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle

from tests.stack import Stack


async def reset(stack: Stack, handle: WorkflowHandle[Any, Any], *how: str, to: str = "FirstWorkflowTask") -> None:
    command = [
        str(Path(sysconfig.get_path("scripts")) / "temporal"),
        *("workflow", "reset", "--workflow-id", handle.id, "--type", to, "--reason", "a test"),
        *("--address", stack.client.service_client.config.target_host),
        *how,
    ]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
