"""Where a model is called and with which key: what is configured, then what the catalogue knows,
then what the makers' own packages have built in.

Addresses of Azure, Vertex and Bedrock, and the variables and options that make them up: the AI
SDK's packages and OpenCode 1.18.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ostler.schema.provider import Model, Provider

# The addresses that the JavaScript packages of these names have built in, which is why the
# catalogue has none for them; of a gateway with a protocol of its own, its OpenAI-compatible one.
DEFAULTS = {
    "@ai-sdk/anthropic": "https://api.anthropic.com/v1",
    "@ai-sdk/cerebras": "https://api.cerebras.ai/v1",
    "@ai-sdk/cohere": "https://api.cohere.ai/compatibility/v1",
    "@ai-sdk/deepinfra": "https://api.deepinfra.com/v1/openai",
    "@ai-sdk/gateway": "https://ai-gateway.vercel.sh/v1",
    "@ai-sdk/google": "https://generativelanguage.googleapis.com/v1beta",
    "@ai-sdk/groq": "https://api.groq.com/openai/v1",
    "@ai-sdk/openai": "https://api.openai.com/v1",
    "@ai-sdk/mistral": "https://api.mistral.ai/v1",
    "@ai-sdk/perplexity": "https://api.perplexity.ai",
    "@ai-sdk/togetherai": "https://api.together.xyz/v1",
    "@ai-sdk/vercel": "https://api.v0.dev/v1",
    "@ai-sdk/xai": "https://api.x.ai/v1",
    "@aihubmix/ai-sdk-provider": "https://aihubmix.com/v1",
    "@qvac/ai-sdk-provider": "http://127.0.0.1:11435/v1",
    "watsonx-ai-provider": "https://us-south.ml.cloud.ibm.com",
    "@openrouter/ai-sdk-provider": "https://openrouter.ai/api/v1",
    "@saladtechnologies-oss/ai-sdk-provider": "https://ai.salad.cloud/v1",
    "venice-ai-sdk-provider": "https://api.venice.ai/api/v1",
}
CLOUDFLARE = "ai-gateway-provider"
_CLOUDFLARE_URL = "https://gateway.ai.cloudflare.com/v1/%s/%s/compat"
_MERGE_URL = "https://api-gateway.merge.dev/v1/openai"
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_IS_KEY = re.compile(r"(KEY|TOKEN|PAT)$")
VERTEX_EXPRESS = "https://aiplatform.googleapis.com/v1/publishers/google"
"""Where an API key is enough."""
REGION = "us-east-1"
LOCATION = "us-central1"
_PROJECT = ("GOOGLE_VERTEX_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCP_PROJECT", "GCLOUD_PROJECT")
_LOCATION = ("GOOGLE_VERTEX_LOCATION", "GOOGLE_CLOUD_LOCATION", "VERTEX_LOCATION")

PARTS = {
    "AZURE_RESOURCE_NAME": "resourceName",
    "AZURE_COGNITIVE_SERVICES_RESOURCE_NAME": "resourceName",
    "CLOUDFLARE_ACCOUNT_ID": "accountId",
    "CLOUDFLARE_GATEWAY_ID": "gatewayId",
}
"""Variables of addresses -> the option, or what is kept beside a key, that says the same."""
ALSO = {
    "amazon-bedrock": (
        "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ),
    "google-vertex": ("GOOGLE_VERTEX_API_KEY", *_PROJECT[1:]),
    "google-vertex-anthropic": _PROJECT[1:],
}  # fmt: skip
"""Variables beside the catalogue's that connect a provider (OpenCode 1.18)."""

Options = dict[str, Any]
Place = Callable[[Options, Provider, dict[str, str]], None]
"""Puts the address, and what else the wire needs, into the options."""


def package(model: Model) -> str:
    """The package whose protocol a model is spoken to with: Cloudflare's gateway takes every model
    over one."""
    return CLOUDFLARE if model.providerID == "cloudflare-ai-gateway" else model.api.npm


