"""The frame of the benchmarks: what is measured is kept, what breaks is shown, the page holds known figures."""

import json
import math
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import LONG, MODULES, exact, growth, kept, overhead, report, table, views  # noqa: E402
from benchmarks import __main__ as bench  # noqa: E402
from benchmarks.kept import Run  # noqa: E402
from benchmarks.report import Figure, hardware  # noqa: E402

from embdiff.exact import search  # noqa: E402


@pytest.fixture
def results(monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "RESULTS", tmp_path / "results.json")
    return tmp_path / "results.json"


def module(monkeypatch, name, main):
    made = ModuleType(f"benchmarks.{name}")
    made.main = main
    monkeypatch.setitem(sys.modules, f"benchmarks.{name}", made)


def figure(name="some", ratio=2.0, **more):
    return Figure(name, ratio, 1.5, "times faster", {"slow": [2.0, 2.2, 2.1, 2.3, 1.9], "fast": [1.0, 1.2]}, **more)


def test_results_hold_what_is_promised(results, monkeypatch):
    module(monkeypatch, "good", lambda: [figure(), figure("at_most", at_most=True), figure("none", math.nan)])
    assert bench.main(["good"]) == 0
    found = json.loads(results.read_text())
    wanted = {"name", "ratio", "bound", "holds", "unit", "timings", "hardware", "versions", "run"}
    assert all(wanted <= set(each) for each in found)
    assert [(each["ratio"], each["holds"]) for each in found] == [(2.0, True), (2.0, False), (None, None)]
    assert found[0]["versions"]["numpy"]
    assert found[0]["run"]["asked"] == "python -m benchmarks good"
    assert list(found[0]["run"]["modules"]) == ["good"]


def test_a_module_that_breaks_costs_no_other(results, monkeypatch, capsys):
    def broken():
        raise RuntimeError("no luck")

    module(monkeypatch, "bad", broken)
    module(monkeypatch, "good", lambda: [figure()])
    assert bench.main(["bad", "good"]) == 1
    first, second = json.loads(results.read_text())
    assert (first["name"], first["ratio"], first["why"]) == ("bad", None, "failed: RuntimeError: no luck")
    assert second["holds"] is True
    assert "failed: RuntimeError: no luck" in capsys.readouterr().out


def test_a_run_cut_short_keeps_the_figures_so_far(results, monkeypatch, capsys):
    def cut():
        raise KeyboardInterrupt

    module(monkeypatch, "good", lambda: [figure()])
    module(monkeypatch, "long", cut)
    assert bench.main(["good", "long", "good"]) == 130
    assert len(json.loads(results.read_text())) == 1
    assert "long: cut short; the figures so far are kept" in capsys.readouterr().out


def test_what_other_runs_measured_stays(results, monkeypatch):
    module(monkeypatch, "one", lambda: [figure("a"), figure("b")])
    module(monkeypatch, "two", lambda: [figure("b", 3.0)])
    bench.main(["one"])
    before = {each["name"]: each for each in json.loads(results.read_text())}
    bench.main(["two"])
    after = {each["name"]: each for each in json.loads(results.read_text())}
    assert after["a"] == before["a"]
    assert (after["b"]["ratio"], after["b"]["run"]["asked"]) == (3.0, "python -m benchmarks two")


def test_a_failure_is_forgotten_once_the_module_is_measured(results, monkeypatch):
    fails = [True]
    module(monkeypatch, "one", lambda: 1 / 0 if fails.pop() else [figure()])
    assert bench.main(["one"]) == 1
    assert [each["name"] for each in json.loads(results.read_text())] == ["one"]
    fails.append(False)
    assert bench.main(["one"]) == 0
    assert [each["name"] for each in json.loads(results.read_text())] == ["some"]


def test_the_time_of_everything_is_a_figure(results, monkeypatch, capsys):
    module(monkeypatch, "one", lambda: [figure(), figure("absent", math.nan)])
    monkeypatch.setattr(bench, "MODULES", ("one",))
    monkeypatch.setattr(bench, "LONG", ())
    bench.main(["one"])
    bench.main(["--full"])
    assert kept.TOTAL not in {each["name"] for each in json.loads(results.read_text())}
    bench.main([])
    total = json.loads(results.read_text())[-1]
    assert (total["name"], total["bound"], total["holds"], list(total["timings"])) == (kept.TOTAL, 25.0, True, ["one"])
    assert total["ratio"] * 60 == pytest.approx(total["run"]["seconds"])
    assert "absent" in total["why"]
    assert "make bench took 0.0 minutes" in capsys.readouterr().out


