import subprocess
from pathlib import Path

import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.planning.claude.call import Purpose
from rocm_pipeline.planning.claude.settings import (
    KEY_VARIABLE,
    URL_VARIABLE,
    OnUnknown,
    api_key,
    base_url,
    has_key,
    read_settings,
    take_key,
)


def home_with(folder: Path, text: str) -> Path:
    (folder / "claude.yaml").write_text(text)
    return folder


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = read_settings(tmp_path)
    assert settings == read_settings()
    assert set(settings.calls) == set(Purpose)
    assert settings.unknown is OnUnknown.HOLD
    assert settings.budgets.day.usd is not None


def test_every_default_model_has_a_price() -> None:
    settings = read_settings()
    table = settings.price_table()
    models = {call.model for call in settings.calls.values()}
    for model in models | {settings.baselines.best, settings.baselines.cheapest}:
        table.require(model)


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    text = """
calls: {review: {model: claude-sonnet-5-5}}
budgets: {day: {usd: 3, tokens: 1000000}}
unknown: resend
cache_ttl: 1h
"""
    settings, defaults = read_settings(home_with(tmp_path, text)), read_settings()
    review, plan = settings.of(Purpose.REVIEW), settings.of(Purpose.PLAN)
    assert review.model == "claude-sonnet-5-5"
    assert review.max_tokens == defaults.of(Purpose.REVIEW).max_tokens
    assert plan == defaults.of(Purpose.PLAN)
    assert (settings.budgets.day.usd, settings.budgets.day.tokens) == (3, 1_000_000)
    assert settings.budgets.run == defaults.budgets.run
    assert (settings.unknown, settings.cache_ttl) == (OnUnknown.RESEND, "1h")


def test_a_file_may_bring_the_price_of_another_model(tmp_path: Path) -> None:
    text = """
calls: {plan: {model: claude-later-7}}
prices:
  - model: claude-later-7
    effective: 2027-01-01
    source: the price list of that day
    bands: [{in: 1, out: 2, cache_read: 0.1, cache_write_5m: 1.25, cache_write_1h: 2}]
"""
    settings = read_settings(home_with(tmp_path, text))
    assert settings.price_table().row("claude-later-7", 0.0).bands[0].out == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("calls: {plan: {model: claude-nobody}}", "'claude-nobody' has no price"),
        ("calls: {plan: {effort: enormous}}", "calls.plan.effort"),
        ("calls: {poem: {model: claude-opus-5-5}}", "calls.poem"),
        ("calls: {plan: {max_tokens: 0}}", "calls.plan.max_tokens"),
        ("budgets: {day: {usd: -1}}", "budgets.day.usd"),
        ("budgets: {week: {usd: 1}}", "budgets.week"),
        ("unknown: guess", "unknown"),
        ("api_key: x", "api_key"),
        ("batch: true\nbatch: false", "'batch' twice"),
        ("- a list", "holds no mapping"),
        ("baselines: {best: claude-nobody}", "'claude-nobody' has no price"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        read_settings(home_with(tmp_path, text))
    line = str(caught.value)
    assert words in line
    assert str(tmp_path / "claude.yaml") in line
    assert "\n" not in line


def test_a_file_that_is_no_text_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "claude.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="no UTF-8"):
        read_settings(tmp_path)


def test_a_link_that_leads_nowhere_is_not_taken_for_no_file(tmp_path: Path) -> None:
    (tmp_path / "claude.yaml").symlink_to("nowhere")
    with pytest.raises(UserError, match="cannot be read"):
        read_settings(tmp_path)


def test_key_and_address_come_from_the_environment() -> None:
    assert has_key({KEY_VARIABLE: "sk-ant-x"})
    assert not has_key({KEY_VARIABLE: " "})
    assert not has_key({})
    assert base_url({URL_VARIABLE: "http://127.0.0.1:1/"}) == "http://127.0.0.1:1"
    assert base_url({}) == "https://api.anthropic.com"


def test_a_key_that_was_taken_is_known_here_and_inherited_by_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rocm_pipeline.planning.claude.settings._Taken.key", None)
    monkeypatch.setenv(KEY_VARIABLE, "sk-ant-x")
    take_key()
    assert api_key() == "sk-ant-x"
    take_key()
    assert has_key()
    inherited = subprocess.run(["/usr/bin/env"], check=True, capture_output=True, text=True).stdout
    assert "sk-ant-x" not in inherited


def test_one_purpose_can_be_asked_of_another_model() -> None:
    settings = read_settings()
    other = settings.asking(Purpose.BASELINE, settings.baselines.cheapest)
    assert other.of(Purpose.BASELINE).model == settings.baselines.cheapest
    assert other.of(Purpose.PLAN) == settings.of(Purpose.PLAN)
