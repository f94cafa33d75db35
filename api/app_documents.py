"""The documents about the operator's apps, for platforms that know an app by an address."""

import json
from typing import Any

from litestar import Controller, Response, get
from litestar.params import FromPath

from api.dependencies import Deps
from domain.errors import NotFound, Problem
from store.apps import app_document

PATH = "/apps"
_MISSING = Problem("There is no such app", "not_found")


class AppDocuments(Controller):
    """Route to the metadata of apps."""

    @get(PATH + "/{name:str}")
    async def app_metadata(self, name: FromPath[str], deps: Deps) -> Response[str]:
        """Return the metadata of an app; nothing in it is secret."""

        async def look_up() -> dict[str, Any] | None:
            async with deps.database.reading() as session:
                return await app_document(session, path)

        path = f"{PATH}/{name}"
        document = await deps.strangers.find(path, look_up) if name.isascii() and "\0" not in name else None
        if document is None:
            raise NotFound(_MISSING)
        headers = {"Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"}
        return Response(json.dumps(document), media_type="application/json", headers=headers)
