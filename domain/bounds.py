"""Bounds of a request and of a workspace, so that neither costs unbounded work (docs/limits.md)."""

MAX_TEXT = 100_000
"""Characters of any string in a body. The longest text that a platform takes, Facebook's, has 63,206."""

MAX_NAME = 255
"""Characters of a name in a JSON object."""

MAX_VALUES = 20_000
"""Values of a body, nested ones included: 100 targets with 200 each."""

MAX_ITEMS = 100
"""Of media, targets and tags each; far above what any platform takes."""

MAX_MEDIA = 1_000
"""Media of a post in all: its own, those of its targets and those of threads."""

LARGEST_ANSWER = 4 * 1024 * 1024
"""Bytes of an answer: of one post, or of a page of them."""

LARGEST_POST = 3 * 1024 * 1024
"""Bytes of the answer with a post that is accepted. Edits, whose earlier texts are kept, may add the rest."""

MOST_ACCOUNTS = 1_000
"""Accounts that a workspace may connect by default; our choice."""
