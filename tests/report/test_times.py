import numpy as np
import pytest

from lstm_export.report.times import TimeScale, time_scale


@pytest.mark.parametrize(
    ("times", "format", "kind"),
    [
        (["1700", "1701.5"], None, "number"),
        (["20200101", "20200102"], "%Y%m%d", "date"),
        (["2020-01-01", "2020-01-02"], None, "date"),
        (["2020-01-01T00:00+01:00"], None, "date"),
        (["01/02/2020"], "%d/%m/%Y", "date"),
        (["2020 Q1", "2020 Q2"], "%Y Q%q", "row"),
        (["+1", "nan"], None, "row"),
        ([], None, "number"),
    ],
)
def test_the_kind_is_found(times: list[str], format: str | None, kind: str) -> None:
    assert time_scale(times, format).kind == kind


def test_places() -> None:
    rows = np.array([3, 9])
    assert TimeScale("number").place(["1700", "1750"], rows).tolist() == [1700, 1750]
    assert TimeScale("row").place(["a", "b"], rows).tolist() == [3, 9]
    dates = TimeScale("date").place(["2020-01-01", "2020-01-03"], rows)
    assert np.diff(dates).tolist() == [2]
