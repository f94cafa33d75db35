"""The base of the models that clients fill in: platformSpecificData and credentials."""

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel


class ClientModel(BaseModel):
    """A model of what clients write: camelCase names, no unknown fields, no secrets in error messages."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: object) -> object:
        """Treat null as a field that was left out, because generated clients write both alike.

        A required field stays required. Fields that may be null have null as their default, so it means the same there.
        """
        if not isinstance(data, dict) or None not in data.values():
            return data
        optional = {
            key for name, field in cls.model_fields.items() if not field.is_required() for key in (name, field.alias)
        }
        return {name: value for name, value in data.items() if value is not None or name not in optional}
