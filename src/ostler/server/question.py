"""Questions that wait, and their answers."""

from ostler.question import Questions
from ostler.schema.question import QuestionReplyInput, QuestionRequest
from ostler.server.operation import Context, operation


@operation("GET /question", "question.list", answer=list[QuestionRequest])
async def list_questions(context: Context) -> list[QuestionRequest]:
    return (await context.instance()).questions.pending()


@operation(
    "POST /question/{requestID}/reply",
    "question.reply",
    body=QuestionReplyInput,
    answer=bool,
    errors=(404,),
)
async def reply(context: Context) -> bool:
    questions = await _owner(context)
    questions.reply(context.params["requestID"], context.body.answers)
    return True


@operation("POST /question/{requestID}/reject", "question.reject", answer=bool, errors=(404,))
async def reject(context: Context) -> bool:
    questions = await _owner(context)
    questions.reject(context.params["requestID"])
    return True


async def _owner(context: Context) -> Questions:
    """Questions are found in whatever directory they wait."""
    instance = await context.instance()
    request_id = context.params["requestID"]
    for other in context.runtime.instances():
        if any(q.id == request_id for q in other.questions.pending()):
            return other.questions
    return instance.questions
