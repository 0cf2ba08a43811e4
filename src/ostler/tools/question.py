"""``question``: asks the person and waits for the answers."""

from typing import Annotated

import msgspec

from ostler.schema.question import QuestionInfo, QuestionOption
from ostler.tools.tool import ToolContext, ToolResult, define


class Option(msgspec.Struct, kw_only=True):
    label: Annotated[str, msgspec.Meta(description="The choice in one to five words")]
    description: Annotated[str, msgspec.Meta(description="What choosing it means")]


class Question(msgspec.Struct, kw_only=True):
    question: Annotated[str, msgspec.Meta(description="The whole question")]
    header: Annotated[str, msgspec.Meta(description="A label of at most 30 characters")]
    options: Annotated[list[Option], msgspec.Meta(description="The choices")]
    multiple: Annotated[bool, msgspec.Meta(description="Whether several may be chosen")] | None = (
        None
    )


class Params(msgspec.Struct, kw_only=True):
    questions: Annotated[list[Question], msgspec.Meta(description="What to ask")]


DESCRIPTION = """\
Asks the user and waits for the answer. Use it for a preference, an unclear instruction or a \
decision that is theirs; not for what you can find out yourself.

The user may always type an answer of their own, so offer no "other". Put the choice you recommend \
first and say so in its label. Answers come back as the labels chosen."""


async def execute(params: Params, context: ToolContext) -> ToolResult:
    questions = [
        QuestionInfo(
            question=q.question,
            header=q.header,
            options=[QuestionOption(o.label, o.description) for o in q.options],
            multiple=q.multiple,
        )
        for q in params.questions
    ]
    answers = await context.host.question(questions)
    # Whoever answers may leave the last questions out.
    answers = [*answers, *([] for _ in questions[len(answers) :])]
    told = ", ".join(
        f'"{q.question}"="{", ".join(answer) or "Unanswered"}"'
        for q, answer in zip(questions, answers, strict=False)
    )
    count = len(questions)
    return ToolResult(
        f"User has answered your questions: {told}. "
        "You can now continue with the user's answers in mind.",
        f"Asked {count} question{'' if count == 1 else 's'}",
        {"answers": answers},
    )


TOOL = define("question", DESCRIPTION, Params, execute)
