"""Everything that reads strangers' files, run in processes of its own: what goes wrong here harms nothing else.

Only these modules, and the readers in `media.metadata` that they use, look into a file beyond its beginning;
import-linter keeps all others from it. Nothing here imports what the worker is made of.
"""
