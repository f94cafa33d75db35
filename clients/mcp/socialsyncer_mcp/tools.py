"""Tools that refuse what they were not asked for, and mark texts of strangers in what they answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel, ValidationError

from socialsyncer_mcp.answers import Answer, NotAsMeantError, untrusted_names

_OTHER_WORDS = {"platforms": "targets", "accounts": "targets", "text": "content", "images": "media", "id": "post_id"}
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SHOULD = re.compile(r"^(Input|Value|String|List) should ")


class StrictTool(Tool):
    """A tool whose unknown arguments are errors: a post without its picture would be published otherwise."""

    def model_post_init(self, context: Any, /) -> None:
        """Forbid unknown arguments, in the schema that clients read as well."""
        arguments = self.fn_metadata.arg_model
        arguments.model_config["extra"] = "forbid"
        arguments.model_rebuild(force=True)
        self.parameters = arguments.model_json_schema()

    async def run(self, arguments: Answer, context: Any, convert_result: bool = False) -> Any:
        """Run the tool. Raises ToolError before anything is done if an argument is wrong."""
        try:
            self.fn_metadata.validate_arguments(arguments)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False, include_context=False)
            sentences = dict.fromkeys(self._sentence(one["loc"], one["type"], one["msg"]) for one in details)
            raise ToolError("\n".join([f"{self.name} did nothing:", *sentences])) from None
        try:
            answer = await super().run(arguments, context)
        except ToolError as error:
            if not isinstance(meant := error.__cause__, NotAsMeantError):
                raise
            texts = [TextContent(type="text", text=text) for text in (str(error), json.dumps(_marked(meant.post)))]
            return CallToolResult(content=[*texts], structured_content=_marked(meant.post), is_error=True)
        return self.fn_metadata.convert_result(_marked(answer)) if convert_result else _marked(answer)

    def _sentence(self, path: tuple[int | str, ...], kind: str, message: str) -> str:
        *_, name = place = [str(part) for part in path]
        if kind == "extra_forbidden":
            return f"- {'.'.join(place)} is not known; {_hint(name, _names(self.fn_metadata.arg_model, place[:-1]))}"
        if kind == "missing":
            return f"- {'.'.join(place)} is missing: ask the person if you do not know it"
        return f"- {'.'.join(place)}: {_SHOULD.sub('must ', message)}"


def _names(model: type[BaseModel], place: list[str]) -> list[str]:
    """Return the names of the object at a place in the arguments."""
    if not place:
        return list(model.model_fields)
    inner = [kind for kind in _kinds(model.model_fields[place[0]].annotation) if issubclass(kind, BaseModel)]
    return list(inner[0].model_fields) if inner else []


def _kinds(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _kinds(argument)


def _hint(wrong: str, names: list[str]) -> str:
    name = _CAPITAL.sub("_", wrong[:64]).lower()
    other = _OTHER_WORDS.get(name, "")
    meant = [other] if other in names else get_close_matches(name, names, n=1)
    return f"did you mean {meant[0]}?" if meant else f"there are {', '.join(names)}."


def _marked(answer: Answer) -> Answer:
    names = untrusted_names(answer)
    return {**answer, "untrusted": names} if names else answer
