"""What a tuning job proposes: ranges, scalings, strategies, and when it has seen enough."""

import math
import statistics
import threading
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workflows.local.request import Request, RequestError
from workflows.local.tuning.halt import Halt
from workflows.local.tuning.job import (
    Objective,
    TrainingDefinition,
    TuningJob,
    read_job,
    tuning_job_name,
)
from workflows.local.tuning.outcome import Trial, hopeless, is_enough, not_improving, ranked
from workflows.local.tuning.ranges import read_ranges
from workflows.local.tuning.search import Search
from workflows.local.tuning.space import SearchSpace
from workflows.local.tuning.strategies import even, make_strategy

STRATEGIES = ("Random", "Bayesian")


def number_range(name, low, high, scaling="Linear"):
    return {"Name": name, "MinValue": str(low), "MaxValue": str(high), "ScalingType": scaling}


def read(continuous=(), integer=(), categorical=()):
    request = {
        "ContinuousParameterRanges": list(continuous),
        "IntegerParameterRanges": list(integer),
        "CategoricalParameterRanges": [{"Name": name, "Values": values} for name, values in categorical],
    }
    return SearchSpace(tuple(read_ranges(Request(request, "ParameterRanges"))))


def proposals(strategy, space, count, seed="seed", score=lambda _: 0.0):
    """What a strategy proposes, each result known before the next proposal."""
    search = make_strategy(strategy, space, seed)
    found = []
    for _ in range(count):
        values = search.propose()
        if values is None:
            break
        found.append(values)
        search.learn(score(values))
    return found


# Ranges

bounds = st.floats(-1e6, 1e6)
positive = st.floats(1e-300, 1e300)
fraction = st.floats(0, 1, exclude_max=True)
shares = st.floats(0, 1, exclude_max=True)


@given(low=bounds, high=bounds, share=shares)
def test_linear_numbers_lie_where_the_share_says(low, high, share):
    assume(low < high)
    (entry,) = read([number_range("x", low, high)]).ranges
    value = float(entry.at(share))
    assert low <= value <= high
    assert value == pytest.approx(low + share * (high - low), abs=1e-9 * (high - low))


@given(low=positive, high=positive, share=shares)
def test_logarithmic_numbers_lie_where_the_share_of_the_exponent_says(low, high, share):
    assume(low < high)
    (entry,) = read([number_range("x", low, high, "Logarithmic")]).ranges
    value = float(entry.at(share))
    assert low <= value <= high
    # The slow way: as an exponent of ten.
    exponent = math.log10(low) + share * (math.log10(high) - math.log10(low))
    assert math.log10(value) == pytest.approx(exponent, abs=1e-6)


@given(low=fraction, high=fraction, share=shares)
def test_reverse_logarithmic_numbers_are_logarithmic_from_one_downwards(low, high, share):
    assume(low < high)
    (entry,) = read([number_range("x", low, high, "ReverseLogarithmic")]).ranges
    value = float(entry.at(share))
    assert low <= value <= high
    distance = (1 - low) ** (1 - share) * (1 - high) ** share
    assert 1 - value == pytest.approx(distance, rel=1e-6, abs=1e-12)


@given(
    low=st.integers(-(2**63) + 1, 2**63 - 2),
    width=st.integers(1, 2**62),
    share=shares,
    scaling=st.sampled_from(["Auto", "Linear", "Logarithmic"]),
)
def test_integers_are_integers_of_their_range(low, width, share, scaling):
    high = min(low + width, 2**63 - 1)
    assume(low < high and (scaling != "Logarithmic" or low > 0))
    (entry,) = read(integer=[number_range("n", low, high, scaling)]).ranges
    text = entry.at(share)
    assert text == str(int(text))
    assert low <= int(text) <= high


def test_every_integer_of_a_linear_range_has_the_same_room():
    (entry,) = read(integer=[number_range("n", -1, 2)]).ranges
    found = [entry.at(share / 400) for share in range(400)]
    assert {value: found.count(value) for value in found} == {"-1": 100, "0": 100, "1": 100, "2": 100}


