import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_env.errors import TraceError
from racer_env.race import Status
from racer_env.trace import COLUMNS, HEADER, Trace, TraceRow, find_traces, parse, read, text

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
TRACES = SHARED / "data" / "traces"
original = pytest.mark.skipif(not TRACES.is_dir(), reason="the original's traces are not here")

#: A step as the newest simulator writes it.
NEWEST = (
    *("3", "2.0", "-1.4431744", "-1.713296162614579", "178.99982504818868", "-10.0", "2.0", "7", "0.843345713469313"),
    *("False", "True", "0.843345713469313", "1", "16.598090036588506", "36.231", "in_progress", "0.0", "0"),
    "1773215987.7159088",
)


def line(fields: int, **values: str) -> str:
    """A step of a generation that had so many fields."""
    return ",".join([values.get(name, value) for name, value in zip(COLUMNS, NEWEST, strict=True)][:fields]) + "\n"


def header(fields: int) -> str:
    return ",".join(COLUMNS[:fields]) + "\n"


def of(content: str) -> Trace:
    return parse(content, Path("a.csv"))


def refusal(content: str) -> str:
    with pytest.raises(TraceError) as caught:
        of(content)
    return str(caught.value)


@pytest.mark.parametrize("fields", range(14, 20))
def test_every_generation_is_read_and_what_it_lacks_is_filled_in(fields: int) -> None:
    trace = of(header(fields) + line(fields, yaw="178.0"))
    row = trace.rows[0]
    assert (len(trace), trace.fields, trace.rounded) == (1, fields, False)
    assert (row.episode, row.steps, row.x, row.closest_waypoint) == (3, 2.0, -1.4431744, 1)
    assert (row.done, row.all_wheels_on_track, row.status) == (False, True, "in_progress")
    assert row.yaw == 178.0
    assert row.tstamp == (36.231 if fields > 14 else 2.0 / 15.0)
    assert row.wall_clock == (1773215987.7159088 if fields == 19 else 0.0)


@pytest.mark.parametrize("fields", range(14, 20))
def test_a_log_holds_the_same_steps_among_other_lines(fields: int) -> None:
    steps = [line(fields, steps=f"{i}.0") for i in (1, 2)]
    log = (
        f"Loading checkpoint\nSIM_TRACE_LOG:{steps[0]}Training> Episode=1\n[12:01] SIM_TRACE_LOG:{steps[1]}\r\nbye, 1\n"
    )
    trace = of(log)
    assert trace.rounded
    assert trace.rows.tolist() == of(header(fields) + "".join(steps)).rows.tolist()


def test_a_line_of_a_log_may_be_quoted_by_whoever_exported_it() -> None:
    assert of('123,"SIM_TRACE_LOG:' + line(17).strip() + '\\n"\n').rows[0].pause_duration == 0.0


def test_a_line_of_a_log_may_be_coloured_or_stamped() -> None:
    coloured = "2022-03-04 \x1b[32m[INFO] SIM_TRACE_LOG:" + line(17).strip() + "\x1b[0m\n"
    assert of(coloured).rows.tolist() == of("SIM_TRACE_LOG:" + line(17)).rows.tolist()


def test_files_need_no_header_and_may_have_other_columns_and_names() -> None:
    plain = of(line(17)).rows.tolist()
    renamed = header(17).replace("all_wheels_on_track", "on_track").replace("tstamp", "timestamp").replace("X", "x")
    assert of(renamed + line(17)).rows.tolist() == plain
    assert of("iteration," + header(17) + "5," + line(17)).rows.tolist() == plain
    backwards = [",".join(reversed(row.strip().split(","))) for row in (header(17), line(17))]
    assert of("\n".join(backwards)).rows.tolist() == plain


