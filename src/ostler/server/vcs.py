"""The project's version control."""

from typing import Literal

import msgspec

from ostler.project import vcs
from ostler.project.checkout import Checkout, find_checkout
from ostler.project.patch import WHOLE_FILE
from ostler.schema.base import NonNegative
from ostler.schema.vcs import VcsApplied, VcsApplyInput, VcsFileDiff, VcsFileStatus, VcsInfo
from ostler.server.asgi import Response
from ostler.server.operation import Context, operation


class DiffQuery(msgspec.Struct):
    mode: Literal["git", "branch"]
    context: NonNegative = WHOLE_FILE


@operation("GET /vcs", "vcs.get", answer=VcsInfo)
async def info(context: Context) -> VcsInfo:
    (await context.instance()).branch.look()
    return await vcs.info(await _checkout(context))


@operation("GET /vcs/status", "vcs.status", answer=list[VcsFileStatus])
async def status(context: Context) -> list[VcsFileStatus]:
    return await vcs.status(await _checkout(context))


@operation("GET /vcs/diff", "vcs.diff", query=DiffQuery, answer=list[VcsFileDiff])
async def diff(context: Context) -> list[VcsFileDiff]:
    query: DiffQuery = context.query
    return await vcs.diff(await _checkout(context), query.mode, query.context)


@operation("GET /vcs/diff/raw", "vcs.diff.raw", answer=str, answer_type="text/x-diff")
async def raw_diff(context: Context) -> Response:
    text = await vcs.raw_diff(await _checkout(context))
    return Response(text.encode(), content_type="text/x-diff; charset=utf-8")


@operation("POST /vcs/apply", "vcs.apply", body=VcsApplyInput, answer=VcsApplied)
async def apply(context: Context) -> VcsApplied:
    await vcs.apply(await _checkout(context), context.body.patch)
    return VcsApplied(applied=True)


async def _checkout(context: Context) -> Checkout | None:
    instance = await context.instance()
    return find_checkout(instance.directory)
