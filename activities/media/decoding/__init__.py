"""Meet hostile files with decoders written in C, in a process of its own: what crashes here crashes nothing else.

Nothing in this package imports what the worker is made of; it starts fast and holds no secret.
"""
