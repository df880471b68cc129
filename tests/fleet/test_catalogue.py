import pytest

from rocm_pipeline.fleet.catalogue import best_fit, means
from rocm_pipeline.fleet.hosts import default_preferences

PREFERENCES = default_preferences()
CATALOGUE = PREFERENCES.catalogue


def test_every_entry_of_every_role_stands_for_a_model_of_the_catalogue() -> None:
    for wanted in (*PREFERENCES.roles.values(), PREFERENCES.default):
        for entry in wanted:
            assert any(means(entry, known.name) for known in CATALOGUE), entry


def test_every_model_of_the_catalogue_is_wanted_by_some_role_and_stands_there_once() -> None:
    wanted = {entry for entries in PREFERENCES.roles.values() for entry in entries}
    names = [known.name for known in CATALOGUE]
    assert len(set(names)) == len(names)
    assert {known.family for known in CATALOGUE} == wanted


@pytest.mark.parametrize(
    ("gib", "fits"),
    [
        (0.5, None),
        (2, "qwen2.5-coder:0.5b"),
        (4, "qwen2.5-coder:3b"),
        (8, "qwen2.5-coder:7b"),
        (16, "qwen2.5-coder:14b"),
        (20, "qwen2.5-coder:14b"),
        (24, "qwen2.5-coder:32b"),
    ],
)
def test_the_largest_model_that_fits_is_taken(gib: float, fits: str | None) -> None:
    found = best_fit("qwen2.5-coder", CATALOGUE, gib, 16384)
    assert (found.name if found else None) == fits


def test_the_window_counts_for_what_fits() -> None:
    small = best_fit("codellama", CATALOGUE, 16, 4096)
    large = best_fit("codellama", CATALOGUE, 16, 16384)
    assert small is not None
    assert large is not None
    assert (small.name, large.name) == ("codellama:13b", "codellama:7b")


def test_an_entry_means_its_tags_and_no_other_model() -> None:
    assert means("qwen2.5-coder", "qwen2.5-coder:7b")
    assert means("qwen2.5-coder:7b", "qwen2.5-coder:7b")
    assert means("mistral", "mistral:latest")
    assert not means("deepseek-coder", "deepseek-coder-v2:16b")
    assert not means("qwen2.5-coder:7b", "qwen2.5-coder:7b-instruct")


def test_a_model_is_always_given_the_same_window_the_largest_of_its_roles() -> None:
    preferences = PREFERENCES.model_copy(update={"contexts": {"kernel_dev": 20480, "tester": 8192}})
    assert preferences.context_of("qwen2.5-coder:7b") == 20480
    assert preferences.context_of("codellama:7b") == 16384
    assert preferences.context_of("somebody/else:1b") == PREFERENCES.num_ctx
