"""The reads of the newer API (``/api/…``) that OpenCode's terminal UI makes as it starts: the same
facts in its shapes."""

from typing import Annotated, Any, Literal

import msgspec

from ostler.config.references import reference_folders
from ostler.engine.commands import available
from ostler.engine.instance import Instance
from ostler.models import rehearsal
from ostler.project import files, search
from ostler.schema.agent import Agent
from ostler.schema.errors import BadRequest
from ostler.schema.part import ModelRef
from ostler.schema.provider import Model, Provider
from ostler.server.operation import Context, operation

Json = dict[str, Any]
NOTHING: Json = {"headers": {}, "body": {}}
"""What is added to a request: nothing is told here, it may hold secrets."""


async def _answer(context: Context, data: list[Json]) -> Json:
    return {"location": _location(await context.instance()), "data": data}


def _location(instance: Instance) -> Json:
    project = {"id": instance.project.id, "directory": instance.worktree}
    return {"directory": instance.directory, "project": project}


def _without_none(record: Json) -> Json:
    return {key: value for key, value in record.items() if value is not None}


@operation("GET /api/location", "v2.location.get", answer=Json)
async def location(context: Context) -> Json:
    return _location(await context.instance())


@operation("GET /api/agent", "v2.agent.list", answer=Json)
async def agents(context: Context) -> Json:
    instance = await context.instance()
    return await _answer(context, [_agent(a) for a in instance.agents.values()])


def _agent(agent: Agent) -> Json:
    return _without_none(
        {
            "id": agent.name,
            "model": _model_ref(agent.model, agent.variant),
            "request": NOTHING,
            "system": agent.prompt,
            "description": agent.description,
            "mode": agent.mode,
            "hidden": bool(agent.hidden),
            "color": agent.color,
            "steps": agent.steps,
            "permissions": [
                {"action": r.permission, "resource": r.pattern, "effect": r.action}
                for r in agent.permission
            ],
        }
    )


def _model_ref(model: ModelRef | None, variant: str | None) -> Json | None:
    if model is None:
        return None
    return _without_none({"id": model.modelID, "providerID": model.providerID, "variant": variant})


@operation("GET /api/provider", "v2.provider.list", answer=Json)
async def providers(context: Context) -> Json:
    found = await _providers(context)
    return await _answer(
        context,
        [
            {"id": p.id, "name": p.name, "api": _api(_first_model(p)), "request": NOTHING}
            for p in found
        ],
    )


@operation("GET /api/model", "v2.model.list", answer=Json)
async def models(context: Context) -> Json:
    found = await _providers(context)
    return await _answer(context, [_model(m) for p in found for m in p.models.values()])


async def _providers(context: Context) -> list[Provider]:
    instance = await context.instance()
    await instance.models.open()
    return list(instance.models.providers.values())


def _first_model(provider: Provider) -> Model:
    return next(iter(provider.models.values()))


def _api(model: Model) -> Json:
    if model.providerID == rehearsal.PROVIDER_ID:
        return {"type": "native", "settings": {}}
    url = {"url": model.api.url} if model.api.url else {}
    return {"type": "aisdk", "package": model.api.npm, **url}


def _model(model: Model) -> Json:
    capable, limit = model.capabilities, model.limit
    return _without_none(
        {
            "id": model.id,
            "providerID": model.providerID,
            "family": model.family,
            "name": model.name,
            "api": {"id": model.api.id, **_api(model)},
            "capabilities": {
                "tools": capable.toolcall,
                "input": _modalities(capable.input),
                "output": _modalities(capable.output),
            },
            "request": NOTHING,
            "variants": [{"id": name, **NOTHING} for name in model.variants or ()],
            "time": {"released": 0},
            "cost": [
                {
                    "input": model.cost.input,
                    "output": model.cost.output,
                    "cache": {"read": model.cost.cache.read, "write": model.cost.cache.write},
                }
            ],
            "status": model.status,
            "enabled": True,
            "limit": _without_none(
                {
                    "context": int(limit.context),
                    "input": int(limit.input) if limit.input is not None else None,
                    "output": int(limit.output),
                }
            ),
        }
    )


def _modalities(modalities: Any) -> list[str]:
    return [name for name in modalities.__struct_fields__ if getattr(modalities, name)]


@operation("GET /api/command", "v2.command.list", answer=Json)
async def commands(context: Context) -> Json:
    instance = await context.instance()
    return await _answer(
        context,
        [
            _without_none(
                {
                    "name": c.name,
                    "template": c.template,
                    "description": c.description,
                    "agent": c.agent,
                    "subtask": c.subtask,
                }
            )
            for c in (await available(instance)).values()
        ],
    )


@operation("GET /api/skill", "v2.skill.list", answer=Json)
async def skills(context: Context) -> Json:
    instance = await context.instance()
    return await _answer(
        context,
        [
            _without_none(
                {
                    "name": s.name,
                    "description": s.description,
                    "location": s.location,
                    "content": s.content,
                }
            )
            for s in instance.skills
        ],
    )


@operation("GET /api/reference", "v2.reference.list", answer=Json)
async def references(context: Context) -> Json:
    instance = await context.instance()
    home = context.runtime.paths.home
    found = [
        {"name": name, "path": path, "source": {"type": "local", "path": path}}
        for name, path in reference_folders(instance.loaded, instance.directory, home).items()
    ]
    return await _answer(context, found)


@operation("GET /api/integration", "v2.integration.list", answer=Json)
async def integrations(context: Context) -> Json:
    """Ways to sign in: none but keys, which are not told here."""
    return await _answer(context, [])


class FindQuery(msgspec.Struct):
    query: str
    type: Literal["file", "directory"] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 20


@operation("GET /api/fs/find", "v2.fs.find", query=FindQuery, answer=Json)
async def find(context: Context) -> Json:
    instance = await context.instance()
    query: FindQuery = context.query
    try:
        found = await files.find(query.query, instance.directory, query.limit, query.type)
    except search.SearchFailed as e:
        raise BadRequest(str(e), "Query") from None
    entries = [
        {"path": path.rstrip("/"), "type": "directory" if path.endswith("/") else "file"}
        for path in found
    ]
    return await _answer(context, entries)
