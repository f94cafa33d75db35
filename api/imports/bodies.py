"""The body of an import as JSON."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema

from api.posts.bodies.schemas import RequestModel
from api.posts.many.checking import MOST_ROWS

# A row is read as the body of a request for one post; the document shows its schema.
_Row = Annotated[dict[str, Any], WithJsonSchema({"$ref": "#/components/schemas/PostBody"})]


class ImportBody(RequestModel):
    """Posts to import, each as the body that creates it alone."""

    model_config = ConfigDict(title="ImportPosts")

    posts: list[_Row] = Field(min_length=1, max_length=MOST_ROWS, description="The posts.")
