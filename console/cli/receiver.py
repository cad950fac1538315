"""``hookyard receiver``: a receiver to try things with; the program itself lives in workers."""

from __future__ import annotations

import os

import click

from console.cli import commands


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=9000, show_default=True, help="0 takes any free port.")
@click.option("--secret", "secrets", multiple=True, help="A signing secret to verify with; may be given several times.")
@click.option("--fault", default="ok", show_default=True, metavar="NAME", help="How to misbehave; see --list-faults.")
@click.option("--list-faults", is_flag=True, help="List the faults and exit.")
def receiver(host: str, port: int, secrets: tuple[str, ...], fault: str, *, list_faults: bool) -> None:
    """Run a local receiver that verifies signatures and prints what it gets.

    A hook may point at it when HOOKYARD_ALLOW_NETS lists its network, such as 127.0.0.0/8. With --fault it does one
    thing wrong: `status:418`, `slow:20`, `reset-after-request`.
    """
    words = ["--list-faults"] if list_faults else ["--host", host, "--port", str(port), "--fault", fault]
    # The secrets go through the environment: the command line of a process is public.
    os.environ["HOOKYARD_RECEIVER_SECRETS"] = "\n".join(secrets)
    command = commands.receiver(*words)
    os.execv(command[0], command)  # noqa: S606  our own command, without a shell
