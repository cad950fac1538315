"""The command line: ``hookyard``. One module per family of commands, each imported only when it is called.

Nothing heavy is imported here: the supervisor of ``hookyard up`` lives in this package and stays small.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from importlib.metadata import version
from typing import Any, cast

import click

from console import garbage

COMMANDS = {
    "up": "console.cli.up:up",
    "web": "console.cli.parts:web",
    "worker": "console.cli.parts:worker",
    "db": "console.cli.parts:db",
    "organizations": "console.cli.accounts:organizations",
    "users": "console.cli.accounts:users",
    "tokens": "console.cli.tokens:tokens",
    "publish": "console.cli.publish:publish",
    "receiver": "console.cli.receiver:receiver",
    "doctor": "console.cli.doctor:doctor",
    "prune": "console.cli.prune:prune",
}
"""In the order in which ``hookyard --help`` lists them."""


class OnDemand(Mapping[str, click.Command]):
    """The commands by name, each imported when it is first asked for."""

    def __getitem__(self, name: str) -> click.Command:
        module, _, attribute = COMMANDS[name].partition(":")
        return cast("click.Command", getattr(import_module(module), attribute))

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Commands(click.Group):
    """Turns our errors into one sentence and exit code 1; lists commands in reading order."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.commands = cast("MutableMapping[str, click.Command]", OnDemand())

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Name the commands in reading order."""
        return list(COMMANDS)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error it expects ends in a sentence, not in a traceback."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            sentence = _sentence(error)
            if sentence is None:
                raise
            raise click.ClickException(sentence) from error


def _sentence(error: Exception) -> str | None:
    """Say in words what went wrong when it is one of ours, the database or the file system; None for a bug."""
    if isinstance(error, (click.exceptions.Exit, click.ClickException, click.Abort)):
        return None
    return import_module("console.sentences").describe(error)  # type: ignore[no-any-return]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("hookyard"), package_name="hookyard")
def cli() -> None:
    """Hookyard: publish events, deliver them signed to webhooks, see every attempt.

    `hookyard up` runs all of it on one machine. Settings are environment variables named HOOKYARD_*.
    """


def main() -> None:
    """Run the command line. What it and the processes it starts create is for this account alone."""
    os.umask(0o077)
    garbage.collect_seldom()
    cli(prog_name="hookyard")


if __name__ == "__main__":
    main()
