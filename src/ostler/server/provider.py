"""Providers and models."""

from ostler.engine.instance import Instance
from ostler.schema.provider import ConfigProviders, ProviderList
from ostler.server.operation import Context, operation


async def _open(context: Context) -> Instance:
    instance = await context.instance()
    await instance.models.open()
    return instance


@operation("GET /provider", "provider.list", answer=ProviderList)
async def list_providers(context: Context) -> ProviderList:
    models = (await _open(context)).models
    return ProviderList(
        all=list(models.providers.values()),
        default=models.defaults(),
        connected=list(models.providers),
    )


@operation("GET /config/providers", "config.providers", answer=ConfigProviders)
async def config_providers(context: Context) -> ConfigProviders:
    models = (await _open(context)).models
    return ConfigProviders(providers=list(models.providers.values()), default=models.defaults())
