"""Bundles from a home's records, with the real harness."""

from pathlib import Path

import pytest

from rocm_pipeline.agents.bench import Bench
from rocm_pipeline.agents.outcome import ChosenKernel
from rocm_pipeline.bundle.folder import read_folder
from rocm_pipeline.errors import UserError
from rocm_pipeline.home import Home
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.sandbox import Sandbox, SandboxUnavailable
from rocm_pipeline.records.records import Records
from rocm_pipeline.resources import bundles
from rocm_pipeline.resources.artefacts import Artefacts
from rocm_pipeline.resources.bundles import HomeBundles
from rocm_pipeline.targets import library
from tests.fakes.values import a_reproduction


class Recorded:
    """A home in which a baseline and a wrong kernel were judged."""

    def __init__(self, home: Home, sandbox: Sandbox, builds: Path) -> None:
        home.create()
        folder = library.create("small", home.targets)
        text = (folder / "target.yaml").read_text(encoding="utf-8")
        text = text.replace("- {symbols: {n: 16777216}", "- {symbols: {n: 65536}")
        (folder / "target.yaml").write_text(f"{text}\narchitectures: [gfx1100]\n")
        self.home = home
        self.target = library.load_folder(folder)
        Artefacts.open(home).save("target/small", self.target)
        records = Records.open(home.records_url, str(home.store))
        bench = Bench(Harness(sandbox, builds), records)
        self.baseline, self.evidence = bench.baseline(self.target, ())
        source = self.target.baseline.source.replace("+ 1.0f", "+ 1.5f")
        self.wrong = self.baseline.model_copy(update={"source": source})
        records.save_candidate(
            self.wrong.id,
            target="small",
            source=source,
            launch_plan=self.wrong.launch_plan.model_dump_json(),
        )
        bench.judge(self.wrong, self.target, (), self.evidence)
        records.close()

    def kernel(self, candidate: Candidate) -> ChosenKernel:
        return ChosenKernel(
            target="small",
            candidate=candidate,
            evidence=self.evidence,
            is_baseline=True,
            exchange=None,
            reason="the only one",
        )


@pytest.fixture(scope="module")
def recorded(builds: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    try:
        sandbox = Sandbox.detect()
    except SandboxUnavailable as error:
        pytest.skip(f"nothing may be compiled here: {error}")
    return Recorded(Home(tmp_path_factory.mktemp("home") / "home"), sandbox, builds)


def test_the_same_records_give_the_same_bytes_and_a_failure_brings_its_arrays(
    recorded: Recorded, tmp_path: Path
) -> None:
    made = HomeBundles(recorded.home)
    first = read_folder(made.export(recorded.wrong.id, tmp_path / "one"))
    again = read_folder(made.export(recorded.wrong.id[:12], tmp_path / "two"))
    assert first == again
    assert any(path.startswith("failing/case0/output_") for path in first)
    assert first["kernel.hip"].decode() == recorded.wrong.source


def test_a_target_s_name_stands_for_its_chosen_kernel(recorded: Recorded, tmp_path: Path) -> None:
    artefacts = Artefacts.open(recorded.home)
    artefacts.save("kernel/small", recorded.kernel(recorded.baseline))
    files = read_folder(HomeBundles(recorded.home).export("small", tmp_path / "one"))
    assert files["kernel.hip"].decode() == recorded.baseline.source


@pytest.mark.parametrize("what", ["k-", "k-0000000000000000", "nothing", "../x", "%"])
def test_a_name_that_is_no_kernel_or_several_is_refused(
    recorded: Recorded, tmp_path: Path, what: str
) -> None:
    with pytest.raises(UserError, match="evidence export"):
        HomeBundles(recorded.home).export(what, tmp_path / "one")
    assert not (tmp_path / "one").exists()


def test_a_kernel_is_reproduced_once_for_the_same_evidence(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Path] = []

    def verify(folder: Path, **_: object) -> object:
        calls.append(folder)
        assert read_folder(folder)["kernel.hip"].decode() == recorded.baseline.source
        return a_reproduction(recorded.target, recorded.baseline, recorded.evidence)

    monkeypatch.setattr(bundles, "verify_clean", verify)
    kernel = recorded.kernel(recorded.baseline)
    found = [
        HomeBundles(recorded.home).reproduce(recorded.target, kernel, recorded.evidence)
        for _ in range(2)
    ]
    assert found[0] == found[1]
    assert len(calls) == 1
    assert not calls[0].exists(), "the workspace is gone"
