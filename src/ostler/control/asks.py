"""What is done when a session asks for a permission or has a question: rules, a reviewer model, a
person, and a deadline."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, get_args

import msgspec

from ostler.client import AsyncClient, ClientError
from ostler.control.contract import checked
from ostler.control.plan import Asks, Reply
from ostler.control.spending import Spent
from ostler.control.store import Attempt, ControlError
from ostler.permission import matches
from ostler.schema.base import JsonObject
from ostler.schema.permission import PermissionRequest
from ostler.schema.question import QuestionRequest

REVIEW_SECONDS = 120.0
REVIEW: JsonObject = {
    "type": "object",
    "properties": {"allow": {"type": "boolean"}, "reason": {"type": "string"}},
    "required": ["allow"],
}
ADVICE: JsonObject = {
    "type": "object",
    "properties": {
        "answers": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}
    },
    "required": ["answers"],
}
REVIEWER = (
    "You review what a coding agent asks to do while nobody watches it. Allow what serves its task "
    "and can be undone; refuse what destroys data, leaks secrets, or reaches outside its project."
)


class Asker:
    """Answers what one attempt's session and its subagents ask. ``waiting`` is what a person is
    asked for now, for who shows it; ``show`` is called when that changes. ``refused`` are the
    requests that the deadline or a rule refused; ``spent`` is what the reviewer took."""

    def __init__(
        self,
        client: AsyncClient,
        directory: str,
        asks: Asks,
        task: str,
        show: Callable[[JsonObject | None], Awaitable[None]],
    ) -> None:
        self._client, self._directory, self._asks = client, directory, asks
        self._task, self._show = task, show
        self._since: dict[str, float] = {}
        self.waiting: JsonObject | None = None
        self.refused: list[JsonObject] = []
        self.spent = Spent()

    async def settle(self, sessions: Sequence[str]) -> float:
        """Answer what can be answered; seconds until a deadline needs another look (infinite: none
        does). Raises ClientError."""
        mine = set(sessions)
        permissions = await self._client.permission.list(directory=self._directory)
        questions = await self._client.question.list(directory=self._directory)
        open_permissions = [p for p in permissions if p.sessionID in mine]
        open_questions = [q for q in questions if q.sessionID in mine]
        waiting: JsonObject | None = None
        for permission in open_permissions:
            if not await self._answered(permission):
                waiting = {
                    "kind": "permission",
                    "permission": permission.permission,
                    "patterns": permission.patterns,
                    **self._asked(permission.id),
                }
        for question in open_questions:
            if not await self._replied(question):
                waiting = {
                    "kind": "question",
                    "questions": msgspec.to_builtins(question.questions),
                    **self._asked(question.id),
                }
        open_ids = {*(p.id for p in open_permissions), *(q.id for q in open_questions)}
        self._since = {k: v for k, v in self._since.items() if k in open_ids}
        if waiting != self.waiting:
            self.waiting = waiting
            await self._show(waiting)
        if waiting is None:
            return float("inf")
        return max(0.1, float(waiting["since"]) + self._asks.deadline - time.time())

    def _asked(self, request_id: str) -> JsonObject:
        return {"id": request_id, "since": self._since[request_id]}

    def _is_late(self, request_id: str) -> bool:
        since = self._since.setdefault(request_id, time.time())
        return time.time() >= since + self._asks.deadline

    async def _answered(self, request: PermissionRequest) -> bool:
        late = self._is_late(request.id)
        reply = rule_for(request, self._asks) or (self._asks.default if late else None)
        if reply is None and self._asks.reviewer:
            reply = await self._reviewed(msgspec.to_builtins(request))
        if reply is None:
            return False
        if reply == "reject":
            self.refused.append(msgspec.to_builtins(request))
        message = "Refused by the rules of this run." if reply == "reject" else None
        await self._client.permission.reply(
            request.id, reply=reply, message=message, directory=self._directory
        )
        return True

    async def _replied(self, request: QuestionRequest) -> bool:
        late = self._is_late(request.id)
        if self._asks.questions == "reviewer" and not late and await self._advised(request):
            return True
        if self._asks.questions != "reject" and not late:
            return False
        self.refused.append(msgspec.to_builtins(request))
        await self._client.question.reject(request.id, directory=self._directory)
        return True

    async def _advised(self, request: QuestionRequest) -> bool:
        """Whether the reviewer had an answer to each question."""
        value = await self._review(
            msgspec.to_builtins(request.questions),
            'Answer its questions, in order, as JSON alone: {"answers": [["…"], …]}, each with the '
            "labels of the options you choose, or words of your own.",
            ADVICE,
        )
        if value is None or len(value["answers"]) != len(request.questions):
            return False
        await self._client.question.reply(
            request.id, answers=value["answers"], directory=self._directory
        )
        return True

    async def _reviewed(self, request: JsonObject) -> Reply | None:
        """What the reviewer says; None: it said nothing that can be used, so a person is asked."""
        how = 'Answer with JSON alone: {"allow": true or false, "reason": "…"}'
        value = await self._review(request, how, REVIEW)
        return None if value is None else ("once" if value["allow"] else "reject")

    async def _review(self, request: Any, how: str, contract: JsonObject) -> Any:
        """The reviewer's value; None: it said nothing that can be used."""
        if self._asks.reviewer is None:
            return None
        said = msgspec.json.encode(request).decode()
        session = await self._client.session.create(
            title="review", directory=self._directory, permission=DENY_ALL
        )
        try:
            answer = await self._client.prompt(
                session.id,
                f"The agent's task:\n{self._task}\n\nWhat it asks for:\n{said}\n\n{how}",
                model=self._asks.reviewer,
                system=REVIEWER,
                deadline=REVIEW_SECONDS,
                directory=self._directory,
            )
            self.spent += Spent(msgspec.to_builtins(answer.info.tokens), answer.info.cost)
            value, failure = checked(answer.text, None, contract)
            return None if failure else value
        except ClientError:
            return None
        finally:
            await self._client.session.delete(session.id, directory=self._directory)


DENY_ALL = [{"permission": "*", "pattern": "*", "action": "deny"}]


async def answer(client: AsyncClient, attempt: Attempt, reply: str) -> None:
    """A person's word to what an attempt waits for: once, always or reject; to questions the answer
    to each. Raises ControlError, ClientError."""
    asked: Any = attempt.waiting
    if asked["kind"] == "question":
        answers = [[reply] for _ in asked["questions"]]
        await client.question.reply(asked["id"], answers=answers, directory=attempt.directory)
    elif reply in get_args(Reply):
        given: Any = reply
        await client.permission.reply(asked["id"], reply=given, directory=attempt.directory)
    else:
        raise ControlError(f"{reply}: a permission is answered once, always or reject")


def rule_for(request: PermissionRequest, asks: Asks) -> Reply | None:
    """The first rule that covers all that is asked for."""
    for rule in asks.permissions:
        if matches(request.permission, rule.permission) and all(
            matches(pattern, rule.pattern) for pattern in request.patterns
        ):
            return rule.reply
    return None
