"""The facts are complete, sourced, and consistent with the products' published peak rates."""

import pytest

from rocm_pipeline.lab.architectures import architecture
from rocm_pipeline.targets.spec import ARCHITECTURES


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_figure_has_a_source(name: str) -> None:
    facts = architecture(name)

    described = set(type(facts).model_fields) - {"name", "provenance"}
    assert set(facts.provenance) == described
    assert all(len(fact.source) > 10 for fact in facts.provenance.values())


@pytest.mark.parametrize(
    ("name", "fp32_tflops", "fp64_tflops", "matrix_tflops"),
    [
        # Data sheets; a card of the MI250X has two dies, and counts its fp32 once, unpacked.
        ("gfx90a", 2 * 47.9 / 2, 47.9 / 2, 383.0 / 2),
        ("gfx942", 163.4, 81.7, 1307.4),
        ("gfx950", 157.3, 78.6, 2516.6),
        ("gfx1030", 23.04, 1.44, 0.0),
        ("gfx1100", 61.4, 1.92, 122.8),
        ("gfx1201", 48.7, 0.76, 195.0),
    ],
)
def test_rates_give_the_published_peaks(
    name: str, fp32_tflops: float, fp64_tflops: float, matrix_tflops: float
) -> None:
    facts = architecture(name)
    clocks = facts.compute_units * facts.clock_mhz * 1e6 / 1e12

    fp32 = 2 * facts.valu_lanes_per_clock * facts.fp32_per_lane * clocks
    assert fp32 == pytest.approx(fp32_tflops, rel=0.01)
    assert 2 * facts.fp64_lanes_per_clock * clocks == pytest.approx(fp64_tflops, rel=0.01)
    assert facts.matrix_fp16_flops_per_clock * clocks == pytest.approx(matrix_tflops, rel=0.01)


def test_an_unknown_architecture_is_no_architecture() -> None:
    with pytest.raises(KeyError):
        architecture("gfx000")