def located(provider: Provider, model: Model, environment: Mapping[str, str]) -> Provider:
    """The provider with ``baseURL`` and ``apiKey`` in its options, where they are known. A variable
    that is not set stays in the address as it is, so that an error can name it."""
    options = dict(provider.options)
    if not (options.get("apiKey") or provider.key):
        options["apiKey"] = _key(provider, model, environment)
    variables = dict(environment)
    place = _PLACES.get(package(model))
    if place is not None:
        place(options, provider, variables)
    elif model.api.url:
        _fill_in(options, variables)
    url = options.get("baseURL") or model.api.url or DEFAULTS.get(model.api.npm, "")
    options["baseURL"] = _VARIABLE.sub(lambda m: variables.get(m[1]) or m[0], str(url))
    key = None if place is _cloudflare else provider.key
    return msgspec.structs.replace(provider, options=options, key=key)


def how_to_connect(provider_id: str, variables: Sequence[str]) -> str:
    """What a person has to set, in a few words."""
    if provider_id == "amazon-bedrock":
        return (
            "AWS_BEARER_TOKEN_BEDROCK, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if provider_id.startswith("google-vertex"):
        return "GOOGLE_CLOUD_PROJECT, beside Application Default Credentials"
    keys = [name for name in variables if _IS_KEY.search(name)]
    return " or ".join(variables) if len(keys) == len(variables) else " and ".join(variables)


def _key(provider: Provider, model: Model, environment: Mapping[str, str]) -> str:
    """The variable that holds the key, of a provider that has several."""
    npm = model.api.npm
    names = [name for name in provider.env if _IS_KEY.search(name)]
    if npm.startswith("@ai-sdk/amazon-bedrock"):
        names = ["AWS_BEARER_TOKEN_BEDROCK"]
    elif npm.startswith("@ai-sdk/google-vertex"):
        names = ["GOOGLE_VERTEX_API_KEY"]
    return next((environment[name] for name in names if environment.get(name)), "")


def vertex_host(location: str) -> str:
    """The server of a location; ``eu`` and ``us`` are several regions under one name."""
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in ("eu", "us"):
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


def _first(environment: Mapping[str, str], names: tuple[str, ...], default: str = "") -> str:
    return next((environment[name] for name in names if environment.get(name)), default)


def _fill_in(options: Options, variables: dict[str, str]) -> None:
    """What options say of the parts of an address that the catalogue has variables for."""
    project = options.get("project") or _first(variables, _PROJECT)
    location = str(options.get("location") or _first(variables, _LOCATION, LOCATION))
    variables["GOOGLE_VERTEX_LOCATION"] = location
    variables["GOOGLE_VERTEX_ENDPOINT"] = vertex_host(location)
    if project:
        variables["GOOGLE_VERTEX_PROJECT"] = str(project)
    for name, option in PARTS.items():
        if options.get(option):
            variables[name] = str(options[option])


def _azure(options: Options, provider: Provider, variables: dict[str, str]) -> None:
    name = next((n for n in provider.env if n.endswith("RESOURCE_NAME")), "AZURE_RESOURCE_NAME")
    resource = options.get("resourceName") or variables.get(name) or f"${{{name}}}"
    if options.get("baseURL"):
        return
    if "COGNITIVE" in name:
        tail = "" if options.get("useDeploymentBasedUrls") else "/v1"
        options["baseURL"] = f"https://{resource}.cognitiveservices.azure.com/openai{tail}"
    else:
        options["baseURL"] = f"https://{resource}.openai.azure.com/openai"


def _cloudflare(options: Options, provider: Provider, variables: dict[str, str]) -> None:
    """The gateway's own token goes in a header beside the one for an upstream provider's key."""
    token = options.pop("apiKey", None) or provider.key
    if token:
        own = {"cf-aig-authorization": f"Bearer {token}"}
        options["headers"] = {**own, **(options.get("headers") or {})}
    account = options.get("accountId") or "${CLOUDFLARE_ACCOUNT_ID}"
    gateway = options.get("gatewayId") or "${CLOUDFLARE_GATEWAY_ID}"
    options.setdefault("baseURL", _CLOUDFLARE_URL % (account, gateway))


def _merge(options: Options, _provider: Provider, _variables: dict[str, str]) -> None:
    """The gateway's OpenAI-compatible side; the catalogue has that of its own package."""
    options.setdefault("baseURL", _MERGE_URL)


def _vertex(publisher: str, version: str, tail: str = "") -> Place:
    def place(options: Options, _provider: Provider, variables: dict[str, str]) -> None:
        if options.get("baseURL"):
            return
        if options.get("apiKey") and publisher == "google":
            options["baseURL"] = VERTEX_EXPRESS
            return
        project = options.get("project") or _first(variables, _PROJECT, "${GOOGLE_VERTEX_PROJECT}")
        default = LOCATION if publisher == "google" else "global"
        location = str(options.get("location") or _first(variables, _LOCATION, default))
        options["baseURL"] = (
            f"https://{vertex_host(location)}/{version}/projects/{project}/locations/{location}"
            f"/publishers/{publisher}{tail}"
        )

    return place


def _bedrock(service: str = "") -> Place:
    def place(options: Options, _provider: Provider, variables: dict[str, str]) -> None:
        region = options.get("region") or _first(
            variables, ("AWS_REGION", "AWS_DEFAULT_REGION"), REGION
        )
        options["region"] = variables["AWS_REGION"] = str(region)
        if variables.get("AWS_PROFILE"):
            options.setdefault("profile", variables["AWS_PROFILE"])
        url = options.get("endpoint") or options.get("baseURL") or service.format(region=region)
        if url:
            options["baseURL"] = url

    return place


def _gitlab(options: Options, _provider: Provider, variables: dict[str, str]) -> None:
    instance = options.get("instanceUrl") or variables.get("GITLAB_INSTANCE_URL")
    options.setdefault("baseURL", instance or "https://gitlab.com")
    if variables.get("GITLAB_AI_GATEWAY_URL"):
        options.setdefault("aiGatewayUrl", variables["GITLAB_AI_GATEWAY_URL"])


def _watsonx(options: Options, _provider: Provider, variables: dict[str, str]) -> None:
    options.setdefault("projectId", variables.get("WATSONX_AI_PROJECT_ID", ""))


def _sap(options: Options, provider: Provider, variables: dict[str, str]) -> None:
    """The address is part of the key."""
    for name, variable in (
        ("deploymentId", "AICORE_DEPLOYMENT_ID"),
        ("resourceGroup", "AICORE_RESOURCE_GROUP"),
    ):
        options.setdefault(name, variables.get(variable, ""))
    try:
        key = msgspec.json.decode(str(options.get("apiKey") or provider.key or ""))
        options.setdefault("baseURL", str(key["serviceurls"]["AI_API_URL"]))
    except (msgspec.DecodeError, KeyError, TypeError):
        pass  # the wire says what is wrong with it


_PLACES: dict[str, Place] = {
    "@jerome-benoit/sap-ai-provider-v2": _sap,
    "gitlab-ai-provider": _gitlab,
    "watsonx-ai-provider": _watsonx,
    "@ai-sdk/azure": _azure,
    "@ai-sdk/google-vertex": _vertex("google", "v1beta1"),
    "@ai-sdk/google-vertex/anthropic": _vertex("anthropic", "v1", "/models"),
    "@ai-sdk/amazon-bedrock": _bedrock("https://bedrock-runtime.{region}.amazonaws.com"),
    "@ai-sdk/amazon-bedrock/mantle": _bedrock(),
    CLOUDFLARE: _cloudflare,
    "merge-gateway-ai-sdk-provider": _merge,
}