def test_the_outermost_integers_of_a_logarithmic_range_have_their_full_room():
    (entry,) = read(integer=[number_range("n", 1, 3, "Logarithmic")]).ranges
    found = [entry.at(share / 10_000) for share in range(10_000)]
    # From 0.5 to 3.5 there are log(7); 1 has those up to 1.5, 3 those from 2.5.
    assert found.count("1") / 10_000 == pytest.approx(math.log(3) / math.log(7), abs=0.001)
    assert found.count("3") / 10_000 == pytest.approx(math.log(1.4) / math.log(7), abs=0.001)


@pytest.mark.parametrize(
    ("low", "high", "scaling"),
    [
        pytest.param("0.01", "1", "Logarithmic", id="two-orders-of-magnitude"),
        pytest.param("0.011", "1", "Linear", id="less"),
        pytest.param("0", "1000", "Linear", id="from-zero"),
        pytest.param("-1000", "-1", "Linear", id="negative"),
    ],
)
def test_auto_is_logarithmic_from_two_orders_of_magnitude_on(low, high, scaling):
    (entry,) = read([number_range("x", low, high, "Auto")]).ranges
    assert entry.scaling == scaling


def test_numbers_may_come_as_numbers_and_without_a_scaling():
    request = {
        "ContinuousParameterRanges": [{"Name": "x", "MinValue": 0.5, "MaxValue": 2}],
        "IntegerParameterRanges": [{"Name": "n", "MinValue": 1, "MaxValue": "8", "ScalingType": None}],
    }
    x, n = read_ranges(Request(request, "ParameterRanges"))
    assert (x.low, x.high, x.scaling) == (0.5, 2.0, "Linear")
    assert (n.low, n.high, n.scaling) == (1, 8, "Linear")


@pytest.mark.parametrize(
    ("field", "entry", "fault"),
    [
        pytest.param("Continuous", number_range("x", 2, 1), "MinValue 2.0 is not below", id="crossed"),
        pytest.param("Integer", number_range("x", 1, 1), "belongs in StaticHyperParameters", id="one-value"),
        pytest.param("Continuous", number_range("x", "a", 1), "must be a number in a string", id="no-number"),
        pytest.param("Continuous", number_range("x", "nan", 1), "is 'nan'", id="nan"),
        pytest.param("Continuous", number_range("x", 0, "1_0"), "is '1_0'", id="underscore"),
        pytest.param("Continuous", number_range("x", 0, "1e999"), "is '1e999'", id="infinite"),
        pytest.param("Continuous", number_range("x", -1.7e308, 1.7e308), "too wide", id="too-wide"),
        pytest.param("Integer", number_range("x", 0, "1.5"), "must be an integer", id="no-integer"),
        pytest.param("Integer", number_range("x", 0, 2**63), "beyond 64 bits", id="huge"),
        pytest.param("Integer", number_range("x", 0, "9" * 5000), "must be an integer", id="endless"),
        pytest.param("Integer", {"Name": "x", "MinValue": True, "MaxValue": 3}, "is True", id="boolean"),
        pytest.param("Continuous", {"Name": "x", "MinValue": "0"}, "MaxValue: must be", id="no-maximum"),
        pytest.param(
            "Continuous", number_range("x", 0, 1, "Logarithmic"), "needs values above 0", id="log-of-zero"
        ),
        pytest.param(
            "Continuous", number_range("x", 0, 1, "ReverseLogarithmic"), "needs 0 <= x < 1", id="one-included"
        ),
        pytest.param(
            "Continuous", number_range("x", -1, 0, "ReverseLogarithmic"), "needs 0 <= x < 1", id="below-zero"
        ),
        pytest.param(
            "Integer", number_range("x", 0, 5, "ReverseLogarithmic"), "continuous ranges only", id="reverse"
        ),
        pytest.param("Continuous", number_range("x", 0, 1, "Log"), "'Log' is none of Auto", id="unknown"),
        pytest.param("Categorical", {"Name": "x", "Values": []}, "has 0 Values", id="nothing"),
        pytest.param("Categorical", {"Name": "x", "Values": ["a", "a"]}, "twice", id="twice"),
        pytest.param(
            "Categorical", {"Name": "x", "Values": [str(n) for n in range(31)]}, "takes 1 to 30", id="31"
        ),
    ],
)
def test_a_range_that_cannot_be_searched_is_refused_with_its_place(field, entry, fault):
    request = Request({f"{field}ParameterRanges": [entry]}, "ParameterRanges")
    with pytest.raises(RequestError) as refused:
        list(read_ranges(request))
    assert str(refused.value).startswith(f"ParameterRanges.{field}ParameterRanges[0]")
    assert fault in str(refused.value)


