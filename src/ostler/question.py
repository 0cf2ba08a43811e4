"""Questions that wait for an answer: from a person, the session's policy, or the deadline."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from ostler import ids
from ostler.schema.errors import BadRequest, QuestionRejected, TaggedNotFound, ToolError
from ostler.schema.question import QuestionAnswer, QuestionInfo, QuestionRequest, QuestionTool
from ostler.schema.session import Unattended

DEFAULT_DEADLINE = 24 * 3600.0
"""Seconds an unanswered question waits before it counts as dismissed."""

UNATTENDED_MESSAGE = (
    "Nobody is attending this session, so the question cannot be answered. "
    "Decide yourself and say what you assumed."
)

Answers = list[QuestionAnswer]


class _Pending(msgspec.Struct):
    request: QuestionRequest
    answer: "asyncio.Future[Answers | None]"


class Questions:
    """The questions of one directory that wait.

    ``asked`` is called with each request; ``answered`` with the request and its answers, None when
    it was dismissed (the runtime publishes events).
    """

    def __init__(
        self,
        asked: Callable[[QuestionRequest], None],
        answered: Callable[[QuestionRequest, Answers | None], None],
        deadline: float = DEFAULT_DEADLINE,
    ) -> None:
        self._asked, self._answered, self._deadline = asked, answered, deadline
        self._pending: dict[str, _Pending] = {}

    def pending(self) -> list[QuestionRequest]:
        return [p.request for p in self._pending.values()]

    async def ask(
        self,
        session_id: str,
        questions: Sequence[QuestionInfo],
        tool: QuestionTool | None = None,
        unattended: Unattended | None = None,
    ) -> Answers:
        """One list of labels per question. Raises QuestionRejected, or ToolError at the deadline
        and where the unattended policy does not answer."""
        if unattended is not None:
            if unattended.question == "first":
                return [[q.options[0].label] if q.options else [] for q in questions]
            raise ToolError(unattended.message or UNATTENDED_MESSAGE)
        request = QuestionRequest(
            id=ids.new("que"), sessionID=session_id, questions=list(questions), tool=tool
        )
        pending = _Pending(request, asyncio.get_running_loop().create_future())
        self._pending[request.id] = pending
        self._asked(request)
        try:
            async with asyncio.timeout(self._deadline):
                answers = await pending.answer
        except TimeoutError:
            self._settle(pending, None)
            raise ToolError(
                f"Nobody answered the question within {self._deadline:.0f} s; "
                "it counts as dismissed."
            ) from None
        except asyncio.CancelledError:
            self._settle(pending, None)
            raise
        if answers is None:
            raise QuestionRejected
        return answers

    def reply(self, request_id: str, answers: Answers) -> None:
        """Answer a question. Raises TaggedNotFound, or BadRequest when there are more answers
        than questions."""
        pending = self._find(request_id)
        wanted = len(pending.request.questions)
        if len(answers) > wanted:
            raise BadRequest(f"answers has {len(answers)} entries for {wanted} question(s)")
        self._settle(pending, answers)

    def reject(self, request_id: str) -> None:
        """Dismiss a question. Raises TaggedNotFound."""
        self._settle(self._find(request_id), None)

    def reject_session(self, session_id: str) -> None:
        for pending in list(self._pending.values()):
            if pending.request.sessionID == session_id:
                self._settle(pending, None)

    def close(self) -> None:
        for pending in list(self._pending.values()):
            self._settle(pending, None)

    def _find(self, request_id: str) -> _Pending:
        pending = self._pending.get(request_id)
        if pending is None:
            raise TaggedNotFound("Question", "requestID", request_id)
        return pending

    def _settle(self, pending: _Pending, answers: Answers | None) -> None:
        if self._pending.pop(pending.request.id, None) is None:
            return
        if not pending.answer.done():
            pending.answer.set_result(answers)
        self._answered(pending.request, answers)
