"""``ostler models``: what can be used here."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ostler.cli.failures import Stop
    from ostler.models.registry import Models

app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})


@app.command()
def models(
    provider: Annotated[str | None, typer.Argument(help="Only this provider's.")] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="With what is known of each, as JSON.")
    ] = False,
    refresh: Annotated[
        bool,
        typer.Option("--refresh", help="Bring the newest public catalogue first."),
    ] = False,
) -> None:
    """List the models that are connected, as provider/model.

    --refresh reads models.dev, or OPENCODE_MODELS_URL, or the file OPENCODE_MODELS_PATH.
    """
    from ostler.cli.failures import reported
    from ostler.cli.serve import asyncio_run

    with reported():
        if refresh:
            asyncio_run(_refresh())
        for line in asyncio_run(_lines(provider, verbose)):
            print(line)


async def _refresh() -> None:
    import os
    import sys

    from ostler.config.paths import default_paths
    from ostler.models.upstream import refresh

    fresh = await refresh(default_paths().cache, os.environ)
    print(f"Models cache refreshed: {len(fresh.entries)} providers", file=sys.stderr)


async def _lines(provider: str | None, verbose: bool) -> list[str]:
    import msgspec

    from ostler.cli.opened import opened

    async with opened() as (_, instance):
        await instance.models.open()
        providers = instance.models.providers
        if provider is not None and provider not in providers:
            raise _not_connected(provider, instance.models)
        chosen = [p for p in providers.values() if provider in (None, p.id)]
        models = {f"{p.id}/{name}": m for p in chosen for name, m in p.models.items()}
        lines = []
        for name, model in sorted(models.items()):
            lines.append(name)
            if verbose:
                lines.append(msgspec.json.format(msgspec.json.encode(model), indent=2).decode())
        return lines


def _not_connected(provider: str, models: "Models") -> "Stop":
    from ostler.cli.failures import USAGE, Stop
    from ostler.models.access import how_to_connect

    message = f"Provider not found: {provider}. Connected: {', '.join(sorted(models.providers))}."
    entry = models.catalogue.entries.get(provider)
    if entry:
        what = how_to_connect(provider, entry.env)
        message += f" To connect {entry.name}, set {what}, or `ostler auth login -p {provider}`."
    return Stop(message, USAGE)
