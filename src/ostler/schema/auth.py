"""Credentials of providers, as ``auth.json`` keeps them."""

from ostler.schema.base import JsonObject, Wire


class ApiAuth(Wire, tag="api"):
    """A key. ``metadata`` holds what else a provider needs of a person."""

    key: str
    metadata: dict[str, str] | None = None


class OAuth(Wire, tag="oauth"):
    """``expires``: ms since the epoch, when ``access`` runs out."""

    refresh: str
    access: str
    expires: float
    accountId: str | None = None
    enterpriseUrl: str | None = None


class WellKnownAuth(Wire, tag="wellknown"):
    """``key`` names the environment variable that ``token`` stands for."""

    key: str
    token: str


Auth = ApiAuth | OAuth | WellKnownAuth
AuthFile = dict[str, JsonObject]
