"""Tokens and money: a provider's usage as the API counts it, its price, and what fits a model.

Rules and numbers: OpenCode 1.18.
"""

from ostler.models.delta import Usage
from ostler.schema.config import CompactionConfig
from ostler.schema.provider import Cost, Model, ModelCost
from ostler.schema.session import CacheTokens, Tokens

OUTPUT_LIMIT = 32_000
"""Most tokens asked for in one answer, whatever the model could give."""
RESERVED = 20_000
CHARACTERS_PER_TOKEN = 4


def tokens_of(usage: Usage) -> Tokens:
    """Input without cache reads and writes, output without reasoning."""
    plain_input = max(0, usage.input - usage.cache_read - usage.cache_write)
    plain_output = max(0, usage.output - usage.reasoning)
    return Tokens(
        input=plain_input,
        output=plain_output,
        reasoning=usage.reasoning,
        cache=CacheTokens(read=usage.cache_read, write=usage.cache_write),
        total=usage.total if usage.total is not None else (usage.input + usage.output) or None,
    )


def cost_of(tokens: Tokens, price: ModelCost) -> float:
    """USD. Reasoning costs what output costs; the size of the whole input picks the tier."""
    rates: Cost | ModelCost = price
    size = tokens.input + tokens.cache.read + tokens.cache.write
    tiers = [t for t in price.tiers or () if size > t.tier.size]
    if tiers:
        largest = max(tiers, key=lambda t: t.tier.size)
        rates = Cost(input=largest.input, output=largest.output, cache=largest.cache)
    elif price.experimentalOver200K is not None and size > 200_000:
        rates = price.experimentalOver200K
    return (
        tokens.input * rates.input
        + (tokens.output + tokens.reasoning) * rates.output
        + tokens.cache.read * rates.cache.read
        + tokens.cache.write * rates.cache.write
    ) / 1_000_000


def max_output(model: Model) -> int:
    """Tokens to ask for at most; OUTPUT_LIMIT where the model states no limit."""
    return min(int(model.limit.output) or OUTPUT_LIMIT, OUTPUT_LIMIT)


def usable(model: Model, config: CompactionConfig) -> int | None:
    """Tokens a conversation may have before it is compacted; None: never."""
    if not model.limit.context or config.auto is False:
        return None
    if model.limit.input:
        reserved = config.reserved
        if reserved is None:
            reserved = min(RESERVED, max_output(model))
        return max(0, int(model.limit.input) - reserved)
    if config.reserved is not None:
        return max(0, int(model.limit.context) - config.reserved)
    return max(0, int(model.limit.context) - max_output(model))


def overflows(tokens: Tokens, model: Model, config: CompactionConfig) -> bool:
    limit = usable(model, config)
    if limit is None:
        return False
    counted = tokens.total or (
        tokens.input + tokens.output + tokens.cache.read + tokens.cache.write
    )
    return counted >= limit


def estimate(text: str | int) -> int:
    """Tokens of a text, or of so many characters, where nobody counts: four characters each."""
    return max(0, round((text if isinstance(text, int) else len(text)) / CHARACTERS_PER_TOKEN))
