"""The `socialsyncer` command. A command's code is imported when the command runs, so that help is immediate."""

from typing import Any

import click

from cli.commands import (
    accounts,
    client_campaigns,
    client_posts,
    client_uploads,
    keys,
    pauses,
    posts,
    processes,
    workspaces,
)
from cli.errors import UserError


class Commands(click.Group):
    """A group of commands that says in a sentence why the database cannot be used."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that the context names. Raises UserError."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            from reconcile.doctor.waiting import explain_database_error

            if sentence := explain_database_error(error):
                raise UserError(sentence) from error
            raise


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="socialsyncer")
def main() -> None:
    """Publish social posts to every platform, now or at a set time, never twice."""


for _command in (
    processes.dev,
    processes.api,
    processes.sandbox,
    processes.migrate,
    processes.restored,
    posts.doctor,
    posts.waiting,
    posts.resolve,
    posts.report,
    posts.history,
    posts.list_views,
    posts.live_check,
    pauses.pause,
    pauses.resume,
    pauses.pauses,
    keys.keys,
    workspaces.workspaces,
    accounts.accounts,
    client_posts.post,
    client_campaigns.campaign,
    client_uploads.upload,
):
    main.add_command(_command)


if __name__ == "__main__":
    main()