def test_what_takes_long_is_measured_in_full_only(results, monkeypatch):
    measured = []
    module(monkeypatch, "one", lambda: measured.append("one") or [])
    module(monkeypatch, "long", lambda: measured.append("long") or [])
    monkeypatch.setattr(bench, "MODULES", ("one",))
    monkeypatch.setattr(bench, "LONG", ("long",))
    bench.main([])
    bench.main(["--full"])
    assert measured == ["one", "one", "long"]


def test_full_is_told_where_it_is_asked_for(results, monkeypatch):
    told = []
    module(monkeypatch, "more", lambda full=False: told.append(full) or [])
    assert bench.main(["more"]) == bench.main(["--full", "more"]) == 0
    assert told == [False, True]


def test_help_says_what_each_module_measures_and_measures_nothing(results, monkeypatch, capsys):
    monkeypatch.setattr(bench, "import_module", lambda name: pytest.fail(f"{name} is run"))
    assert bench.main(["views", "--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"\n{name}: " in said for name in (*MODULES, *LONG))
    assert "six" in said
    assert "not measured" in " ".join(said.split())


def test_hardware_names_what_times_depend_on():
    facts = hardware()
    assert facts["cores"] >= 1
    assert facts["memory_gib"] > 0
    assert facts["processor"]
    assert set(facts["instructions"]) <= set(report.INSTRUCTIONS)


def test_short_work_is_measured_more_often():
    assert [report.repeats_for(seconds) for seconds in (0.1, 1.0, 19.9, 20.0, 300.0)] == [15, 5, 5, 2, 2]


def test_ways_are_run_in_turn_each_as_often_as_its_own_time_asks_for(monkeypatch):
    now, turns = [0.0], []

    def way(name, seconds):
        def work():
            now[0] += seconds
            turns.append(name)
            return len(turns)

        return work

    monkeypatch.setattr(report.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(report.time, "sleep", lambda seconds: None)
    measured = report.in_turn({"short": way("short", 3.0), "long": way("long", 25.0)})
    assert turns == ["short", "long"] * 2 + ["short"] * 3
    assert measured == {"short": [(3.0, place) for place in (1, 3, 5, 6, 7)], "long": [(25.0, 2), (25.0, 4)]}


def run_of(began):
    return Run("make bench", began, {"some": 90.0})


def test_the_table_is_written_between_its_marks(tmp_path):
    found = tmp_path / "results.json"
    none = figure("encode_bf16", math.nan, why="no bfloat16 here:\n a | b")
    kept.keep([none, figure("exact_vs_gemm", at_most=True, why="so")], found, run_of("2026-01-02"))
    page = tmp_path / "benchmarks.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.write_page(found, page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "exact search over the bare float32 product; so | 2 (missed) | at most 1.5 |" in text
    assert "| slow 2.1 s, fast 1 and 1.2 s |" in text
    assert "| `encode_bf16` | no bfloat16 here: a \\| b | n/a |" in text
    assert "All in one run: `make bench` of 2026-01-02, 1.5 minutes, on " in text
    missing = text.partition("Not measured: ")[2].partition(".")[0]
    assert "`stream_rss`" in missing
    assert "`exact_vs_gemm`" not in missing
    table.write_page(found, page)
    assert page.read_text() == text


def test_the_table_says_which_figures_come_from_which_run(tmp_path):
    found = tmp_path / "results.json"
    kept.keep([figure("exact_vs_gemm"), figure("stream_rss")], found, run_of("2026-01-02"))
    kept.keep([figure("stream_rss")], found, run_of("2026-03-04"))
    text = table.table(kept.records(found))
    assert "These figures come from 2 runs." in text
    assert re.search(r"^- `make bench` of 2026-01-02, .*: `exact_vs_gemm`\.$", text, re.MULTILINE)
    assert re.search(r"^- `make bench` of 2026-03-04, .*: `stream_rss`\.$", text, re.MULTILINE)


def test_a_table_without_results_or_marks_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="There must be results of a run"):
        table.write_page(tmp_path / "results.json", tmp_path / "benchmarks.md")
    kept.keep([figure()], tmp_path / "results.json", run_of("2026-01-02"))
    (tmp_path / "benchmarks.md").write_text("no marks")
    with pytest.raises(SystemExit, match="must hold the lines"):
        table.write_page(tmp_path / "results.json", tmp_path / "benchmarks.md")
    (tmp_path / "benchmarks.md").write_text(f"{table.BEGIN}\n{table.END}\n")
    (tmp_path / "results.json").write_text(json.dumps([{"name": "old"}]))
    with pytest.raises(SystemExit, match=r"Got none for old\. Measure anew\."):
        table.write_page(tmp_path / "results.json", tmp_path / "benchmarks.md")


def test_figures_in_the_page_are_those_that_are_measured():
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    block = text.partition(table.BEGIN)[2].partition(table.END)[0]
    assert table.BEGIN in text
    named = set(re.findall(r"^\| `([a-z0-9_]+)` \|", block, re.MULTILINE))
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").glob("*.py"))
    unknown = {name for name in named - set(table.known_rows()) if f'"{name}"' not in sources}
    assert not unknown


def test_a_peer_that_finds_other_neighbours_makes_no_figure():
    vectors = exact.unit_rows(40, 8, 0)
    ours = search(vectors[:3], vectors, exact.K, "cosine")
    said = exact.neighbours_agree("peer", ours.rows[:, ::-1], ours, vectors[:3], vectors)
    assert said == "recall@10 of peer 1 up to ties: of 30 neighbours 0 differ by more than 1e-06, 0 may change places"
    worse = ours.rows.copy()
    worse[0, -1] = np.setdiff1d(np.arange(40), ours.rows[0])[0]
    with pytest.raises(AssertionError, match=r"recall@10 of peer 0\.966667 up to ties: of 30 neighbours 1 differ"):
        exact.neighbours_agree("peer", worse, ours, vectors[:3], vectors)


def test_neighbours_that_differ_by_rounding_are_counted_apart():
    vectors = exact.unit_rows(40, 8, 0)
    ours = search(vectors[:1], vectors, exact.K, "cosine")
    twin = np.setdiff1d(np.arange(40), ours.rows[0])[0]
    vectors[twin] = vectors[ours.rows[0, -1]]
    tied = ours.rows.copy()
    tied[0, -1] = twin
    assert exact.differing(ours, tied, vectors[:1], vectors) == (0, 1)


@pytest.mark.parametrize(("chromium", "playwright", "why"), [
    (None, True, "no chromium on the PATH"),
    ("/usr/bin/chromium", False, "playwright is not installed (pip install 'embdiff[test-all]')"),
])  # fmt: skip
def test_a_report_is_opened_only_where_there_is_a_browser_and_what_drives_it(monkeypatch, chromium, playwright, why):
    monkeypatch.setattr(views.shutil, "which", lambda name: chromium)
    monkeypatch.setattr(views, "is_installed", lambda module: playwright)
    figures = views.main(full=True)
    assert [figure.name for figure in figures] == list(views.ROWS)
    assert [figure.bound for figure in figures] == [12, 4, 100, 24, 4, 100]
    assert {(figure.holds, figure.why) for figure in figures} == {(None, why)}


def test_overhead_is_of_whole_processes_over_the_libraries_alone(monkeypatch, tmp_path):
    spent = {"alone": [1.0, 3.0, 2.0], overhead.MEMORY: [8.0, 9.0, 7.0], overhead.DEFAULT: [18.0, 22.0]}
    monkeypatch.setattr(overhead, "DATA", tmp_path)
    monkeypatch.setattr(overhead, "in_turn", lambda ways: {way: [(each, None) for each in spent[way]] for way in ways})
    memory, default = overhead.main()
    assert (memory.ratio, memory.bound, memory.holds) == (4.0, 5.0, True)
    assert (default.ratio, default.bound, default.holds) == (10.0, 8.0, False)
    assert default.timings == {"alone": spent["alone"], overhead.DEFAULT: spent[overhead.DEFAULT]}
    monkeypatch.setattr(overhead, "DATA", tmp_path / "absent")
    figures = overhead.main()
    assert [figure.name for figure in figures] == list(overhead.ROWS)
    assert {(figure.holds, figure.why) for figure in figures} == {(None, "the data sets are not beside this checkout")}


def test_growth_is_fitted_to_time_and_to_memory_and_written(monkeypatch, tmp_path):
    def compared(rows, *, every):
        seconds = 1e-6 * rows**2 if every else 1e-3 * rows
        return growth.Size(rows, every, [9 * seconds, seconds, seconds, seconds, 0.1 * seconds], [rows**0.5, rows**0.5])

    monkeypatch.setattr(growth, "compared", compared)
    monkeypatch.setattr(growth, "__file__", str(tmp_path / "growth.py"))
    figures = {figure.name: figure for figure in growth.main()}
    assert list(figures) == list(growth.ROWS)
    wanted = {"growth": 1.0, "growth_memory": 0.5, "growth_all_pairs": 2.0, "growth_memory_all_pairs": 0.5}
    assert {name: figure.ratio for name, figure in figures.items()} == pytest.approx(wanted)
    assert figures["growth_memory"].timings["100,000 rows"] == [pytest.approx(316.23, abs=0.01)] * 2
    text = (tmp_path / "growth.md").read_text()
    assert "| 1,000 | every row asked | 1 | 31.6 and 31.6 |" in text
    assert "With 2,000 queries sampled, time grows as rows ^ 1.00, memory as rows ^ 0.50." in text
