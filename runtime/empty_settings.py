"""Settings that are set to nothing, as compose files set those that are left out."""

from pydantic import BeforeValidator

NoneIfEmpty = BeforeValidator(lambda value: None if value == "" else value)
"""A setting that is not set if its variable is empty."""
