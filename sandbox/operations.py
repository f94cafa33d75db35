"""The six purposes of a request to a platform."""

from typing import Literal

Operation = Literal["prepare", "publish", "confirm", "edit", "delete", "auth"]
"""prepare: uploads and containers, nothing public yet. publish: the one request that makes a post public.
confirm: reads. edit: changes to something public, comments below it among them. auth: tokens and "who am I"."""
