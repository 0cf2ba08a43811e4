"""What drivers written for earlier versions of OpenCode still send."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.model_server import text
from tests.support.product import serving


@pytest.mark.parametrize(
    ("thinking", "effort"),
    [
        ({"type": "enabled", "budget_tokens": 2000}, "low"),
        ({"type": "enabled", "budget_tokens": 10_000}, "medium"),
        ({"type": "enabled", "budget_tokens": 60_000}, "high"),
        ({"type": "disabled"}, None),
    ],
)
async def test_thinking(tmp_path: Path, thinking: dict[str, Any], effort: str | None) -> None:
    async with serving(tmp_path, [text("ok")], model={"reasoning": True}) as ostler:
        await ostler.prompt(await ostler.create(), thinking=thinking)
        assert ostler.model.requests[0].get("reasoning_effort") == effort


async def test_thinking_of_a_model_that_does_not_reason(tmp_path: Path) -> None:
    async with serving(tmp_path, [text("ok")]) as ostler:
        await ostler.prompt(await ostler.create(), thinking={"type": "enabled"})
        assert "reasoning_effort" not in ostler.model.requests[0]


async def test_a_parent_by_its_older_name(tmp_path: Path) -> None:
    async with serving(tmp_path) as ostler:
        parent = await ostler.create()
        child = await ostler.create(parent_id=parent)
        assert (await ostler.get(f"/session/{child}"))["parentID"] == parent
