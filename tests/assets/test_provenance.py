"""What is told of an agent's reply."""

import pytest
from dagster import AssetMaterialization
from hypothesis import given
from hypothesis import strategies as st

from rocm_pipeline.assets.provenance import replied, reply_tags, tag_value
from rocm_pipeline.planning.rules import make_plan
from tests.fakes.values import a_target, an_exchange


@given(st.text())
def test_any_text_becomes_a_tag_that_dagster_takes(text: str) -> None:
    value = tag_value(text)
    AssetMaterialization("a", tags={"rocm/model": value})
    assert len(value) <= 63


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("qwen2.5-coder:7b", "qwen2.5-coder-7b"),
        ("rocm-pipeline/templates", "rocm-pipeline-templates"),
        ("x" * 80, "x" * 63),
        ("", ""),
    ],
)
def test_a_tag_stays_readable(text: str, expected: str) -> None:
    assert tag_value(text) == expected


def test_tags_are_short_and_metadata_hold_everything() -> None:
    task = make_plan(a_target(), "c0ffee", ()).tasks[0]
    exchange = an_exchange(task)
    tags = reply_tags(exchange)
    assert tags["rocm/prompt"] == exchange.prompt_sha256[:16]
    assert tags["rocm/model_digest"] == exchange.model_digest.removeprefix("sha256:")[:16]
    event = replied("row_softmax", exchange, "taken")
    assert event.partition == f"row_softmax.{task.id}"
    assert event.metadata["prompt_sha256"].value == exchange.prompt_sha256
    assert event.metadata["seed"].value == exchange.seed
    assert event.metadata["verdict"].value == "taken"
