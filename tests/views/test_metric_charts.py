"""Charts of metrics over epochs."""

import math

import pytest
from PIL import Image

from workflows.views.charts import metric_chart, metric_figure
from workflows.views.errors import ViewError


def axes_of(series):
    (axes,) = metric_figure(series, title="TrainBase").axes
    return axes


def legend_of(series):
    return [text.get_text() for text in axes_of(series).get_legend().get_texts()]


def test_the_maximum_and_its_epoch_stand_in_the_legend():
    assert legend_of({"validation:mAP": [0.25, 0.5, 0.75, 0.625]}) == [
        "validation:mAP (maximum 0.75 at epoch 2)"
    ]


def test_the_maximum_is_marked_where_it_is():
    _, mark = axes_of({"validation:mAP": [0.25, 0.75, 0.5]}).get_lines()
    assert (list(mark.get_xdata()), list(mark.get_ydata())) == ([1], [0.75])


def test_of_equal_maxima_the_first_counts():
    assert legend_of({"loss": [3, 5, 5]}) == ["loss (maximum 5 at epoch 1)"]


@pytest.mark.parametrize(
    "values",
    [pytest.param([0.2, 0.9], id="inside"), pytest.param([0.0, 1.0], id="on-the-ends")],
)
def test_shares_are_shown_from_0_to_1_in_tenths(values):
    axes = axes_of({"validation:mAP": values})
    assert axes.get_ylim() == (0, 1)
    assert [tick for tick in axes.get_yticks() if -1e-9 <= tick <= 1 + 1e-9] == pytest.approx(
        [tenth / 10 for tenth in range(11)]
    )


@pytest.mark.parametrize("epochs", [1, 2, 30])
def test_epochs_are_whole_numbers(epochs):
    axes = axes_of({"validation:mAP": [0.5] * epochs})
    assert [tick for tick in axes.get_xticks() if not float(tick).is_integer()] == []


@pytest.mark.parametrize(
    "other", [pytest.param([0.5, 1.2], id="above"), pytest.param([-0.1, 0.5], id="below")]
)
def test_other_figures_set_the_axis_for_all(other):
    assert axes_of({"validation:mAP": [0.2, 0.9], "other": other}).get_ylim() != (0, 1)


def test_values_that_are_no_numbers_leave_gaps():
    axes = axes_of({"loss": [math.nan, 2.0, math.inf, 1.0]})
    drawn = axes.get_lines()[0].get_ydata()
    assert [math.isnan(value) for value in drawn] == [True, False, True, False]
    assert legend_of({"loss": [math.nan, 2.0, math.inf, 1.0]}) == ["loss (maximum 2 at epoch 1)"]


def test_names_are_taken_as_they_are():
    assert legend_of({"_cost $x$ in $": [1.0]})[0].replace("\\", "").strip().startswith("_cost $x$ in $")


def test_a_chart_is_a_png_file_and_nothing_else_is_left(tmp_path):
    output = tmp_path / "charts" / "map.png"
    metric_chart({"validation:mAP": [0.1, 0.2]}, title="costs $5 and $6", output=output)
    with Image.open(output) as picture:
        assert (picture.format, picture.size) == ("PNG", (960, 600))
    assert list(output.parent.iterdir()) == [output]


@pytest.mark.parametrize(
    ("series", "message"),
    [
        pytest.param({}, "no metric", id="no-series"),
        pytest.param({"loss": []}, "'loss' has no value", id="empty"),
        pytest.param({"loss": [math.nan]}, "'loss' has no value", id="nothing-finite"),
    ],
)
def test_nothing_to_draw_is_said(series, message, tmp_path):
    with pytest.raises(ViewError, match=message):
        metric_chart(series, title="", output=tmp_path / "chart.png")
    assert list(tmp_path.iterdir()) == []


def test_a_chart_is_refused_under_another_name(tmp_path):
    with pytest.raises(ViewError, match=r"must end in \.png"):
        metric_chart({"loss": [1.0]}, title="", output=tmp_path / "chart.gif")