def test_combinations_are_counted_unless_a_range_is_continuous():
    finite = read(integer=[number_range("n", 1, 4)], categorical=[("c", ["a", "b", "c"])])
    assert finite.combinations == 12
    assert [finite.nth(index) for index in (0, 1, 11)] == [
        {"n": "1", "c": "a"},
        {"n": "1", "c": "b"},
        {"n": "4", "c": "c"},
    ]
    assert read([number_range("x", 0, 1)], categorical=[("c", ["a"])]).combinations is None


# Strategies

MIXED = read(
    [
        number_range("linear", -2, 3),
        number_range("log", 1e-5, 1, "Logarithmic"),
        number_range("reverse", 0.5, 0.9999, "ReverseLogarithmic"),
    ],
    [number_range("n", 1, 64, "Logarithmic"), number_range("wide", -(2**62), 2**62)],
    [("c", ["a", "b"])],
)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_proposal_lies_in_its_ranges(strategy):
    for values in proposals(strategy, MIXED, 40, score=lambda values: float(values["linear"])):
        assert list(values) == ["linear", "log", "reverse", "n", "wide", "c"]
        assert -2 <= float(values["linear"]) <= 3
        assert 1e-5 <= float(values["log"]) <= 1
        assert 0.5 <= float(values["reverse"]) <= 0.9999
        assert 1 <= int(values["n"]) <= 64
        assert abs(int(values["wide"])) <= 2**62
        assert values["c"] in ("a", "b")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_logarithmic_ranges_are_searched_in_every_decade(strategy):
    space = read([number_range("log", 1e-4, 1, "Logarithmic"), number_range("reverse", 0, 0.9999, "Auto")])
    found = proposals(strategy, space, 40)
    decades = [math.floor(math.log10(float(values["log"]))) for values in found]
    assert {-4, -3, -2, -1} <= set(decades)
    # Evenly would be 10 of 40 each; on a linear scale one in a thousand is below 0.001.
    assert all(decades.count(decade) >= 2 for decade in (-4, -3, -2, -1))


def test_random_draws_are_even_over_the_decades():
    space = read([number_range("x", 1e-4, 1, "Logarithmic")])
    decades = [math.floor(math.log10(float(values["x"]))) for values in proposals("Random", space, 2000)]
    assert all(400 < decades.count(decade) < 600 for decade in (-4, -3, -2, -1))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_seed_leads_to_the_same_proposals(strategy):
    def score(values):
        return -abs(float(values["linear"]))

    first = proposals(strategy, MIXED, 20, seed="1", score=score)
    assert proposals(strategy, MIXED, 20, seed="1", score=score) == first
    assert proposals(strategy, MIXED, 20, seed="2", score=score)[0] != first[0]


def test_numbers_that_look_random_do_not_depend_on_the_machine():
    # `printf 7/0/x | sha256sum` begins with ce646bffdd7afa58, of which a float holds 53 bits.
    assert even("7/0/x") == (0xCE646BFFDD7AFA58 >> 11) / 2**53
    assert even("7/0/x") == pytest.approx(0xCE64 / 0x10000, abs=1e-4)


def test_random_proposals_do_not_change_when_a_range_is_added():
    one = read([number_range("x", 0, 1)])
    two = read([number_range("x", 0, 1), number_range("y", 0, 1)])
    assert [v["x"] for v in proposals("Random", one, 5)] == [v["x"] for v in proposals("Random", two, 5)]


