"""The control plane over HTTP: runs as JSON and as pages, begun, answered and ended there.

    GET  /                     the runs, as a page
    GET  /view/{id}            a run, as a page that keeps up to date
    GET  /runs                 the runs, the newest first
    POST /runs                 begin one: Begin
    GET  /runs/{id}            a run with its stages and attempts
    POST /runs/{id}/answer     {reply}: what a person says to what it waits for
    POST /runs/{id}/cancel     and pause
    POST /runs/{id}/retry      {stage?}: what did not pass, or a stage and all that need it
    POST /runs/{id}/fork       {stage?, inputs?}: the same in a new run

An error is ``{"name", "data": {"message"}}``. What is begun is carried out by whoever takes from
the queue.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from ostler.client import ClientError
from ostler.control.asks import answer
from ostler.control.kept import view_of, whole
from ostler.control.plan_file import plan_of, resolve_inputs
from ostler.control.plane import ControlPlane, end_run
from ostler.control.preflight import PreflightError, check_run
from ostler.control.problems import PlanError
from ostler.control.report import Live, html, runs_html
from ostler.control.store import OVER, ControlError, Run, UnknownRun
from ostler.schema.base import JsonObject
from ostler.schema.errors import OstlerError
from ostler.server.access import Access, Guard
from ostler.server.asgi import (
    ClientGone,
    Receive,
    Request,
    Response,
    Router,
    Scope,
    Send,
    decode_json,
    json_response,
    send_response,
)

SHOWN = 200
"""Runs in a list."""
STATUSES: dict[type[OstlerError], int] = {
    UnknownRun: 404,
    PlanError: 400,
    PreflightError: 400,
    ControlError: 409,
    ClientError: 502,
}
_FORM = "application/x-www-form-urlencoded"


class Begin(msgspec.Struct, forbid_unknown_fields=True):
    """``flow`` is a flow file's content, as JSON."""

    flow: JsonObject
    servers: list[str]
    directory: str
    inputs: JsonObject = {}
    attended: bool = False
    tenant: str = ""


class Answer(msgspec.Struct):
    reply: str


class From(msgspec.Struct):
    stage: str = ""
    inputs: JsonObject = {}


