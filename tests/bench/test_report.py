"""A result as tables: every figure that was measured, and no word of what was not."""

import pytest

from bench.contest import OURS, PLAIN, STUDENT, USUAL
from bench.plot import plot
from bench.report import BEGIN, END, headlines, main, markdown, put_into, tables
from bench.results import (
    BenchError,
    Board,
    Bucket,
    Condition,
    Moment,
    Section,
    Sustained,
    read_result,
    write_result,
)
from bench.terminal import progress, show
from tests.bench.builders import a_contestant, a_memory, a_result, a_start, some_limits


@pytest.fixture
def result():
    return a_result(
        networks=(
            a_contestant(STUDENT, *[0.5] * 5, macs=28_000_000),
            a_contestant("MobileNetV2", *[8.0] * 5, macs=300_000_000),
            a_contestant("matrix product in NumPy", *[10.0] * 5),
            a_contestant("copy of memory", *[9.0] * 5),
        ),
        ways=tuple(
            a_contestant(name, *[ms] * 5)
            for name, ms in ((OURS, 4.0), (PLAIN, 20.0), (USUAL, 200.0))
        )
        + tuple(
            a_contestant(name, *[2.0] * 5)
            for name in (
                "preprocessing alone",
                "one area resize of the frame",
                "12-megapixel JPEG to a decision",
                "full decode of that JPEG alone",
            )
        ),
        limits=some_limits(),
        memory=a_memory(),
        start=a_start([400.0] * 5, [500.0] * 5),
    )


def test_nothing_measured_is_no_table():
    assert tables(a_result()) == []


def test_every_row_is_as_wide_as_its_table(result):
    assert {len(row) == len(table.columns) for table in tables(result) for row in table.rows} == {
        True
    }


def test_the_page_says_the_figures_and_their_command(result):
    page = markdown(result)
    assert (
        "| MobileNetV2 | somehow | 224 px | 300,000,000 | 300 | 8.00 (8.00 to 8.00) | 16.00 |"
        in (page)
    )
    assert "| the usual way | somehow | 200.00 (200.00 to 200.00) | 50.00 |" in page
    assert "`python bench/run.py`" in page
    assert "research and education" in page.lower()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"is_quick": True}, "no figure for anybody"),
        ({"left_out": ("ncnn is not here",)}, "Left out: ncnn is not here"),
        (
            {"condition": Condition(moments=(), waited_share=0.5, warnings=("busy",))},
            "Warning: busy",
        ),
        (
            {"board": Board(asked="pi4", found="generic", model="", compatible=())},
            "under the name pi4, by force",
        ),
    ],
)
def test_what_weakens_a_result_stands_above_its_figures(changes, words):
    assert any(words in line for line in headlines(a_result(**changes)))
    assert not any(words in line for line in headlines(a_result()))


def test_sustained_work_stands_beside_the_heat_of_that_time():
    moments = tuple(
        Moment(at_s=at_s, celsius=celsius, clock_mhz=mhz, flags=(), load=1.0, watt=None)
        for at_s, celsius, mhz in ((5.0, 90.0, 100.0), (21.0, 60.0, 1800.0), (35.0, 82.0, 1500.0))
    )
    hot = a_result(
        condition=Condition(moments=moments, waited_share=0.0, warnings=()),
        sections={"sustained": Section(began_s=20.0, ended_s=40.0)},
        sustained=Sustained(
            seconds=20.0,
            buckets=(
                Bucket(at_s=0.0, count=500, p50=20.0, p90=21.0),
                Bucket(at_s=10.0, count=400, p50=25.0, p90=26.0),
            ),
        ),
    )
    (table,) = tables(hot)
    assert table.rows[0] == ("the first", "500", "20.00", "21.00", "60.0", "1800")
    assert table.rows[1][1:] == table.rows[2][1:] == ("400", "25.00", "26.00", "82.0", "1500")


def test_tables_go_between_the_marks_of_a_page_and_nowhere_else(result):
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = put_into(page, result)
    assert once.startswith("before\n")
    assert once.endswith(f"{END}\nafter\n")
    assert "old" not in once
    assert put_into(once, result) == once
    with pytest.raises(BenchError, match="expected a page"):
        put_into("no marks", result)


def test_the_program_writes_a_page_from_a_file(result, tmp_path, capsys):
    write_result(result, tmp_path / "r.json")
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}{END}")
    assert main([str(tmp_path / "r.json"), str(page)]) == 0
    assert markdown(result) in page.read_text()
    assert "![" not in page.read_text()
    (tmp_path / "r.png").write_bytes(b"")
    assert main([str(tmp_path / "r.json"), str(page)]) == 0
    assert "](r.png)" in page.read_text()
    page.write_text("")
    assert main([str(tmp_path / "r.json"), str(page)]) == 1
    assert "expected a page" in capsys.readouterr().err


def test_a_result_survives_its_file(result, tmp_path):
    write_result(result, tmp_path / "r.json")
    assert read_result(tmp_path / "r.json") == result


def test_a_result_of_another_form_is_refused(result, tmp_path):
    text = result.model_dump_json().replace("edgederm-bench-1", "edgederm-bench-0")
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(BenchError, match="edgederm-bench-1"):
        read_result(tmp_path / "r.json")
    with pytest.raises(BenchError, match="No such file"):
        read_result(tmp_path / "none.json")


def test_the_plot_is_a_picture_and_the_same_each_time(result, tmp_path):
    assert plot(result, tmp_path / "a.png")
    assert plot(result, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert not plot(a_result(), tmp_path / "c.png")


def test_the_terminal_shows_the_tables_with_rich_and_without(result, capsys, monkeypatch):
    show(result)
    assert "MobileNetV2" in capsys.readouterr().out
    monkeypatch.setattr("bench.terminal.find_spec", lambda _: None)
    show(result)
    assert markdown(result) in capsys.readouterr().out


def test_progress_says_a_line_for_each_part_where_there_is_no_terminal(capsys):
    with progress(2) as begin:
        begin("one")()
        begin("two")()
    assert capsys.readouterr().err == "[1/2] one\n[2/2] two\n"