@pytest.mark.parametrize("strategy", ["Random", "Bayesian", "Grid"])
def test_no_combination_is_proposed_twice_and_all_are_when_there_is_room(strategy):
    space = read(categorical=[("a", ["1", "2", "3"]), ("b", ["x", "y", "z"])])
    found = proposals(strategy, space, 50, score=lambda values: float(values["a"]))
    assert len(found) == 9
    assert {tuple(values.values()) for values in found} == {(a, b) for a in "123" for b in "xyz"}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_integers_that_hardly_ever_come_up_are_proposed_in_the_end(strategy):
    space = read(integer=[number_range("n", 1, 40, "Logarithmic")])
    found = proposals(strategy, space, 50, score=lambda values: -float(values["n"]))
    assert sorted(int(values["n"]) for values in found) == list(range(1, 41))


def test_a_grid_is_searched_in_the_order_of_its_values():
    space = read(categorical=[("a", ["1", "2"]), ("b", ["x", "y"])])
    assert [tuple(values.values()) for values in proposals("Grid", space, 9)] == [
        ("1", "x"),
        ("1", "y"),
        ("2", "x"),
        ("2", "y"),
    ]


def bowl(values):
    """Best, 0, at x = 0.3 and y = 0.01."""
    return -((float(values["x"]) - 0.3) ** 2) - (math.log10(float(values["y"])) + 2) ** 2 / 9


def test_bayesian_search_comes_nearer_to_the_best_than_random_search():
    space = read([number_range("x", -1, 1), number_range("y", 1e-4, 1, "Logarithmic")])

    def median_of_the_best(strategy):
        return statistics.median(
            max(map(bowl, proposals(strategy, space, 20, seed=str(seed), score=bowl))) for seed in range(31)
        )

    # Squared distances; measured over 60 seeds: 0.008 and 0.026.
    assert median_of_the_best("Bayesian") > median_of_the_best("Random") / 2


def test_a_bayesian_search_learns_from_batches_and_from_failures():
    space = read([number_range("x", -1, 1), number_range("y", 1e-4, 1, "Logarithmic")])
    search = make_strategy("Bayesian", space, "3")
    best = -math.inf
    for _ in range(8):
        batch = [search.propose() for _ in range(4)]
        assert len({values["x"] for values in batch}) == 4
        for index, values in enumerate(batch):
            score = None if index == 3 else bowl(values)
            best = max(best, score if score is not None else best)
            search.learn(score)
    assert best > -0.02


def test_optuna_says_nothing(capfd):
    proposals("Bayesian", MIXED, 12)
    assert capfd.readouterr() == ("", "")


# Several definitions, and results


def job(*definitions, strategy="Random", **more):
    settings = {"max_jobs": 10, "parallel": 1, "max_runtime_s": None, "seed": None}
    criteria = {"target": None, "patience": None}
    return TuningJob(strategy=strategy, definitions=definitions, **{**settings, **criteria, **more})


def algorithm(name=None, kind="Maximize", space=None):
    return TrainingDefinition(
        name=name,
        request=Request({}, "TrainingJobDefinition"),
        objective=Objective("accuracy", kind),
        space=space or read(categorical=[("c", ["1", "2"])]),
    )


def trials(*objectives, kind="Maximize"):
    definition = algorithm(kind=kind)
    return [
        Trial(
            number=number,
            definition=definition,
            values={},
            record={
                "TrainingJobName": f"job-{number}",
                "TrainingJobStatus": "Failed" if objective is None else "Completed",
                "FailureReason": "AlgorithmError: it is broken",
            },
            objective=objective,
        )
        for number, objective in enumerate(objectives, 1)
    ]


def test_definitions_take_turns_until_each_is_exhausted():
    small = algorithm("small", space=read(categorical=[("c", ["1"])]))
    large = algorithm("large", space=read(categorical=[("c", ["1", "2", "3"])]))
    search = Search(job(small, large, strategy="Grid"), "seed")
    found = search.propose(2) + search.propose(9)
    assert [(each.definition.name, each.values["c"]) for each in found] == [
        ("small", "1"),
        ("large", "1"),
        ("large", "2"),
        ("large", "3"),
    ]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [pytest.param("Maximize", [2, 4, 1], id="maximize"), pytest.param("Minimize", [1, 2, 4], id="minimize")],
)
def test_training_jobs_are_ranked_by_their_objective_the_earlier_first(kind, expected):
    assert [trial.number for trial in ranked(trials(0.5, 0.75, None, 0.75, kind=kind))] == expected


