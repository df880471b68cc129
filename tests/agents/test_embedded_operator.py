"""The operator module that the embedded agent writes, run by PyTorch itself.

The runtime beside it is the contract's `launch`, here computed by the target's own reference.
"""

import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rocm_pipeline.agents.embedded.operator import UnsupportedError, operator_source
from rocm_pipeline.targets.spec import Target

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch", reason="PyTorch is not installed: no operator can be run")

RUNTIME = """
import numpy as np
import torch

calls = []


def launch(inputs, symbols, scalars, outputs):
    calls.append((dict(symbols), dict(scalars)))
    for tensor in (*inputs.values(), *outputs.values()):
        assert tensor.is_contiguous()
    values = {name: t.detach().numpy().astype(np.float64) for name, t in inputs.items()}
    for name, value in reference(values, symbols, scalars).items():
        outputs[name].copy_(torch.from_numpy(value))
"""


def _imported(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Target], ModuleType]:
    """Write op.py and its runtime into a package of their own and import it."""

    def make_operator(target: Target) -> ModuleType:
        folder = tmp_path_factory.mktemp("operator") / f"package_{target.name}"
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "runtime.py").write_text(target.reference + RUNTIME)
        (folder / "op.py").write_text(operator_source(target))
        _imported(folder.name, folder / "__init__.py")
        _imported(f"{folder.name}.runtime", folder / "runtime.py")
        return _imported(f"{folder.name}.op", folder / "op.py")

    return make_operator


@pytest.fixture(scope="module")
def softmax(make: Callable[[Target], ModuleType], load_target: Callable[[str], Target]) -> Any:
    return make(load_target("row_softmax"))


@pytest.fixture(scope="module")
def attention(make: Callable[[Target], ModuleType], load_target: Callable[[str], Target]) -> Any:
    return make(load_target("flash_attention"))


@pytest.fixture(scope="module")
def decoder(make: Callable[[Target], ModuleType], load_target: Callable[[str], Target]) -> Any:
    return make(load_target("vae_decoder_block"))


def _random(*shape: int, seed: int = 0, grad: bool = False) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).requires_grad_(grad)


def _attention_inputs(grad: bool = False) -> list[Any]:
    return [_random(2, 5, 32, seed=i, grad=grad) for i in range(3)]


def _decoder_inputs(grad: bool = False) -> list[Any]:
    shapes = ((1, 2, 3, 4), (3, 2, 3, 3), (3,))
    return [_random(*shape, seed=i, grad=grad) for i, shape in enumerate(shapes)]


def test_every_operator_equals_its_pytorch_equivalent(
    softmax: Any, attention: Any, decoder: Any
) -> None:
    functional = torch.nn.functional
    x = _random(3, 17)
    torch.testing.assert_close(softmax.row_softmax(x), torch.softmax(x, -1))

    q, k, v = _attention_inputs()
    for causal in (0, 1):
        wanted = functional.scaled_dot_product_attention(q, k, v, is_causal=bool(causal), scale=0.2)
        got = attention.flash_attention(q, k, v, causal, 0.2)
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)

    x, weight, bias = _decoder_inputs()
    large = functional.interpolate(x, scale_factor=2, mode="nearest")
    wanted = functional.silu(functional.conv2d(large, weight, bias, padding=1))
    got = decoder.vae_decoder_block(x, weight, bias)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)


def test_the_runtime_gets_every_symbol_and_scalar(attention: Any) -> None:
    calls = sys.modules["package_flash_attention.runtime"].calls
    calls.clear()
    attention.flash_attention(*_attention_inputs(), 1, 0.125)
    assert calls == [({"heads": 2, "seq": 5, "head_dim": 32, "causal": 1}, {"scale": 0.125})]


def test_torchs_own_checks_of_a_custom_operator_pass(
    softmax: Any, attention: Any, decoder: Any
) -> None:
    x = _random(3, 17, grad=True)
    for operator, arguments in (
        (softmax.forward, (x,)),
        (attention.forward, (*_attention_inputs(grad=True), 1, 0.2)),
        (decoder.forward, tuple(_decoder_inputs(grad=True))),
    ):
        results = torch.library.opcheck(operator, arguments)
        assert set(results.values()) == {"SUCCESS"}


