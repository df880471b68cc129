"""Small targets that cheats and honest kernels are judged on: one architecture, few operations."""

from functools import cache

from rocm_pipeline.targets.spec import Target

ARCHITECTURES = ("gfx942",)
OPERATIONS = 20_000
"""Held-out cases stay below it, so that a judgement takes about a second."""


@cache
def small_target(name: str) -> Target:
    """Return one of the targets below."""
    return Target.model_validate(
        {
            "title": name,
            "family": name,
            "objective": "Be fast.",
            "architectures": ARCHITECTURES,
            "emulation_operations": OPERATIONS,
            "pytorch": {"equivalent": "x"},
            **_TARGETS[name],
            "name": name,
        }
    )


def _case(
    dtypes: dict[str, str],
    scalars: dict[str, float] | None = None,
    scale: float = 1.0,
    **symbols: int,
) -> object:
    return {"symbols": symbols, "dtypes": dtypes, "scalars": scalars or {}, "scale": scale}


def _baseline(source: str, kernel: str, grid: str, args: list[str]) -> object:
    launch = {"kernel": kernel, "grid": [grid, 1, 1], "block": [256, 1, 1], "args": args}
    return {"source": source, "launch_plan": {"launches": [launch]}, "why_slow": "It is plain."}


def _reference(body: str) -> str:
    return f"import numpy as np\n\n\ndef reference(inputs, symbols, scalars):\n    {body}\n"


_F32 = {"io": "float32"}
_EXACT = {"absolute": 0, "relative": 1e-6, "calibration": "one rounding"}

