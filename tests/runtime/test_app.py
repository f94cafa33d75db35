"""The API process as uvicorn starts it."""

import asyncio

import pytest

from cli.stack.ports import free_port
from runtime.app import create_app_from_env
from tests.api.conftest import make_client
from tests.serving import started
from tests.stack import Stack


async def test_connects_when_it_starts(stack: Stack, environment: pytest.MonkeyPatch) -> None:
    async with started(create_app_from_env()) as app, make_client(app, stack.api_key) as client:
        parts = (await client.get("/statusz?strict=true")).json()
        assert (parts["database"], parts["temporal"], parts["worker"]) == (True, True, True)
        target = {"platform": "twitter", "accountId": stack.accounts["twitter"].id}
        response = await client.send_post(
            {"content": "from the environment", "platforms": [target], "publishNow": True}
        )
        assert (response.status_code, response.json()["status"]) == (201, "published")


async def test_starts_without_temporal(stack: Stack, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    async with started(create_app_from_env()) as app, make_client(app, stack.api_key) as client:
        statuses = [(await client.get(path)).status_code for path in ("/readyz", "/statusz")]
        assert statuses == [200, 200]
        async with asyncio.timeout(60):
            # The state that a process with Temporal has measured shortly before counts until this one has measured.
            while (await client.get("/statusz?strict=true")).status_code != 503:  # noqa: ASYNC110 there is no event
                await asyncio.sleep(0.2)
        parts = (await client.get("/readyz")).json()
        assert (parts["database"], parts["temporal"], parts["worker"]) == (True, False, False)
        assert (await client.get("/v1/posts?limit=1")).status_code == 200
