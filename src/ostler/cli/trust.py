"""``ostler trust``: let a project's own configuration run programs."""

from typing import Annotated

import typer

app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})


@app.command()
def trust(
    directory: Annotated[str, typer.Argument(help="The project, or a folder of projects.")] = ".",
    remove: Annotated[bool, typer.Option("--remove", help="Trust it no longer.")] = False,
    show: Annotated[bool, typer.Option("--list", help="List what is trusted.")] = False,
) -> None:
    """Trust a project: what its configuration names may be run from now on."""
    import os

    from ostler.cli.failures import USAGE, Stop, reported
    from ostler.config.paths import default_paths
    from ostler.config.trust import Trust
    from ostler.project.checkout import find_checkout

    with reported():
        kept = Trust(default_paths().state, {})
        if show:
            for root in kept.roots():
                print(root)
            return
        if not os.path.isdir(directory):
            raise Stop(f"There is no folder {directory}", USAGE)
        path = os.path.abspath(directory)
        checkout = find_checkout(path)
        root = os.path.realpath(checkout.worktree if checkout else path)
        if not remove:
            kept.add(root)
            print(f"Trusted: {root}")
        elif kept.remove(root):
            print(f"No longer trusted: {root}")
        else:
            covering = [t for t in kept.roots() if root.startswith(t.rstrip("/") + "/")]
            hint = f" It is covered by {covering[0]}." if covering else ""
            raise Stop(f"{root} is not in the list of trusted folders.{hint}", USAGE)


def ask(root: str, held: list[str]) -> bool:
    """Ask the person at the terminal whether a project may run what it brings."""
    import sys

    lines = "".join(f"  - {each}\n" for each in held)
    print(f"{root} brings code of its own:\n{lines}", end="", file=sys.stderr)
    print("Run it from now on? (yes or no) ", end="", flush=True, file=sys.stderr)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
