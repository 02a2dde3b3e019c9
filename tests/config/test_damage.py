"""However a configuration is damaged, it is either still right or told as a mistake with a place: never a traceback."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_seg.config import load
from stream_seg.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "examples/segmentation.yaml"
LINES = [line for line in EXAMPLE.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
JUNK = [
    "[]", "{}", "~", '""', "-1", "1e999", ".nan", "!!int x", "!!map x", "*a", "&a 1", '"\\u0000"', "[[1]]",
    "{a: {b: 1}}", "true", "2017-01-01", "? a", ": b", "|", ">", "%", "@", "`", "'", '"', "{? [a]: b}", "redis://[::1",
    "9" * 20, "0o8", "1:2", "\u2028", "\x85", "\t", "event ==",
]  # fmt: skip

line = st.integers(0, len(LINES) - 1)
damage = st.one_of(
    st.tuples(st.just("value"), line, st.sampled_from(JUNK)),
    st.tuples(st.just("delete"), line, st.just("")),
    st.tuples(st.just("repeat"), line, st.just("")),
    st.tuples(st.just("indent"), line, st.sampled_from(["", "  ", "      "])),
    st.tuples(st.just("cut"), line, st.just("")),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(damage, min_size=1, max_size=3))
def test_a_damaged_configuration_is_told_with_a_place_or_still_right(
    tmp_path: Path, damages: list[tuple[str, int, str]]
) -> None:
    lines = list(LINES)
    for kind, at, text in damages:
        if kind == "value":
            lines[at] = f"{lines[at].partition(':')[0]}: {text}"
        elif kind == "repeat":
            lines[at] = f"{lines[at]}\n{lines[at]}"
        elif kind == "indent":
            lines[at] = text + lines[at].strip()
        else:
            lines[at] = "" if kind == "delete" else lines[at][: len(lines[at]) // 2]
    file = tmp_path / "segmentation.yaml"
    file.write_text("\n".join(lines))
    for problem in problems_of(file):
        row, column, text = problem.removeprefix(f"{file}:").split(":", 2)
        assert 1 <= int(row) <= len(file.read_text().split("\n")) + 1
        assert int(column) >= 1
        assert text.strip()


def problems_of(file: Path) -> list[str]:
    try:
        load(file, {})
    except ConfigError as error:
        return error.problems
    return []