def test_gradients_are_those_of_the_formula(softmax: Any, attention: Any, decoder: Any) -> None:
    """Against PyTorch's own autograd; finite differences of float32 are too rough to tell."""
    functional = torch.nn.functional

    def soften(x: Any) -> Any:
        return torch.softmax(x, -1)

    def decode(x: Any, weight: Any, bias: Any) -> Any:
        large = functional.interpolate(x, scale_factor=2, mode="nearest")
        return functional.silu(functional.conv2d(large, weight, bias, padding=1))

    def attend(q: Any, k: Any, v: Any, causal: int, scale: float) -> Any:
        return functional.scaled_dot_product_attention(q, k, v, is_causal=bool(causal), scale=scale)

    pairs: list[tuple[Callable[..., Any], Callable[..., Any], list[Any]]] = [
        (softmax.row_softmax, soften, [_random(3, 17, grad=True)]),
        (decoder.vae_decoder_block, decode, _decoder_inputs(grad=True)),
    ]
    for causal in (0, 1):
        fixed = {"causal": causal, "scale": 0.2}
        operator = partial(attention.flash_attention, **fixed)
        pairs.append((operator, partial(attend, **fixed), _attention_inputs(grad=True)))
    for operator, equivalent, inputs in pairs:
        output = operator(*inputs)
        weights = torch.randn_like(output)
        got = torch.autograd.grad((output * weights).sum(), inputs)
        wanted = torch.autograd.grad((equivalent(*inputs) * weights).sum(), inputs)
        for one, other in zip(got, wanted, strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_halves_and_strided_inputs_work_forward_and_back(softmax: Any) -> None:
    x = _random(17, 4).to(torch.float16).t().requires_grad_()
    assert not x.is_contiguous()
    y = softmax.row_softmax(x)
    assert y.dtype == torch.float16
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == torch.float16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(3),), "x has 1 dimensions, not 2"),
        ((torch.zeros(2, 3, 4),), "x has 3 dimensions, not 2"),
        ((torch.zeros(2, 3, dtype=torch.float64),), "x is torch.float64"),
        ((torch.zeros(2, 3, dtype=torch.int32),), "x is torch.int32"),
        ((torch.zeros(0, 3),), "rows is 0, not within 1 to 1048576"),
        ((torch.zeros(1, 65537),), "cols is 65537"),
    ],
)
def test_wrong_softmax_arguments_are_refused(
    softmax: Any, arguments: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        softmax.row_softmax(*arguments)


def test_wrong_attention_arguments_are_refused(attention: Any) -> None:
    q, k, v = _attention_inputs()
    for arguments, message in (
        ((q, k[:, :4], v, 0, 0.2), r"k is \(2, 4, 32\), not \(2, 5, 32\): \[heads, seq"),
        ((q, k.half(), v, 0, 0.2), "q, k, v must have one element type"),
        ((q[..., :31], k[..., :31], v[..., :31], 0, 0.2), "head_dim is 31, not one of 32, 64, 128"),
        ((q, k, v, 2, 0.2), "causal is 2, not one of 0, 1"),
    ):
        with pytest.raises(ValueError, match=message):
            attention.flash_attention(*arguments)


def test_a_family_without_a_template_gets_a_forward_operator(
    make: Callable[[Target], ModuleType], target: Target
) -> None:
    """Two outputs, an inout tensor, a derived shape and a symbol that no shape gives."""
    data = target.model_dump(mode="json")
    data |= {
        "name": "windowed_sum",
        "family": "something_else",
        "symbols": {"n": {"max": 1000}, "window": {"max": 8}},
        "tensors": {
            "x": {"role": "input", "dtype": "io", "shape": ["n"]},
            "total": {"role": "inout", "dtype": "io", "shape": ["n"]},
            "y": {"role": "output", "dtype": "io", "shape": ["ceildiv(n, 2)"]},
            "count": {"role": "output", "dtype": "int32", "shape": [1]},
        },
        "scalars": {"gain": {"values": [2.0]}},
        "public_cases": [
            {
                "symbols": {"n": 5, "window": 2},
                "dtypes": {"io": "float32"},
                "scalars": {"gain": 2.0},
            }
        ],
        "timing_cases": [
            {
                "symbols": {"n": 5, "window": 2},
                "dtypes": {"io": "float32"},
                "scalars": {"gain": 2.0},
            }
        ],
        "work": {"bytes": "n", "operations": "n"},
        "reference": (
            "import numpy as np\n"
            "def reference(inputs, symbols, scalars):\n"
            "    x = inputs['x'] * scalars['gain']\n"
            "    half = x[: (symbols['n'] + 1) // 2]\n"
            "    return {'total': inputs['total'] + x, 'y': half + symbols['window'],\n"
            "            'count': np.array([symbols['n']])}\n"
        ),
    }
    data["pytorch"]["gradcheck"] = None
    data["baseline"]["launch_plan"] = {
        "launches": [{"kernel": "k_{io}", "grid": ["n", 1, 1], "block": [1, 1, 1], "args": ["x"]}]
    }
    operator = make(Target.model_validate(data))
    x, total = torch.arange(5.0), torch.ones(5)

    results = operator.windowed_sum(x, total, 3, 2.0)

    assert [tuple(result.shape) for result in results] == [(5,), (3,), (1,)]
    torch.testing.assert_close(results[0], 1 + 2 * torch.arange(5.0))
    torch.testing.assert_close(results[1], torch.tensor([3.0, 5.0, 7.0]))
    assert results[2].dtype == torch.int32
    assert torch.equal(total, torch.ones(5))
    checks = torch.library.opcheck(operator.forward, (x, total, 3, 2.0))
    assert set(checks.values()) == {"SUCCESS"}


@pytest.mark.parametrize("name", ["lambda", "torch", "launch"])
def test_a_tensor_name_that_python_cannot_have_is_said(target: Target, name: str) -> None:
    renamed = target.model_copy(
        update={"tensors": {name: target.tensors["x"], "y": target.tensors["y"]}}
    )
    with pytest.raises(UnsupportedError, match=f"'{name}' cannot be a parameter"):
        operator_source(renamed)
