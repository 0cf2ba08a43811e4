"""``ostler models``: what can be used here."""

from typing import Annotated

import typer

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

    from ostler.cli.failures import USAGE, Stop
    from ostler.models.access import how_to_connect
    from ostler.runtime import Runtime

    runtime = Runtime()
    try:
        instance = await runtime.instance()
        await instance.models.open()
        providers = instance.models.providers
        if provider is not None and provider not in providers:
            known = ", ".join(sorted(providers))
            entry = instance.models.catalogue.entries.get(provider)
            hint = ""
            if entry:
                what = how_to_connect(provider, entry.env)
                hint = (
                    f" To connect {entry.name}, set {what}, or `ostler auth login -p {provider}`."
                )
            raise Stop(f"Provider not found: {provider}. Connected: {known}.{hint}", USAGE)
        chosen = [p for p in providers.values() if provider in (None, p.id)]
        models = {f"{p.id}/{name}": m for p in chosen for name, m in p.models.items()}
        lines = []
        for name, model in sorted(models.items()):
            lines.append(name)
            if verbose:
                lines.append(msgspec.json.format(msgspec.json.encode(model), indent=2).decode())
        return lines
    finally:
        await runtime.close()