_TARGETS: dict[str, dict[str, object]] = {
    # y = factor * x
    "scale": {
        "symbols": {"n": {"max": 1 << 24}},
        "dtypes": {"io": ["float32"]},
        "scalars": {"factor": {"values": [2.0, -0.5]}},
        "tensors": {
            "x": {"role": "input", "dtype": "io", "shape": ["n"]},
            "y": {"role": "output", "dtype": "io", "shape": ["n"]},
        },
        "public_cases": [
            _case(_F32, {"factor": 2.0}, n=1000),
            _case(_F32, {"factor": -0.5}, n=300),
        ],
        # too large to be executed whole, as those of all the others can be
        "timing_cases": [_case(_F32, {"factor": 2.0}, n=1 << 20)],
        "scales": [1.0, 1e-3, 64.0],
        "tolerance": {"float32": _EXACT},
        "work": {"bytes": "8 * n", "operations": "n"},
        "baseline": _baseline(
            "void none() {}", "scale_{io}", "ceildiv(n, 256)", ["x", "y", "n", "factor"]
        ),
        "reference": _reference("return {'y': scalars['factor'] * inputs['x']}"),
    },
    # y = x * x + x in double precision
    "polynomial": {
        "symbols": {"n": {"max": 1 << 24}},
        "dtypes": {"io": ["float64"]},
        "tensors": {
            "x": {"role": "input", "dtype": "io", "shape": ["n"]},
            "y": {"role": "output", "dtype": "io", "shape": ["n"]},
        },
        "public_cases": [_case({"io": "float64"}, n=500)],
        "timing_cases": [_case({"io": "float64"}, n=1 << 15)],
        "tolerance": {
            "float64": {"absolute": 1e-15, "relative": 1e-14, "calibration": "three roundings"}
        },
        "work": {"bytes": "16 * n", "operations": "2 * n"},
        "baseline": _baseline(
            "void none() {}", "polynomial_{io}", "ceildiv(n, 256)", ["x", "y", "n"]
        ),
        "reference": _reference("return {'y': inputs['x'] * inputs['x'] + inputs['x']}"),
    },
    # y[r] = sum of row r
    "row_sum": {
        "symbols": {"rows": {"max": 1 << 16}, "cols": {"max": 1 << 16}},
        "dtypes": {"io": ["float32"]},
        "tensors": {
            "x": {"role": "input", "dtype": "io", "shape": ["rows", "cols"], "values": "uniform"},
            "y": {"role": "output", "dtype": "io", "shape": ["rows"]},
        },
        "public_cases": [
            _case(_F32, rows=5, cols=300),
            _case(_F32, scale=1e-3, rows=4, cols=200),
        ],
        "timing_cases": [_case(_F32, rows=64, cols=4096)],
        "scales": [1.0, 1e-3, 64.0],
        "tolerance": {
            "float32": {"absolute": 1e-7, "relative": 1e-5, "calibration": "float32 in order"}
        },
        "work": {"bytes": "4 * rows * cols", "operations": "rows * cols"},
        "baseline": _baseline("void none() {}", "row_sum_{io}", "rows", ["x", "y", "rows", "cols"]),
        "reference": _reference("return {'y': inputs['x'].sum(axis=1)}"),
    },
    # y[r] = sum of row r, stored in half precision
    "half_sum": {
        "symbols": {"rows": {"max": 1 << 16}, "cols": {"max": 1 << 16}},
        "dtypes": {"io": ["float16"]},
        "tensors": {
            "x": {"role": "input", "dtype": "io", "shape": ["rows", "cols"], "values": "uniform"},
            "y": {"role": "output", "dtype": "io", "shape": ["rows"]},
        },
        "public_cases": [_case({"io": "float16"}, rows=5, cols=1500)],
        "timing_cases": [_case({"io": "float16"}, rows=64, cols=4096)],
        "tolerance": {
            "float16": {"absolute": 1e-5, "relative": 1e-3, "calibration": "float32, rounded once"}
        },
        "work": {"bytes": "2 * rows * cols", "operations": "rows * cols"},
        "baseline": _baseline(
            "void none() {}", "half_sum_{io}", "rows", ["x", "y", "rows", "cols"]
        ),
        "reference": _reference("return {'y': inputs['x'].sum(axis=1)}"),
    },
    # softmax of each row
    "softmax": {
        "symbols": {"rows": {"max": 1 << 16}, "cols": {"max": 1 << 16}},
        "dtypes": {"io": ["float32"]},
        "tensors": {
            "x": {"role": "input", "dtype": "io", "shape": ["rows", "cols"]},
            "y": {"role": "output", "dtype": "io", "shape": ["rows", "cols"]},
        },
        "public_cases": [
            _case(_F32, rows=3, cols=100),
            _case(_F32, scale=64.0, rows=2, cols=100),
        ],
        "timing_cases": [_case(_F32, rows=64, cols=1024)],
        "scales": [1.0, 1e-3, 64.0],
        "tolerance": {
            "float32": {"absolute": 1e-7, "relative": 2e-5, "calibration": "float32, max taken off"}
        },
        "work": {"bytes": "8 * rows * cols", "operations": "5 * rows * cols"},
        "baseline": _baseline("void none() {}", "softmax_{io}", "rows", ["x", "y", "rows", "cols"]),
        "reference": _reference(
            "e = np.exp(inputs['x'] - inputs['x'].max(axis=1, keepdims=True))\n"
            "    return {'y': e / e.sum(axis=1, keepdims=True)}"
        ),
    },
    # c = a @ b
    "matmul": {
        "symbols": {"m": {"max": 4096}, "n": {"max": 4096}, "k": {"max": 4096}},
        "dtypes": {"io": ["float32"]},
        "tensors": {
            "a": {"role": "input", "dtype": "io", "shape": ["m", "k"]},
            "b": {"role": "input", "dtype": "io", "shape": ["k", "n"]},
            "c": {"role": "output", "dtype": "io", "shape": ["m", "n"]},
        },
        "public_cases": [_case(_F32, m=20, n=17, k=24)],
        "timing_cases": [_case(_F32, m=128, n=128, k=64)],
        "tolerance": {
            "float32": {"absolute": 1e-4, "relative": 1e-5, "calibration": "float32 in order"}
        },
        "work": {"bytes": "4 * (m * k + k * n + m * n)", "operations": "2 * m * n * k"},
        "baseline": _baseline("void none() {}", "matmul_{io}", "m", ["a", "b", "c", "m", "n", "k"]),
        "reference": _reference("return {'c': inputs['a'] @ inputs['b']}"),
    },
    # counts[v] = how often v is in x
    "histogram": {
        "symbols": {"n": {"max": 1 << 20}, "bins": {"min": 2, "max": 512}},
        "dtypes": {"io": ["int32"]},
        "tensors": {
            "x": {
                "role": "input",
                "dtype": "io",
                "shape": ["n"],
                "values": "integers",
                "below": "bins",
            },
            "counts": {"role": "output", "dtype": "io", "shape": ["bins"]},
        },
        "public_cases": [_case({"io": "int32"}, n=1000, bins=20)],
        "timing_cases": [_case({"io": "int32"}, n=1 << 15, bins=64)],
        "tolerance": {},
        "work": {"bytes": "4 * n", "operations": "n"},
        "baseline": _baseline("void none() {}", "count_{io}", "1", ["x", "counts", "n", "bins"]),
        "reference": _reference(
            "values = np.asarray(inputs['x']).astype(np.int64)\n"
            "    return {'counts': np.bincount(values, minlength=symbols['bins'])}"
        ),
    },
    # y[r] = where the largest of row r is, the first of them
    "first_largest": {
        "symbols": {"rows": {"max": 1 << 10}, "cols": {"max": 1 << 12}},
        "dtypes": {"io": ["int32"]},
        "tensors": {
            "x": {
                "role": "input",
                "dtype": "io",
                "shape": ["rows", "cols"],
                "values": "integers",
                # so few values that what is drawn has its largest early in a row
                "below": "16",
            },
            "y": {"role": "output", "dtype": "io", "shape": ["rows"]},
        },
        "public_cases": [_case({"io": "int32"}, rows=20, cols=300)],
        "timing_cases": [_case({"io": "int32"}, rows=64, cols=4096)],
        "tolerance": {},
        "work": {"bytes": "4 * rows * cols", "operations": "rows * cols"},
        "baseline": _baseline(
            "void none() {}", "first_largest_{io}", "rows", ["x", "y", "rows", "cols"]
        ),
        "reference": _reference("return {'y': inputs['x'].argmax(axis=1)}"),
    },
    # y[i] = x[i - 1] + 2 x[i] + x[i + 1], zero outside
    "stencil": {
        "symbols": {"n": {"max": 1 << 24}},
        "dtypes": {"io": ["float32"]},
        "tensors": {
            "x": {"role": "input", "dtype": "io", "shape": ["n"]},
            "y": {"role": "output", "dtype": "io", "shape": ["n"]},
        },
        "public_cases": [_case(_F32, n=300)],
        "timing_cases": [_case(_F32, n=1 << 16)],
        "tolerance": {
            "float32": {"absolute": 2e-6, "relative": 1e-6, "calibration": "three roundings"}
        },
        "work": {"bytes": "8 * n", "operations": "4 * n"},
        "baseline": _baseline("void none() {}", "stencil_{io}", "ceildiv(n, 256)", ["x", "y", "n"]),
        "reference": _reference(
            "p = np.pad(inputs['x'], 1)\n    return {'y': p[:-2] + 2 * p[1:-1] + p[2:]}"
        ),
    },
}

NAMES = tuple(_TARGETS)