class Dashboard:
    """An ASGI application over a started control plane."""

    def __init__(self, plane: ControlPlane, access: Access) -> None:
        self._plane, self._guard = plane, Guard(access)
        self._router = Router()
        routes: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "GET /": self._home,
            "GET /view/{id}": self._view,
            "GET /runs": self._runs,
            "POST /runs": self._begin,
            "GET /runs/{id}": self._show,
            "POST /runs/{id}/answer": self._answer,
            "POST /runs/{id}/cancel": partial(self._end, "cancelled"),
            "POST /runs/{id}/pause": partial(self._end, "paused"),
            "POST /runs/{id}/retry": self._retry,
            "POST /runs/{id}/fork": self._fork,
        }
        for route, handler in routes.items():
            method, _, path = route.partition(" ")
            self._router.add(method, path, handler)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for word in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{word}.complete"})
        elif scope["type"] == "http":
            request = Request(scope, receive)
            try:
                response = self._guard.refuse(request) or await self._respond(request)
            except ClientGone:
                return
            await send_response(send, response, [("cache-control", "no-store")])

    async def close_streams(self) -> None:
        """There are none."""

    async def _respond(self, request: Request) -> Response:
        found = self._router.find(request.method, request.path)
        if found is None:
            return _refused("NotFoundError", f"no such route: {request.method} {request.path}", 404)
        handler: Callable[[Request], Awaitable[Response]]
        handler, request.path_params = found
        try:
            return await handler(request)
        except OstlerError as e:
            kinds = (status for kind, status in STATUSES.items() if isinstance(e, kind))
            status = getattr(e, "status", None) or next(kinds, 500)
            return _refused(type(e).__name__, str(e), status)

    # ── pages ────────────────────────────────────────────────────────────────────────────────

    async def _home(self, request: Request) -> Response:
        runs = await asyncio.to_thread(self._plane.store.runs, SHOWN)
        return _page(runs_html([(run, await self._waits(run)) for run in runs]))

    async def _view(self, request: Request) -> Response:
        run = await self._run(request)
        view = await asyncio.to_thread(view_of, self._plane.store, run)
        return _page(html(view, Live(run.status, await self._waits(run))))

    async def _waits(self, run: Run) -> list[JsonObject]:
        if run.status in OVER:
            return []
        attempts = await asyncio.to_thread(self._plane.store.attempts, run.id)
        return [a.waiting for a in attempts if a.waiting is not None]

    # ── runs ─────────────────────────────────────────────────────────────────────────────────

    async def _run(self, request: Request) -> Run:
        return await asyncio.to_thread(self._plane.store.run, request.path_params["id"])

    async def _runs(self, request: Request) -> Response:
        return json_response(await asyncio.to_thread(self._plane.store.runs, SHOWN))

    async def _show(self, request: Request) -> Response:
        run = await self._run(request)
        return json_response(await asyncio.to_thread(whole, self._plane.store, run))

    async def _begin(self, request: Request) -> Response:
        begin = await _said(request, Begin)
        plan = plan_of(begin.flow)
        if not begin.servers:
            raise ControlError("the run names no server")
        inputs = resolve_inputs(plan, begin.inputs)
        plane = self._plane
        await check_run(plane.context.pool, plan, begin.servers, begin.directory, begin.attended)
        run = await plane.add(
            plan, inputs, begin.directory, begin.servers, begin.attended, begin.tenant
        )
        await plane.start(run, queued=True)
        return json_response(run, 201)

    async def _answer(self, request: Request) -> Response:
        given = await _said(request, Answer)
        run = await self._run(request)
        attempts = await asyncio.to_thread(self._plane.store.attempts, run.id)
        waiting = [attempt for attempt in attempts if attempt.waiting]
        if not waiting:
            raise ControlError(f"{run.id} waits for nobody")
        await answer(
            self._plane.context.pool.server(waiting[0].server).client, waiting[0], given.reply
        )
        return await self._done(request, run)

    async def _end(self, status: str, request: Request) -> Response:
        run = await self._run(request)
        await end_run(self._plane.store, self._plane.context.pool, run, status)
        return await self._done(request, run)

    async def _retry(self, request: Request) -> Response:
        given = await _said(request, From)
        run = await self._run(request)
        await self._plane.restart(run, given.stage or None, queued=True)
        return await self._done(request, run)

    async def _fork(self, request: Request) -> Response:
        given = await _said(request, From)
        run = await self._run(request)
        inputs = resolve_inputs(run.described, {**run.inputs, **given.inputs})
        fresh = await self._plane.fork(run, given.stage or None, inputs)
        await self._plane.start(fresh, queued=True)
        return await self._done(request, fresh, 201)

    async def _done(self, request: Request, run: Run, status: int = 200) -> Response:
        """Back to the page for who came from it."""
        if request.headers.get("content-type", "").startswith(_FORM):
            return Response(b"", 303, "", [("location", f"/view/{run.id}")])
        return json_response(await asyncio.to_thread(self._plane.store.run, run.id), status)


async def _said(request: Request, kind: type[Any]) -> Any:
    """The body, as JSON or from a page's form. Raises BadRequest."""
    body, media = await request.body(), request.headers.get("content-type", "")
    if media.startswith(_FORM):
        fields = dict(parse_qsl(body.decode(errors="replace")))
        body, media = msgspec.json.encode(fields), ""
    return decode_json(body or b"{}", msgspec.json.Decoder(kind), media)


def _page(text: str) -> Response:
    return Response(text.encode(), 200, "text/html; charset=utf-8")


def _refused(name: str, message: str, status: int) -> Response:
    return json_response({"name": name, "data": {"message": message}}, status)
