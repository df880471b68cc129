from datetime import datetime, timezone
from decimal import Decimal

import pytest
from pydantic import ValidationError

from rocm_pipeline.errors import UserError
from rocm_pipeline.planning.claude.prices import PriceRow, Prices, Tokens, shipped_rows


def at(day: str) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=timezone.utc).timestamp()


NOW = at("2026-11-22")
PRICES = Prices(shipped_rows())


def test_each_kind_of_token_has_its_price() -> None:
    million = 1_000_000
    kinds = {
        "fresh": "4",
        "out": "20",
        "cache_read": "0.2",
        "cache_write_5m": "5",
        "cache_write_1h": "8",
    }
    for kind, usd in kinds.items():
        assert PRICES.price(Tokens(**{kind: million}), "claude-opus-5-5", NOW) == Decimal(usd)


def test_a_price_is_exact_and_adds_up() -> None:
    tokens = Tokens(fresh=7, cache_write_5m=11, cache_read=13, out=17)
    assert PRICES.price(tokens, "claude-opus-5-5", NOW) == Decimal("0.0004256")


def test_a_batch_costs_half() -> None:
    tokens = Tokens(fresh=1000, out=1000)
    whole = PRICES.price(tokens, "claude-sonnet-5-5", NOW)
    assert PRICES.price(tokens, "claude-sonnet-5-5", NOW, batch=True) == whole / 2


@pytest.mark.parametrize(
    ("prompt", "usd"),
    [
        (Tokens(fresh=100_000), "0.01"),
        (Tokens(fresh=100_001), "0.0500005"),
        (Tokens(fresh=1, cache_read=100_000), "0.0050005"),
        (Tokens(cache_read=100_000), "0.001"),
    ],
)
def test_the_whole_prompt_decides_on_the_band_cached_or_not(prompt: Tokens, usd: str) -> None:
    assert PRICES.price(prompt, "claude-haiku-5-5", NOW) == Decimal(usd)


def test_the_day_of_the_call_decides_on_the_row() -> None:
    read = Tokens(cache_read=1_000_000)
    days = {"2026-01-01": "0.2", "2026-10-06": "0.2", "2026-10-07": "0.1", "2027-01-01": "0.1"}
    for day, usd in days.items():
        assert PRICES.price(read, "claude-sonnet-5-5", at(day)) == Decimal(usd)
    assert PRICES.row("claude-sonnet-5-5", NOW).version == "claude-sonnet-5-5@2026-10-07"


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-haiku-5-5", "claude-sonnet-5-5"])
@pytest.mark.parametrize("prompt", [1, 99_999, 100_000, 100_001, 400_000])
def test_no_call_costs_more_than_its_worst_case(model: str, prompt: int) -> None:
    worst = PRICES.worst_case(model, prompt, 500, NOW)
    for part in (prompt, prompt // 2, 0):
        for kind in ("cache_write_5m", "cache_write_1h", "cache_read"):
            tokens = Tokens(**{kind: part}, fresh=prompt - part, out=500)
            assert PRICES.price(tokens, model, NOW) <= worst
            assert PRICES.price(tokens, model, NOW, batch=True) <= worst / 2


def test_a_model_without_a_price_is_refused_in_one_line() -> None:
    with pytest.raises(UserError) as caught:
        PRICES.worst_case("claude-nobody", 1, 1, NOW)
    assert "the model 'claude-nobody' has no price" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_row_says_where_it_is_from() -> None:
    rows = shipped_rows()
    assert len({row.version for row in rows}) == len(rows)
    assert all(row.source and row.effective for row in rows)


@pytest.mark.parametrize("limits", [[100, 50, None], [None, None], [100], [100, 50]], ids=str)
def test_bands_that_do_not_cover_every_prompt_once_are_refused(limits: list[int | None]) -> None:
    price = {"in": 1, "out": 1, "cache_read": 1, "cache_write_5m": 1, "cache_write_1h": 1}
    row = {"model": "m", "effective": "2026-01-01", "source": "s"}
    with pytest.raises(ValidationError, match="bands must rise"):
        PriceRow.model_validate({**row, "bands": [{**price, "up_to": n} for n in limits]})
