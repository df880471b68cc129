"""The report: complete without a network, and honest about what its figures are."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from plotly.offline import get_plotlyjs

from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.planning.follow_up import amended
from rocm_pipeline.planning.planted.measure import measure_rules
from rocm_pipeline.planning.review import Heading, ReviewFinding, Verdict
from rocm_pipeline.reporting.figures import progress_figure, speedup_figure
from rocm_pipeline.reporting.page import INDEX, PLOTLY, ReportInputs, read_summaries, write_page
from rocm_pipeline.reporting.pull_request_body import render_body
from rocm_pipeline.reporting.tables import mean_speedup, range_words, span_words
from tests.fakes.values import some_examples
from tests.reporting.inputs import report_inputs

LINK = re.compile(r"""\b(?:src|href)\s*=\s*["']([^"']*)["']""")


@pytest.fixture
def inputs() -> ReportInputs:
    return report_inputs()


def cells(html: str, first: str) -> list[list[str]]:
    """Return the cells of the table rows whose first cell is `first`."""
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    texts = [re.findall(r"<td>(.*?)</td>", row, re.DOTALL) for row in rows]
    return [
        [re.sub(r"<[^>]*>", " ", cell).strip() for cell in row]
        for row in texts
        if row and re.sub(r"<[^>]*>", "", row[0]) == first
    ]


def test_whatever_a_page_refers_to_lies_beside_it(tmp_path: Path, inputs: ReportInputs) -> None:
    page = write_page(tmp_path, inputs)
    for file in (page, tmp_path / "index.html"):
        links = LINK.findall(file.read_text())
        assert links
        for link in links:
            name, _, place = link.partition("#")
            assert (tmp_path / name).is_file(), links
            assert not place or f'id="{place}"' in (tmp_path / name).read_text()
    assert PLOTLY in LINK.findall(page.read_text())
    assert "Plotly.newPlot" in page.read_text()


def test_a_damaged_plotly_is_written_anew_and_a_good_one_is_left(
    tmp_path: Path, inputs: ReportInputs
) -> None:
    script = tmp_path / PLOTLY
    script.write_text("half of i")
    write_page(tmp_path, inputs)
    assert script.read_text() == get_plotlyjs()
    written = script.stat().st_ino
    write_page(tmp_path, inputs)
    assert script.stat().st_ino == written


@pytest.mark.parametrize("status", [Status.PASSED, Status.NOT_RUN])
def test_page_and_body_show_what_came_of_the_documentation_s_code(
    tmp_path: Path, inputs: ReportInputs, status: Status
) -> None:
    examples = some_examples(status)
    document = inputs.document.model_copy(update={"examples": examples})
    html = write_page(tmp_path, replace(inputs, document=document)).read_text()
    message = examples.blocks[0].message
    assert cells(html, "3") == [["3", "python", status.value, message]]
    kernel, evidence = inputs.kernel, inputs.operator.evidence
    body = render_body(inputs.target, kernel, evidence, (), inputs.reproduction, examples)
    assert f"| 3 | python | {status.value} | {message} |" in body


def test_a_page_says_that_no_code_was_run(tmp_path: Path, inputs: ReportInputs) -> None:
    assert inputs.document.examples is None
    html = write_page(tmp_path, inputs).read_text()
    assert "No code of the documentation was run or compiled." in html


def test_the_same_values_make_the_same_page(tmp_path: Path, inputs: ReportInputs) -> None:
    first = write_page(tmp_path / "a", inputs).read_bytes()
    assert write_page(tmp_path / "b", inputs).read_bytes() == first


def test_each_round_shows_its_tier_and_its_estimate(tmp_path: Path, inputs: ReportInputs) -> None:
    page = write_page(tmp_path, inputs).read_text()
    candidates = page.partition("<h2>Candidates")[2].partition("<h2>")[0]
    rows = cells(candidates, inputs.candidates.outcomes[0].task_id)
    assert [(row[1], *row[4:7]) for row in rows] == [
        ("1", "T0", "COMPILE_ERROR", "none"),
        ("2", "T2", "PASSED", "0.25 to 0.38"),
        ("3", "T2", "PASSED", "3 to 4.5"),
        ("4", "none", "no kernel", "none"),
    ]
    assert ["chosen" in row[2] for row in rows] == [False, False, True, False]


def test_the_index_names_the_evidence_and_the_commit(tmp_path: Path, inputs: ReportInputs) -> None:
    write_page(tmp_path, inputs)
    index = (tmp_path / "index.html").read_text()
    assert inputs.kernel.evidence.id in index
    assert "beefbeefbeef" in index
    assert "geometric mean" in index


def test_a_summary_of_an_older_version_is_still_in_the_index(
    tmp_path: Path, inputs: ReportInputs
) -> None:
    write_page(tmp_path, inputs)
    path = tmp_path / "row_softmax.json"
    old = {k: v for k, v in json.loads(path.read_text()).items() if k not in ("evidence", "commit")}
    path.write_text(json.dumps(old))
    (summary,) = read_summaries(tmp_path)
    assert (summary.evidence, summary.commit) == ("", "")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"target": "x"}'])
def test_a_file_that_is_no_summary_is_left_out_with_one_warning(
    tmp_path: Path, inputs: ReportInputs, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken.json").write_bytes(content)
    (tmp_path / "folder.json").mkdir()
    write_page(tmp_path, inputs)
    caplog.clear()
    (summary,) = read_summaries(tmp_path)
    assert summary.target == inputs.target.name
    broken, folder = (record.getMessage() for record in caplog.records)
    assert "broken.json is left out" in broken
    assert "folder.json is left out" in folder
    assert "\n" not in broken + folder


def test_the_figure_has_a_row_for_each_architecture_and_case(inputs: ReportInputs) -> None:
    figure = speedup_figure(inputs.kernel)
    assert figure is not None
    drawn = json.loads(figure.to_json() or "")
    assert drawn["layout"]["xaxis"]["type"] == "log"
    (trace,) = drawn["data"]
    assert trace["name"] == "faster at both ends"
    found = inputs.kernel.evidence.speedups
    assert [y for y in trace["y"] if y] == [s.architecture for s in found for _ in range(2)]
    assert [x for x in trace["x"] if x] == [x for s in found for x in (s.low, s.high)]


def test_rounds_that_passed_are_drawn_and_slower_ones_say_so(inputs: ReportInputs) -> None:
    figure = progress_figure(inputs.candidates)
    assert figure is not None
    names = {trace["name"]: trace["y"][0] for trace in json.loads(figure.to_json() or "")["data"]}
    assert names == {"slower at both ends": "round 2", "faster at both ends": "round 3"}


def test_without_an_estimate_the_page_says_so(tmp_path: Path, inputs: ReportInputs) -> None:
    evidence = inputs.kernel.evidence.model_copy(update={"speedups": ()})
    kernel = inputs.kernel.model_copy(update={"evidence": evidence, "is_baseline": True})
    candidates = inputs.candidates.model_copy(update={"outcomes": ()})
    none = replace(inputs, kernel=kernel, candidates=candidates)
    page = write_page(tmp_path, none).read_text()
    assert mean_speedup(evidence) is None
    assert "Plotly.newPlot" not in page
    assert "There is no estimate of a speed-up" in page


@pytest.mark.parametrize(
    ("low", "high", "factor", "quantity"),
    [
        (1.0, 1.0, "no difference", "1"),
        (0.999, 1.004, "no difference", "1"),
        (2.01, 2.04, "2", "2"),
        (0.46, 3.49, "0.46 to 3.5", "0.46 to 3.5"),
        (22.0, 247.5, "22 to 248", "22 to 248"),
    ],
)
def test_a_range_is_written_as_its_ends_read(
    low: float, high: float, factor: str, quantity: str
) -> None:
    assert range_words(low, high) == factor
    assert span_words(low, high) == quantity


def test_the_index_shows_how_good_the_reviewers_are(tmp_path: Path) -> None:
    write_page(tmp_path, report_inputs())
    assert "rocm-pipeline reviewers" in (tmp_path / INDEX).read_text()
    write_page(tmp_path, report_inputs(), [measure_rules("final", now=1.0)])
    index = (tmp_path / INDEX).read_text()
    assert "4 of 18 (9% to 45%)" in index
    assert "0 of 8 (0% to 32%)" in index
    assert "Not measured" not in index


def test_a_review_without_a_model_says_why(tmp_path: Path) -> None:
    inputs = report_inputs()
    alone = inputs.final.model_copy(update={"unasked": "Claude: over budget"})
    page = write_page(tmp_path, replace(inputs, final=alone)).read_text()
    assert "no model judged: Claude: over budget" in page


@pytest.mark.parametrize(
    ("verdict", "times", "words"),
    [
        (Verdict.APPROVE, 0, "approve by rules"),
        (Verdict.APPROVE, 1, "approve by rules, sent back once"),
        (Verdict.CHANGES, 0, "changes by rules"),
        (Verdict.CHANGES, 2, "changes by rules, sent back twice: not accepted"),
    ],
)
def test_the_table_says_how_often_work_went_back(
    verdict: Verdict, times: int, words: str, tmp_path: Path
) -> None:
    inputs = report_inputs()
    plan = inputs.plan
    finding = ReviewFinding(
        heading=Heading.SECURITY, severity="major", message="mend it", cites="kernel.hip:3"
    )
    asked = inputs.final.model_copy(update={"verdict": Verdict.CHANGES, "findings": (finding,)})
    for _ in range(times):
        plan = amended(plan, asked)
    final = inputs.final.model_copy(update={"verdict": verdict})
    page = write_page(tmp_path, replace(inputs, plan=plan, final=final)).read_text()
    assert words in page
    assert words in (tmp_path / INDEX).read_text()
    assert ("_changes_1 on" in page) == (times > 0)
