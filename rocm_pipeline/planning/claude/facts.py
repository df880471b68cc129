"""Evidence as a reviewer reads it: counts, ranges and extremes, every one computed here.

Each fact stands once: which values a size may take is said beside those that were executed, and
what is equal for several architectures is said for all of them together.
"""

from collections.abc import Iterable, Sequence

from pydantic import JsonValue

from rocm_pipeline.lab.architectures import architecture
from rocm_pipeline.lab.evidence import CaseRecord, Evidence, KernelResources, Status
from rocm_pipeline.redaction.cutting import cut
from rocm_pipeline.targets.launch_plan import LaunchPlan, LaunchPlanError
from rocm_pipeline.targets.spec import Case, Target

Object = dict[str, JsonValue]


def target_facts(target: Target) -> Object:
    """Return what a kernel of this target must do, in the target's own words.

    Which sizes may occur is among the evidence's facts.
    """
    return {
        "name": target.name,
        "title": target.title,
        "equivalent": target.pytorch.equivalent,
        "dtypes": {name: [d.value for d in values] for name, values in target.dtypes.items()},
        "tensors": tensor_lines(target),
        "scalars": {name: list(scalar.values) for name, scalar in target.scalars.items()},
        "tolerance": tolerances(target),
        "constraints": list(target.constraints),
        "architectures": grouped(
            (name, f"wave {facts.wave}, {facts.lds_per_block} B LDS a block")
            for name in target.architectures
            for facts in (architecture(name),)
        ),
    }


def tensor_lines(target: Target) -> list[JsonValue]:
    """Return a line for each tensor: its role, name, type and shape."""
    return [
        f"{spec.role.value} {name}: {spec.dtype} [{', '.join(map(str, spec.shape))}]"
        for name, spec in target.tensors.items()
    ]


def tolerances(target: Target) -> Object:
    """Return what an element may be off, by element type."""
    return {
        dtype.value: f"{t.absolute:g} + {t.relative:g} * |reference|"
        for dtype, t in target.tolerance.items()
    }


def case_line(case: Case) -> str:
    """Return sizes, scalars and types of a case on one line."""
    values = {**case.symbols, **{name: f"{value:g}" for name, value in case.scalars.items()}}
    types = {name: dtype.value for name, dtype in case.dtypes.items()}
    return ", ".join(f"{name} {value}" for name, value in {**values, **types}.items())


def evidence_facts(target: Target, plan: LaunchPlan, evidence: Evidence) -> Object:
    """Return what the harness found of a kernel, short enough to be read whole."""
    return {
        "id": evidence.id,
        "status": evidence.status.value,
        "tier": evidence.tier.label if evidence.tier is not None else "none",
        "measured_on": evidence.measured_on,
        "compiled_for": _compiled_for(target, evidence),
        "findings": [f"{f.status.value}: {cut(f.message, 300)}" for f in evidence.findings[:12]],
        "executions": _executions(evidence.cases),
        "sizes": _sizes(target, evidence.cases),
        "launches": _launches(target, plan, evidence.cases),
        "controls": grouped(
            (c.name, "rejected" if c.rejected else "PASSED") for c in evidence.controls
        ),
        "resources": _resources(evidence),
        "estimated_speedups": grouped(
            (name, f"{min(s.low for s in of_one):.3g} to {max(s.high for s in of_one):.3g}")
            for name in dict.fromkeys(s.architecture for s in evidence.speedups)
            for of_one in ([s for s in evidence.speedups if s.architecture == name],)
        ),
        "bottlenecks": grouped(
            (name, ", ".join(dict.fromkeys(e.bottleneck for e in of_one)))
            for name in dict.fromkeys(e.architecture for e in evidence.estimates)
            for of_one in ([e for e in evidence.estimates if e.architecture == name],)
        ),
    }


def _compiled_for(target: Target, evidence: Evidence) -> JsonValue:
    compiled = evidence.architectures_compiled
    return "all of them" if set(compiled) == set(target.architectures) else list(compiled)


def grouped(rows: Iterable[tuple[str, str]]) -> list[JsonValue]:
    """Say equal things once: `gfx90a, gfx942: 1.3 to 1.9`."""
    names: dict[str, list[str]] = {}
    for name, text in rows:
        names.setdefault(text, []).append(name)
    return [f"{', '.join(of_text)}: {text}" for text, of_text in names.items()]