@pytest.mark.parametrize(
    ("objectives", "count"),
    [
        pytest.param((), 0, id="none-yet"),
        pytest.param((0.5, 0.6, 0.7), 0, id="better-and-better"),
        pytest.param((0.5, 0.4, None, 0.5, 0.504), 3, id="below-one-per-cent"),
        pytest.param((0.5, 0.4, 0.505), 0, id="one-per-cent"),
        pytest.param((-0.5, -0.51, -0.4), 0, id="negative"),
    ],
)
def test_jobs_that_do_not_improve_are_counted_since_the_last_that_did(objectives, count):
    assert not_improving(trials(*objectives)) == count


def test_a_target_ends_the_search_when_it_is_met():
    assert not is_enough(job(target=0.8), trials(0.7, None, 0.79))
    assert is_enough(job(target=0.8), trials(0.7, 0.8, 0.2))
    assert is_enough(job(target=0.1), trials(0.7, 0.05, kind="Minimize"))
    assert not is_enough(job(target=0.1), trials(0.7, 0.15, kind="Minimize"))


def test_patience_ends_the_search_when_nothing_improves():
    assert not is_enough(job(patience=3), trials(0.7, 0.6, 0.5))
    assert is_enough(job(patience=3), trials(0.7, 0.6, 0.5, 0.7))


def test_a_search_is_hopeless_after_five_failures():
    assert hopeless(trials(None, None, None, None), all_done=False) is None
    assert hopeless(trials(None, None, None, None, 0.1), all_done=True) is None
    assert hopeless(trials(*[None] * 5), all_done=False) == (
        "No training job succeeded after 5 attempts. Please take a look at the training job failures to get "
        "more details. The first: job-1: AlgorithmError: it is broken"
    )
    assert hopeless(trials(None), all_done=True).startswith("No training job succeeded after 1 attempts.")
    assert hopeless([], all_done=True).startswith("MaxRuntimeExceeded: no training job has ended")


# Names and times


@pytest.mark.parametrize(
    ("job_name", "expected"),
    [
        pytest.param(
            "pipelines-0123456789ab-TuneDetector-0a1b2c3d4e", "0123456789ab-TuneDete-0a1b2c3d4e", id="long"
        ),
        pytest.param("pipelines-0123456789ab-Tune-0a1b2c3d4e", "0123456789ab-Tune-0a1b2c3d4e", id="short"),
        pytest.param(
            "pipelines-0123456789ab-Tune-my-x-0a1b2c3d4e", "0123456789ab-Tune-my-0a1b2c3d4e", id="hyphen"
        ),
        pytest.param("tuning", "tuning", id="fits"),
    ],
)
def test_names_of_tuning_jobs_have_at_most_32_characters(job_name, expected):
    assert tuning_job_name(job_name) == expected
    assert len(expected) <= 32


def test_a_grid_without_a_number_of_jobs_has_as_many_as_combinations():
    definition = {
        "TuningObjective": {"Type": "Maximize", "MetricName": "m"},
        "HyperParameterRanges": {"CategoricalParameterRanges": [{"Name": "c", "Values": ["1", "2", "3"]}]},
    }
    config = {"Strategy": "Grid", "ResourceLimits": {"MaxParallelTrainingJobs": 2}}
    request = {"HyperParameterTuningJobConfig": config, "TrainingJobDefinition": definition}
    assert read_job(Request(request, "Arguments")).max_jobs == 3


def test_training_jobs_are_halted_when_the_time_is_up_or_the_execution_is_stopped():
    with Halt(threading.Event(), limit_s=0.05) as halt:
        began = time.monotonic()
        assert halt.event.wait(5)
        assert time.monotonic() - began >= 0.05
    stopped = threading.Event()
    with Halt(stopped, limit_s=None) as halt:
        assert not halt.event.wait(0.3)
        stopped.set()
        assert halt.event.wait(5)
