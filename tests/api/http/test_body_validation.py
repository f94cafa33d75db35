"""pydantic's findings in this API's words."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, field_validator

from api.http.body_validation import in_contract_order, read
from domain.errors import Problem


class Inner(BaseModel):
    name: Annotated[str, Field(min_length=2)]


class Everything(BaseModel, strict=True, extra="forbid"):
    text: Annotated[str, Field(max_length=3)] = ""
    number: Annotated[int, Field(ge=1, le=5)] = 1
    share: float = 0
    flag: bool = False
    choice: Literal["a", "b"] = "a"
    only: Literal["a"] = "a"
    code: Annotated[str, Field(pattern="^x+$")] = "x"
    items: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    inner: Inner | None = None
    free: dict[str, Any] = {}
    even: int = 0

    @field_validator("even")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("must be even")
        return value


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        ({"text": 1}, "text must be a string"),
        ({"text": "long"}, "text may be at most 3 characters long"),
        ({"number": "1"}, "number must be a whole number"),
        ({"number": 0}, "number must be at least 1"),
        ({"number": 6}, "number must be at most 5"),
        ({"share": "x"}, "share must be a number"),
        ({"flag": 1}, "flag must be true or false"),
        ({"choice": "c"}, "choice must be one of a, b"),
        ({"only": "c"}, "only must be a"),
        ({"code": "y"}, "code is not in the right form"),
        ({"items": 1}, "items must be an array"),
        ({"items": []}, "items must hold at least 1 item"),
        ({"items": [1, 2, 3]}, "items may hold at most 2 items"),
        ({"items": [1, "2"]}, "items.1 must be a whole number"),
        ({"inner": []}, "inner must be an object"),
        ({"inner": {}}, "inner.name is required"),
        ({"inner": {"name": "x"}}, "inner.name must be at least 2 characters long"),
        ({"free": 1}, "free must be an object"),
        ({"even": 1}, "even must be even"),
        ({"choise": "a"}, "choise is not a known field; did you mean choice?"),
        ({"qqqqqqqq": "a"}, "qqqqqqqq is not a known field"),
    ],
)
def test_messages_are_readable(payload: dict[str, Any], sentence: str) -> None:
    _, (problem,) = read(Everything, payload)
    assert problem.error == sentence
    assert problem.param == sentence.split(maxsplit=1)[0]


def test_valid_fields_are_read_despite_problems() -> None:
    body, problems = read(Everything, {"text": "abc", "flag": "no", "zebra": 1})
    assert body is not None
    assert (body.text, body.flag) == ("abc", False)
    assert [problem.param for problem in problems] == ["flag", "zebra"]


class Target(BaseModel):
    platform: str
    account_id: str = Field(alias="accountId")


class Many(BaseModel):
    content: str
    platforms: list[Target] | None


def test_problems_sort_by_position_and_unknown_names_last() -> None:
    params = [
        "zebra",
        "platfroms",
        "platforms.10.accountId",
        "platforms.2.accountId",
        "platforms.2.platform",
        "platforms",
        "content",
    ]
    problems = [
        Problem("wrong", "unknown_parameter" if param == "platfroms" else "conflict", param)
        for param in (*params, "content")
    ]
    assert [problem.param for problem in in_contract_order(Many, problems)] == [
        "content",
        "platfroms",
        "platforms",
        "platforms.2.platform",
        "platforms.2.accountId",
        "platforms.10.accountId",
        "zebra",
    ]