def test_old_logs_without_a_status_are_in_radians() -> None:
    old = of("SIM_TRACE_LOG:" + line(15, yaw="-1.5707963", steer="0.5236"))
    assert old.rows[0].yaw == pytest.approx(-90.0)
    assert old.rows[0].steer == pytest.approx(30.0, abs=1e-3)
    in_degrees = of("SIM_TRACE_LOG:" + line(15, yaw="-90.0", steer="30.0"))
    assert (in_degrees.rows[0].yaw, in_degrees.rows[0].steer) == (-90.0, 30.0)
    newer = of("SIM_TRACE_LOG:" + line(16, yaw="-1.5707963", steer="0.5"))
    assert (newer.rows[0].yaw, newer.rows[0].steer) == (-1.5707963, 0.5)


def test_the_last_step_of_an_old_log_left_the_track_or_finished_the_lap() -> None:
    steps = [line(15, done=done, progress=p) for done, p in (("False", "9"), ("True", "9"), ("True", "100"))]
    assert of("".join(steps)).rows.status.tolist() == ["in_progress", "off_track", "lap_complete"]


@pytest.mark.parametrize("action", ["[-25.0 1.33]", "[-25.0, 1.33]", "[-25.0,1.33]", '"[-25.0, 1.33]"'])
def test_continuous_actions_are_read_with_and_without_a_comma(action: str) -> None:
    assert of(header(19) + line(19, action=action)).rows[0].action == "[-25.0 1.33]"
    assert of("SIM_TRACE_LOG:" + line(17, action=action.strip('"'))).rows[0].action == "[-25.0 1.33]"


@pytest.mark.parametrize("action", ["0", "11", "3.0"])
def test_an_index_stays_as_it_is_written(action: str) -> None:
    assert of(header(19) + line(19, action=action)).rows[0].action == action


@pytest.mark.parametrize(
    ("column", "value", "allowed"),
    [
        ("yaw", "north", "a finite number"),
        ("X", "nan", "a finite number"),
        ("reward", "", "a finite number"),
        ("closest_waypoint", "1.5", "a whole number"),
        ("episode", "one", "a whole number"),
        ("done", "maybe", "True or False"),
    ],
)
def test_a_broken_value_is_refused_with_file_line_and_what_is_allowed(column: str, value: str, allowed: str) -> None:
    said = refusal(header(19) + line(19) + "\n" + line(19, **{column: value}))
    assert said == f"a.csv, line 4: {column} is {value!r}; it must be {allowed}"
    logged = refusal("hello\nSIM_TRACE_LOG:" + line(17) + "SIM_TRACE_LOG:" + line(17, **{column: value}))
    assert logged == f"a.csv, line 3: {column} is {value!r}; it must be {allowed}"


def test_a_line_that_was_cut_off_is_refused() -> None:
    assert refusal(header(17) + line(17) + line(9)) == "a.csv, line 3: 9 fields; a step has 17 as in the lines before"
    assert refusal("SIM_TRACE_LOG:" + line(13)) == "a.csv, line 1: 13 fields; a step has 14 to 19"
    too_many = refusal(line(19).strip() + ",1\n")
    assert too_many.startswith("a.csv, line 1: 20 fields; a step has 19")


def test_a_file_of_something_else_is_refused() -> None:
    assert refusal("name,colour\ncar,red\n").startswith("a.csv: holds no recorded step; expected")
    lacking = header(19).replace("yaw,", "").replace("progress", "share")
    assert refusal(lacking) == "a.csv, line 1: not the header of a simtrace file; it lacks yaw, progress"


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    for n in (10, 9, 2):
        (tmp_path / f"{n}-iteration.csv").write_text(HEADER + line(19, episode=str(n)))
    (tmp_path / "11-iteration.csv").write_text(HEADER)
    (tmp_path / "other.csv").write_text("name,colour\n")
    assert read(tmp_path).rows.episode.tolist() == [2, 9, 10]


