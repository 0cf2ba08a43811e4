"""Providers and models."""

from typing import Any, Literal

import msgspec

from ostler.engine.instance import Instance
from ostler.models.oauth import SignInError, SignInMethod
from ostler.models.providers import is_enabled
from ostler.schema.errors import DomainError
from ostler.schema.provider import ConfigProviders, ProviderList
from ostler.server.asgi import Response, encode, json_response
from ostler.server.operation import Context, operation


async def _open(context: Context) -> Instance:
    instance = await context.instance()
    await instance.models.open()
    return instance


@operation("GET /provider", "provider.list", answer=ProviderList)
async def list_providers(context: Context) -> Response:
    """Every provider of the catalogue, and the connected ones as they are here."""
    instance = await _open(context)
    models = instance.models
    connected, catalogue = models.providers, models.catalogue
    listed = {k: e for k, e in catalogue.entries.items() if is_enabled(k, instance.config)}
    records = [encode(provider) for provider in connected.values()]
    records += [catalogue.record(key) for key in listed if key not in connected]
    default = {key: entry.preferred for key, entry in listed.items()}
    rest = {"default": {**default, **models.defaults()}, "connected": list(connected)}
    return Response(b'{"all":[%b],%b' % (b",".join(records), encode(rest)[1:]))


@operation("GET /config/providers", "config.providers", answer=ConfigProviders)
async def config_providers(context: Context) -> ConfigProviders:
    models = (await _open(context)).models
    return ConfigProviders(providers=list(models.providers.values()), default=models.defaults())


class AuthorizeInput(msgspec.Struct):
    """``method``: a position in the provider's list of ``GET /provider/auth``."""

    method: float
    inputs: dict[str, str] | None = None


class Authorization(msgspec.Struct):
    url: str
    method: Literal["auto", "code"]
    instructions: str


class CallbackInput(msgspec.Struct):
    method: float
    code: str | None = None


@operation("GET /provider/auth", "provider.auth", answer=dict[str, Any])
async def auth_methods(context: Context) -> Response:
    """Ways to sign in beside a key, of the providers that have any."""
    instance = await context.instance()
    methods = instance.models.sign_ins.all_methods()
    return json_response({name: [_told(m) for m in each] for name, each in methods.items()})


def _told(method: SignInMethod) -> dict[str, Any]:
    told: dict[str, Any] = {"type": method.type, "label": method.label}
    return {**told, "prompts": list(method.prompts)} if method.prompts else told


@operation(
    "POST /provider/{providerID}/oauth/authorize",
    "provider.oauth.authorize",
    body=AuthorizeInput,
    answer=Authorization | None,
)
async def authorize(context: Context) -> Authorization | Response:
    instance = await context.instance()
    provider: str = context.params["providerID"]
    methods = instance.models.sign_ins.methods(provider)
    if context.body.method not in range(len(methods)):
        raise DomainError(
            "ProviderAuthValidationFailed",
            f"method: {provider} has {len(methods)} ways to sign in, counted from 0; "
            f"a key is kept with PUT /auth/{provider}",
            providerID=provider,
            field="method",
        )
    method = methods[int(context.body.method)]
    if method.type != "oauth":
        return json_response(None)  # a key is what it takes: PUT /auth/{providerID}
    try:
        started = await method.start(context.body.inputs or {})
    except SignInError as e:
        raise _failed(provider, e) from None
    if before := instance.sign_ins.pop(provider, None):
        before.close()
    instance.sign_ins[provider] = started
    return Authorization(url=started.url, method=started.method, instructions=started.instructions)


def _failed(provider: str, error: SignInError) -> DomainError:
    return DomainError("ProviderAuthOauthCallbackFailed", str(error), providerID=provider)


@operation(
    "POST /provider/{providerID}/oauth/callback",
    "provider.oauth.callback",
    body=CallbackInput,
    answer=bool,
)
async def callback(context: Context) -> Response:
    """Wait for the person, and keep the credential."""
    instance = await context.instance()
    provider: str = context.params["providerID"]
    started = instance.sign_ins.pop(provider, None)
    if started is None:
        raise DomainError(
            "ProviderAuthOauthMissing",
            f"No sign-in to {provider} is going on",
            providerID=provider,
        )
    try:
        credential = await started.finish(context.body.code)
    except SignInError as e:
        raise _failed(provider, e) from None
    finally:
        started.close()
    context.runtime.credentials.set(provider, credential)
    return json_response(True)