def _executions(cases: Iterable[CaseRecord]) -> list[JsonValue]:
    """Count by origin, with the wave sizes and types that occurred and the worst error."""
    groups: dict[str, list[CaseRecord]] = {}
    for record in cases:
        groups.setdefault(record.origin, []).append(record)
    rows: list[JsonValue] = []
    for origin, records in groups.items():
        passed = sum(r.status is Status.PASSED for r in records)
        worst = max((r.worst_ratio for r in records if r.worst_ratio is not None), default=None)
        part = sum(r.blocks is not None for r in records)
        waves = sorted({r.wave for r in records})
        types = sorted({"/".join(d.suffix for d in r.case.dtypes.values()) for r in records})
        rows.append(
            f"{origin}: {passed} of {len(records)} passed, waves {waves}, {', '.join(types)}"
            + ("" if worst is None else f", worst error {worst:.3g} of what is allowed")
            + (f", {part} of them some blocks only" if part else "")
        )
    return rows


def _sizes(target: Target, cases: Iterable[CaseRecord]) -> Object:
    """Say for each symbol which values it may take and which were executed."""
    executed = list(cases)
    sizes: Object = {}
    for name, symbol in target.symbols.items():
        values = sorted({record.case.symbols[name] for record in executed})
        domain = str(list(symbol.choices)) if symbol.choices else f"{symbol.min} to {symbol.max}"
        ran = f"{values[0]} to {values[-1]}" if values else "nothing"
        sizes[name] = f"may be {domain}; executed {ran}"
    scales = sorted({record.case.scale for record in executed})
    sizes["input scale"] = f"may be {list(target.scales)}; executed {scales}"
    return sizes


def _launches(target: Target, plan: LaunchPlan, cases: Iterable[CaseRecord]) -> Object:
    executed = [record.case for record in cases]
    largest = {name: max(s.choices or (s.max or s.min,)) for name, s in target.symbols.items()}
    return {
        "largest_executed": _starts(target, plan, executed),
        "at_the_upper_ends_of_all_sizes": _starts(
            target, plan, [target.public_cases[0].model_copy(update={"symbols": largest})]
        ),
    }


def _starts(target: Target, plan: LaunchPlan, cases: list[Case]) -> list[JsonValue]:
    """Return the largest grid and dynamic LDS of each launch over `cases`."""
    grids: dict[str, int] = {}
    shared: dict[str, int] = {}
    for case in cases:
        try:
            bound = target.bind(plan, case, 64)
        except (LaunchPlanError, ValueError) as error:
            return [f"no launch: {error}"]
        for launch in bound.launches:
            grids[launch.kernel] = max(grids.get(launch.kernel, 0), launch.blocks)
            shared[launch.kernel] = max(shared.get(launch.kernel, 0), launch.shared_bytes)
    return [
        f"{name}: {grids[name]} blocks" + (f", {lds} B dynamic LDS" if lds else "")
        for name, lds in shared.items()
    ]


def _resources(evidence: Evidence) -> list[JsonValue]:
    """Return for each architecture the range over the kernels of one source."""
    return grouped(
        (record.architecture, _ranges(record.kernels))
        for record in evidence.compiles
        if record.kernels
    )


def _ranges(kernels: Sequence[KernelResources]) -> str:
    spills = [k.vgpr_spills + k.sgpr_spills for k in kernels]
    occupancy = sorted(f"{k.occupancy:.2f}" for k in kernels)
    limits = ", ".join(sorted({k.limited_by for k in kernels}))
    return (
        f"{_range(k.vgprs for k in kernels)} VGPRs, "
        f"{_range(k.lds_bytes for k in kernels)} B static LDS, "
        f"{_range(k.scratch_bytes for k in kernels)} B scratch, {_range(spills)} spills, "
        f"occupancy {' to '.join(dict.fromkeys((occupancy[0], occupancy[-1])))} limited by {limits}"
    )


def _range(values: Iterable[int]) -> str:
    found = sorted(values)
    return " to ".join(dict.fromkeys((str(found[0]), str(found[-1]))))
