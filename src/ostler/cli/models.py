"""``ostler models``: what can be used here."""

from typing import Annotated

import typer

app = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})


@app.command()
def models(
    provider: Annotated[str | None, typer.Argument(help="Only this provider's.")] = None,
) -> None:
    """List the models that are connected, as provider/model."""
    from ostler.cli.failures import reported
    from ostler.cli.serve import asyncio_run

    with reported():
        for line in asyncio_run(_names(provider)):
            print(line)


async def _names(provider: str | None) -> list[str]:
    from ostler.cli.failures import USAGE, Stop
    from ostler.runtime import Runtime

    runtime = Runtime()
    try:
        instance = await runtime.instance()
        await instance.models.open()
        providers = instance.models.providers
        if provider is not None and provider not in providers:
            known = ", ".join(sorted(providers))
            raise Stop(f"Provider not found: {provider}. Connected: {known}", USAGE)
        return sorted(
            f"{known.id}/{model}"
            for known in providers.values()
            if provider in (None, known.id)
            for model in known.models
        )
    finally:
        await runtime.close()
