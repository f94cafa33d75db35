"""Endpoints as their handlers declare them: what every one reads of its request and writes of its response."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import NoneType
from typing import Any, get_type_hints

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from api.auth import WorkspaceId
from api.dependencies import Deps
from api.http.headers import HttpRequest
from api.http.operation import Operation
from api.http.query import read_id, read_values
from api.http.request import read_bare_request, read_body
from api.views import respond_privately


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Operation):
    """The decorator of a handler, from whose parameters and return type the rest of its operation follows.

    A handler names what it needs: `body`, whose type is its model, `query`, the parameters of its path, `request`,
    `workspace_id`, `deps`, and objects that their types make of these (`from_request`). It returns a view, or a whole
    response if that varies; then `answer` is its view, as `body` is the model of a body that the handler reads itself.
    """

    answer: type[Any] = NoneType
    reads_query: bool = True
    """Whether the query is read for the handler, and not by it."""
    readers: Mapping[str, Callable[[str], Any]] = field(default_factory=lambda: {"cursor": read_id})
    """The readers of parameters of the query that are more than their schemas say. They raise ValueError."""

    def __call__(self, handler: Callable[..., Any]) -> HTTPRouteHandler:
        """Return the handler as the one that serves the operation."""
        hints = get_type_hints(handler)
        view, body, names = hints.pop("return"), hints.pop("body", None), tuple(hints)
        factories = {name: kind for name, kind in hints.items() if hasattr(kind, "from_request")}
        takes_no_body = not (body or self.body or self.files or self.method == "GET")
        readers = self.readers if self.reads_query and not (body or self.body) else None
        parameters, status = self.query, self.status

        async def serve(self: Any, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
            values = {"request": request, "workspace_id": workspace_id, "deps": deps, **request.path_params}
            for name, kind in factories.items():
                values[name] = await kind.from_request(request, workspace_id, deps)
            read = {} if body is None else {"body": await read_body(request, body)}
            if takes_no_body:
                await read_bare_request(request)
            if readers is not None:
                values["query"] = read_values(request, parameters, readers)
            result = await handler(self, **{name: values[name] for name in names}, **read)
            return result if isinstance(result, Response) else respond_privately(result, status)

        serve.__name__, serve.__doc__ = handler.__name__, handler.__doc__
        answer = self.answer if self.answer is not NoneType else view
        return Operation.__call__(replace(self, answer=answer, body=body or self.body), serve)