def test_traces_are_found_below_a_folder(tmp_path: Path) -> None:
    for name in ("b.log", "worker-0/0-iteration.csv", "worker-1/0-iteration.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        mark = "SIM_TRACE_LOG:" if name.endswith(".log") else HEADER
        (tmp_path / name).write_text(mark + line(19))
    (tmp_path / "empty.log").write_text("nothing here\n")
    (tmp_path / "index.csv").write_text("path,physics\nb.log,v4\n")
    assert find_traces(tmp_path) == [tmp_path / "b.log", tmp_path / "worker-0", tmp_path / "worker-1"]
    assert find_traces(tmp_path / "b.log") == [tmp_path / "b.log"]


def test_nothing_to_read_is_refused_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("nothing here\n")
    for path, said in ((tmp_path / "none", "no such file or folder"), (tmp_path, "no trace below this folder")):
        with pytest.raises(TraceError, match=said):
            find_traces(path)
    with pytest.raises(TraceError, match="holds no recorded step"):
        read(tmp_path / "a.log")
    (tmp_path / "a.csv").write_text(HEADER)
    with pytest.raises(TraceError, match="holds no recorded step"):
        read(tmp_path / "a.csv")
    with pytest.raises(TraceError, match="cannot be read"):
        read(tmp_path / "none.csv")


def test_a_run_lasts_until_the_steps_begin_anew() -> None:
    steps = [line(19, steps=f"{n}.0", episode=str(e)) for n, e in ((1, 0), (2, 0), (3, 1), (1, 2), (1, 3), (2, 3))]
    assert of(HEADER + "".join(steps)).runs.tolist() == [0, 0, 0, 1, 2, 2]


numbers = st.floats(-1e5, 1e5, allow_nan=False)
rows = st.builds(
    TraceRow,
    steps=st.integers(1, 10_000).map(float),
    x=numbers,
    y=numbers,
    yaw=st.floats(-180.0, 180.0),
    steer=numbers,
    throttle=numbers,
    action=st.integers(0, 99).map(str) | st.builds("[{} {}]".format, numbers, numbers),
    reward=numbers,
    done=st.booleans(),
    all_wheels_on_track=st.booleans(),
    progress=st.floats(-1.0, 100.0) | st.just(100.0),
    closest_waypoint=st.integers(0, 1000),
    track_len=numbers,
    tstamp=numbers,
    status=st.sampled_from(Status),
    pause_duration=numbers,
    obstacle_crash_counter=st.integers(0, 100),
    wall_clock=st.floats(0.0, 2e9),
)


@given(st.lists(rows, min_size=1, max_size=5), st.integers(0, 1000))
def test_what_is_written_is_read_back_exactly(steps: list[TraceRow], episode: int) -> None:
    content = HEADER + text(steps, episode)
    trace = of(content)
    assert trace.text() == content
    assert trace.rows.x.tolist() == [step.x for step in steps]
    assert trace.rows.status.tolist() == [step.status.label for step in steps]


@given(st.lists(rows, min_size=1, max_size=3), st.sampled_from(range(14, 20)))
def test_an_older_generation_is_written_as_the_newest(steps: list[TraceRow], fields: int) -> None:
    old = "".join(",".join(step.line(1).strip().split(",")[:fields]) + "\n" for step in steps)
    newest = of(of(header(fields) + old).text())
    assert newest.fields == 19
    assert newest.rows.tolist() == of(header(fields) + old).rows.tolist()


@original
def test_the_originals_newest_files_are_written_back_byte_for_byte() -> None:
    files = [f for f in sorted(TRACES.glob("v6*/*.csv")) if f.read_text().startswith(HEADER)]
    assert len(files) >= 19
    for file in files:
        assert parse(file.read_text(), file).text() == file.read_text()


@original
def test_every_recorded_step_of_the_original_is_read() -> None:
    with (TRACES / "index.csv").open() as file:
        expected = {row["path"]: (int(row["steps"]), float(row["speed_max"])) for row in csv.DictReader(file)}
    traces = {path.name: read(path) for path in find_traces(TRACES)}
    assert traces.keys() == expected.keys()
    for name, (steps, speed) in expected.items():
        assert len(traces[name]) == steps
        assert np.max(traces[name].rows.throttle) == pytest.approx(speed, abs=0.06)
