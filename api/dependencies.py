"""What the api works with; put together by whoever starts the process, or a test."""

from dataclasses import dataclass

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from api.starter import Starter
from store.database import Database
from store.outcomes import Outcomes
from workflows.client import PostWorkflows


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Hold the process's connections. They belong to its event loop."""

    database: Database
    workflows: PostWorkflows
    outcomes: Outcomes
    starter: Starter

    @classmethod
    def of(cls, database: Database, workflows: PostWorkflows, outcomes: Outcomes) -> "Dependencies":
        """Return the dependencies that stand on these three."""
        return cls(database, workflows, outcomes, Starter(database, workflows))


Deps = NamedDependency[SkipValidation[Dependencies]]
"""How a handler asks for them."""
