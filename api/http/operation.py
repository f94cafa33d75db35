"""The description of an operation, by which it is routed, its query is read and the API's document is written."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from inspect import cleandoc
from typing import Any, Self

from litestar import Controller
from litestar.handlers import HTTPRouteHandler
from pydantic import BaseModel
from pydantic.alias_generators import to_snake

from api.http.body import MAX_BYTES
from api.http.headers import HttpRequest

Json = dict[str, Any]
WITH_BODY = ("invalidJson", "unknownField", "tooLarge", "notJson")
"""The errors of operations that take a body."""
_OPERATION = "operation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the API, as the decorator of its handler, whose name and first line are its id and its summary.

    `errors` names its entries of `openapi/errors.csv`, beside those that follow from its
    body and its headers.
    """

    route: str
    """Its method and path."""
    description: str = ""
    """What it does, if that is not in the docstring of its handler, after the first line."""
    answer: type[Any]
    errors: tuple[str, ...] = ()
    status: int = 200
    body: type[BaseModel] | None = None
    body_required: bool = True
    texts: dict[str, str] = field(default_factory=dict)
    """Examples of a body as text, by their types, if it takes such."""
    files: dict[str, Json] = field(default_factory=dict)
    """Schemas of a body that is no JSON, by its types."""
    most_bytes: int = MAX_BYTES
    """Bytes that a body may have."""
    parameters: tuple[Json, ...] = ()
    """Those of its query and its headers; those of its path are in the path."""
    other_status: int | None = None
    """A second status of success."""
    has_tag: bool = False
    """Whether its answer has an ETag, and a caller that has the answer gets 304."""
    writes_post: bool = False
    """Whether it creates or changes one post, and so counts as one of the posts a minute of its workspace."""

    @property
    def all_errors(self) -> dict[str, None]:
        """Return the names of its errors in order: those of any body or query, of a key, and its own."""
        key = self.headers.get("Idempotency-Key")
        not_of_all = {"tooLarge": self.most_bytes != MAX_BYTES, "notJson": bool(self.texts)}
        of_body = [name for name in WITH_BODY if not not_of_all.get(name)]
        generic = of_body if self.body else ["unknownQuery"]
        of_key = () if key is None else ("keyMissing", "keyReused") if key.get("required") else ("keyReused",)
        return dict.fromkeys((*generic, *of_key, *self.errors))

    @property
    def method(self) -> str:
        """Return its method in capitals."""
        return self.route.partition(" ")[0]

    @property
    def path(self) -> str:
        """Return its path, with the names of parameters in braces."""
        return self.route.partition(" ")[2]

    @property
    def query(self) -> dict[str, Json]:
        """Return the parameters that its query may have, by name."""
        return {parameter["name"]: parameter for parameter in self.parameters if parameter["in"] == "query"}

    @property
    def headers(self) -> dict[str, Json]:
        """Return the parameters that its headers may have, by name."""
        return {parameter["name"]: parameter for parameter in self.parameters if parameter["in"] == "header"}

    def __call__(self, handler: Callable[..., Any]) -> HTTPRouteHandler:
        """Return the handler as the one that serves the operation, under its method and path, with its status."""
        path = re.sub(r"\{(\w+)\}", lambda parameter: f"{{{to_snake(parameter[1])}:str}}", self.path)
        description = self.description or cleandoc(handler.__doc__ or "").partition("\n\n")[2].replace("\n", " ")
        return HTTPRouteHandler(
            path,
            http_method=[self.method],  # type: ignore[list-item]
            status_code=self.status,
            request_max_body_size=self.most_bytes,
            opt={_OPERATION: replace(self, description=description)},
        )(handler)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the operation itself, which does not change: Litestar copies what a handler has with the handler."""
        return self


def operations_served(controller: type[Controller]) -> Iterator[tuple[str, str, Operation]]:
    """Yield the operations of a controller, each after the name of its handler and the first line of its docstring."""
    for name, handler in vars(controller).items():
        if isinstance(handler, HTTPRouteHandler) and (operation := handler.opt.get(_OPERATION)):
            yield name, (handler.fn.__doc__ or "").partition("\n")[0], operation


def served_operation(request: HttpRequest) -> Operation:
    """Return the operation that a request asks for."""
    operation: Operation = request.route_handler.opt[_OPERATION]
    return operation
