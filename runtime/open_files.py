"""How many files and connections a process may have open."""

import resource

_ENOUGH = 65_536


def allow_many_files() -> None:
    """Raise this process's limit as far as the system lets it; by default many systems stop at 1,024.

    Each media file and each connection counts. At the limit nothing new could be opened for anybody.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
