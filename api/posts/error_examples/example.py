"""The form of an example of an error."""

ErrorExample = tuple[str, int, str, str, str | None]
"""Its name, and the error's status, sentence, code and parameter."""
