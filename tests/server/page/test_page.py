"""The page over HTTP, without its script: what it shows, and what its forms do."""

import math
import re
from importlib.resources import files

import pytest

from tests.server.page.conftest import ARN, deploy, picture, register
from tests.server.sagemaker.gates import create, definition, work
from tests.server.toy_requests import eventually
from tests.toys import condition, fail, processing, training
from workflows.local.records import EXECUTION, MODEL_PACKAGE, PIPELINE
from workflows.server.page.charts import chart
from workflows.server.page.layout import WIDTH, lay_out

HOSTILE = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"


def start(sagemaker, text, *, name="birds", wait=True, **more):
    """Starts an execution; returns its id, at its end if `wait`."""
    create(sagemaker, name, text)
    arn = sagemaker.start_pipeline_execution(PipelineName=name, **more)["PipelineExecutionArn"]
    if wait:
        ended(sagemaker, arn)
    return arn.rpartition("/")[2]


def ended(sagemaker, arn):
    def status():
        return sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]

    assert eventually(lambda: status() not in ("Executing", "Stopping"), True, limit_s=60)
    return status()


def equal(left, right):
    return {"Type": "Equals", "LeftValue": left, "RightValue": right}


def node(page, name):
    """What the graph says of a step: its status and the line below its name."""
    found = re.search(rf'class="node (\w+)" aria-label="{name}, \w+: ([\w ]+)">', page)
    return found.groups() if found else None


def test_a_browser_sees_the_overview_where_a_client_of_s3_sees_buckets(cloud, browser):
    page = browser.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "Nothing has run here yet" in page.text
    assert cloud.client("s3").list_buckets()["Buckets"] == []
    assert browser.get("/", headers={"Accept": "*/*"}).headers["content-type"] == "application/xml"


def test_nothing_but_the_servers_own_may_run_or_be_loaded(browser):
    policy = browser.get("/").headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    page = browser.get("/").text
    assert re.findall(r"(?:src|href)=\"(?!/|#)[^\"]*", page) == []
    for file, kind in (
        ("page.js", "text/javascript"),
        ("page.css", "text/css"),
        ("page.svg", "image/svg+xml"),
    ):
        answer = browser.get(f"/-/{file}")
        assert (answer.status_code, answer.headers["content-type"].startswith(kind)) == (200, True)


def test_a_graph_tells_what_succeeded_failed_was_not_taken_and_did_not_run(sagemaker, browser, gates):
    gates.failing.add("Second")
    text = definition(
        work("First"),
        condition("Choose", equal(1, 1), if_steps=[work("Taken")], else_steps=[work("Left")])
        | {"DependsOn": ["First"]},
        work("Second", "Taken"),
        work("Third", "Second"),
        work("AfterLeft", "Left"),
    )
    page = browser.get(f"/-/executions/{start(sagemaker, text)}").text
    assert node(page, "First") == ("good", "Succeeded")
    assert node(page, "Choose") == ("good", "Succeeded")
    assert node(page, "Taken") == ("good", "Succeeded")
    assert node(page, "Left") == ("skipped", "Not taken")
    assert node(page, "AfterLeft") == ("skipped", "Not taken")
    assert node(page, "Second") == ("bad", "Failed")
    assert node(page, "Third") == ("skipped", "Not run")
    assert "Second was told to fail" in page
    assert page.count('class="edge skipped"') == 2  # to Left, and from it


def test_steps_that_work_and_wait_are_told_apart(sagemaker, browser, gates):
    gates.shut("First")
    execution = start(sagemaker, definition(work("First"), work("Second", "First")), wait=False)
    gates.wait_for("First")
    page = browser.get(f"/-/executions/{execution}").text
    assert (node(page, "First"), node(page, "Second")) == (("busy", "Executing"), ("waiting", "Waiting"))
    assert 'data-runs="yes"' in page
    assert '<noscript><meta http-equiv="refresh"' in page
    gates.open("First")
    arn = sagemaker.list_pipeline_executions(PipelineName="birds")["PipelineExecutionSummaries"][0]
    ended(sagemaker, arn["PipelineExecutionArn"])
    assert 'data-runs="no"' in browser.get(f"/-/executions/{execution}").text


def test_a_running_execution_is_stopped_and_retried_by_its_buttons(sagemaker, browser, gates):
    gates.shut("First")
    execution = start(sagemaker, definition(work("First")), wait=False)
    gates.wait_for("First")
    address = f"/-/executions/{execution}"
    assert f'action="{address}/stop"' in browser.get(address).text
    stopped = browser.post(f"{address}/stop")
    assert (stopped.status_code, stopped.headers["location"]) == (303, address)
    arn = sagemaker.list_pipeline_executions(PipelineName="birds")["PipelineExecutionSummaries"][0][
        "PipelineExecutionArn"
    ]
    assert ended(sagemaker, arn) == "Stopped"
    gates.open("First")
    assert f'action="{address}/retry"' in browser.get(address).text
    assert browser.post(f"{address}/retry").status_code == 303
    assert ended(sagemaker, arn) == "Succeeded"


def test_what_cannot_be_stopped_any_more_is_refused_with_the_reason(sagemaker, browser):
    execution = start(sagemaker, definition(work("First")))
    refused = browser.post(f"/-/executions/{execution}/stop")
    assert refused.status_code == 400
    assert "can be stopped. The status of" in refused.text
    assert f'href="/-/executions/{execution}"' in refused.text


def test_a_step_shows_its_log_and_a_failed_one_its_reason(sagemaker, browser):
    text = definition(processing("Say", f"echo '{HOSTILE}'; echo broken >&2; exit 3"))
    execution = start(sagemaker, text)
    page = browser.get(f"/-/executions/{execution}/steps/Say").text
    log = re.search(r'<pre id="log".*?>(.*?)</pre>', page, re.DOTALL)[1]
    assert ESCAPED in log
    assert "broken" in log
    assert HOSTILE not in page
    assert '<p class="fault"><b>Failed</b>' in page


def test_a_long_log_is_shown_from_its_end(sagemaker, browser):
    script = "i=0; while [ $i -lt 9000 ]; do echo line $i; i=$((i+1)); done"
    execution = start(sagemaker, definition(processing("Say", script)))
    page = browser.get(f"/-/executions/{execution}/steps/Say").text
    assert "line 8999\n" in page
    assert "line 10\n" not in page
    assert "The last 64 KiB" in page


def test_all_text_from_outside_is_escaped(cloud, sagemaker, browser, gates):
    gates.failing.add("First")
    step = {**work("First"), "DisplayName": HOSTILE, "Description": HOSTILE}
    text = definition(step, parameters=[{"Name": "What", "Type": "String", "DefaultValue": HOSTILE}])
    execution = start(sagemaker, text, PipelineExecutionDescription=HOSTILE)
    cloud.store.change(EXECUTION, execution, lambda record: {**record, "FailureReason": HOSTILE})
    cloud.store.change(PIPELINE, "birds", lambda record: {**record, "PipelineDescription": HOSTILE})
    name = register(cloud.store, ApprovalDescription=HOSTILE, ModelPackageDescription=HOSTILE)
    addresses = ["/", "/-/executions", f"/-/executions/{execution}", f"/-/executions/{execution}/steps/First"]
    addresses += ["/-/pipelines", "/-/pipelines/birds", "/-/models", f"/-/models/{name}"]
    for address in addresses:
        page = browser.get(address)
        assert page.status_code == 200, address
        assert HOSTILE not in page.text, address
        assert ESCAPED in page.text, address


def test_executions_come_newest_first_and_in_pages(cloud, browser):
    for number in range(30):
        execution = f"e{number:02}"
        record = {
            "PipelineArn": f"{ARN}:pipeline/birds",
            "PipelineExecutionArn": f"{ARN}:pipeline/birds/execution/{execution}",
            "PipelineVersionId": 1,
            "PipelineExecutionStatus": "Succeeded",
            "CreationTime": f"2026-01-01T00:00:{number:02}.000Z",
            "LastModifiedTime": f"2026-01-01T00:01:{number:02}.000Z",
        }
        cloud.store.put(EXECUTION, execution, record, parent="birds")
    first = browser.get("/-/executions").text
    older = re.search(r'href="(/-/executions\?after=[^"]+)" rel="next"', first)[1]
    second = browser.get(older).text

    def listed(page):
        return re.findall(r'id="execution-(e\d\d)"', page)

    assert listed(first) + listed(second) == [f"e{number:02}" for number in reversed(range(30))]
    assert 'rel="next"' not in second


@pytest.mark.parametrize(
    ("decision", "status"), [("approve", "Approved"), ("reject", "Rejected")], ids=["approve", "reject"]
)
def test_a_model_version_is_decided_upon_with_a_reason(cloud, sagemaker, browser, decision, status):
    name = register(cloud.store)
    answer = browser.post(f"/-/models/{name}/{decision}", data={"reason": "seen on the held-out set"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/-/models/{name}")
    arn = cloud.store.find(MODEL_PACKAGE, name)["ModelPackageArn"]
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert described["ModelApprovalStatus"] == status
    assert described["ApprovalDescription"] == "seen on the held-out set"
    page = browser.get(f"/-/models/{name}").text
    assert "seen on the held-out set" in page


def test_a_reason_that_the_api_refuses_is_refused_here(cloud, browser):
    name = register(cloud.store)
    answer = browser.post(f"/-/models/{name}/approve", data={"reason": "x" * 1025})
    assert answer.status_code == 400
    assert "length less than or equal to 1024" in answer.text
    assert cloud.store.find(MODEL_PACKAGE, name)["ModelApprovalStatus"] == "PendingManualApproval"


def test_a_picture_comes_back_with_boxes_and_the_names_of_the_data_report(cloud, browser):
    register(cloud.store)
    deploy(cloud.store)
    files = {"picture": ("bird.jpg", picture(), "image/jpeg")}
    page = browser.post("/-/endpoints/birds/picture", files=files, data={"threshold": "0.4"})
    assert page.status_code == 200
    assert 'x="10.0%" y="20.0%" width="50.0%" height="60.0%"' in page.text
    assert ">wren 0.91</text>" in page.text
    assert "1 found" in page.text
    assert "1 below the threshold" in page.text
    assert "data:image/jpeg;base64," in page.text


def test_a_lower_threshold_shows_more_boxes(cloud, browser):
    deploy(cloud.store)
    files = {"picture": ("bird.jpg", picture(), "image/jpeg")}
    page = browser.post("/-/endpoints/birds/picture", files=files, data={"threshold": "0.1"}).text
    # No version in the registry has this artifact.
    assert (">class 1 0.91</text>" in page, ">class 0 0.12</text>" in page) == (True, True)


def test_a_classifier_answers_with_its_likeliest_classes(cloud, browser):
    register(cloud.store, names=("finch", "<wren>"))
    deploy(cloud.store)
    files = {"picture": ("bird.png", picture("PNG"), "image/png")}
    page = browser.post("/-/endpoints/birds/picture", files=files).text
    rows = re.findall(r'<td>([^<]*)</td><td class="number">([0-9.]+)</td>', page)
    assert rows == [("&lt;wren&gt;", "0.7500"), ("finch", "0.2500")]


def test_a_models_error_is_shown_with_its_status(cloud, browser):
    deploy(cloud.store)
    files = {"picture": ("bird.jpg", b"bad", "image/jpeg")}
    page = browser.post("/-/endpoints/birds/picture", files=files).text
    assert "The model answered 415" in page
    assert "&lt;b&gt;no picture&lt;/b&gt;" in page


@pytest.mark.parametrize(
    ("files", "fields", "told"),
    [
        pytest.param({}, {}, "Choose a picture first", id="none"),
        pytest.param({"picture": ("a.txt", b"hello", "text/plain")}, {}, "a.txt is text/plain", id="text"),
        pytest.param(
            {"picture": ("a.png", b"x", "image/png")}, {"threshold": "2"}, "from 0 to 1", id="threshold"
        ),
    ],
)
def test_a_form_that_is_filled_in_wrongly_says_so(cloud, browser, files, fields, told):
    deploy(cloud.store)
    answer = browser.post("/-/endpoints/birds/picture", files=files, data=fields)
    assert (answer.status_code, told in answer.text) == (400, True)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        pytest.param("/-/executions/nothere", "There is no execution", id="execution"),
        pytest.param("/-/pipelines/brids", "did you mean", id="pipeline"),
        pytest.param("/-/models/birds/9", "There is no model version", id="model"),
        pytest.param("/-/endpoints/finches", "No endpoint is named", id="endpoint"),
        pytest.param("/-/whatever", "There is nothing at this address", id="address"),
        pytest.param("/-/executions/..%2f..%2fetc", "There is nothing", id="path-trick"),
    ],
)
def test_what_is_not_there_is_a_404_that_says_what_to_do(sagemaker, browser, address, told):
    create(sagemaker, "birds", definition(work("First")))
    answer = browser.get(address)
    assert (answer.status_code, told in answer.text) == (404, True)


def test_metrics_of_a_training_are_a_chart(sagemaker, browser, cloud):
    with cloud.store.objects.staged("s3://toys/data/a.txt") as file:
        file.write_text("a")
    text = definition(
        training("Train", channels={"train": "s3://toys/data/"}, hyperparameters={"map": "0.2,0.8,0.6"}),
        fail("End", "enough") | {"DependsOn": ["Train"]},
    )
    page = browser.get(f"/-/executions/{start(sagemaker, text)}").text
    assert "validation:mAP per epoch" in page
    # The chart's axis runs from 0 at y = 174 to 1 at y = 10; 0.2 is at 174 - 0.2 * 164 = 141.2.
    assert '<path d="M56.0 141.2 L302.0 42.8 L548.0 75.6"/>' in page
    assert "last 0.6, maximum 0.8 at epoch 1" in page


@pytest.mark.parametrize(
    ("values", "path"),
    [
        # Between 0 and 5: the axis has a line at each whole number, 32.8 pixels apart.
        pytest.param([5, 0], "M56.0 10.0 L548.0 174.0", id="falling"),
        pytest.param([1, math.nan, 0], "M56.0 10.0 M548.0 174.0", id="gap"),
        pytest.param([1e308, 1, 0], "M302.0 10.0 L548.0 174.0", id="diverged"),
    ],
)
def test_a_charts_line_leaves_out_what_cannot_be_drawn(values, path):
    assert chart("loss", {"Train": values}).lines[0].path == path


@pytest.mark.parametrize("values", [[7.0, 7.0], [1e16, 1e16 + 2], [-3.0], [1e-320, 2.0]])
def test_a_chart_of_hardly_different_values_has_a_height(values):
    drawn = chart("loss", {"Train": values})
    assert len({y for y, _ in drawn.rows}) == len(drawn.rows) > 1


def test_without_a_value_there_is_no_chart():
    assert chart("loss", {"Train": [math.nan, math.inf]}) is None


def test_steps_stand_below_what_they_need_and_apart():
    needs = {
        "Data": [],
        "Train": ["Data"],
        "Score": ["Data", "Train"],
        "Other": ["Data"],
        "End": ["Other", "Score"],
    }
    layout = lay_out(needs)
    assert {name: y for name, (_, y) in layout.places.items()} == {
        "Data": 6,
        "Train": 84,
        "Other": 84,
        "Score": 162,
        "End": 240,
    }
    assert abs(layout.places["Train"][0] - layout.places["Other"][0]) >= WIDTH
    # Score needs Data by way of Train: that edge is left out.
    drawn = {(edge.source, edge.target): edge.points for edge in layout.edges}
    assert drawn.keys() == {
        ("Data", "Train"),
        ("Data", "Other"),
        ("Train", "Score"),
        ("Other", "End"),
        ("Score", "End"),
    }
    # The long edge passes beside Score.
    x, (left, _) = drawn["Other", "End"][1][0], layout.places["Score"]
    assert x < left or x > left + WIDTH


@pytest.mark.parametrize("palette", ["light", "dark"])
def test_words_can_be_read_on_their_grounds(palette):
    style = files("workflows.server.page").joinpath("static/page.css").read_text()
    parts = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    colours = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", parts[["light", "dark"].index(palette)]))
    names = ("good", "busy", "bad", "halted", "asking", "waiting")
    pairs = [(name, f"{name}-tint") for name in names]
    pairs += [(name, ground) for name in ("text", "quiet", "link") for ground in ("ground", "card")]
    # 4.5 is what WCAG 2.2 asks for at level AA.
    assert {
        pair: ratio for pair in pairs if (ratio := contrast(*(colours[name] for name in pair))) < 4.5
    } == {}


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_form_of_too_many_fields_is_refused(browser, cloud):
    name = register(cloud.store)
    files = {f"f{number}": ("", b"x") for number in range(1500)}
    assert browser.post(f"/-/models/{name}/approve", files=files).status_code == 413


def test_a_pipelines_page_has_its_versions(sagemaker, browser):
    execution = start(sagemaker, definition(work("First")))
    sagemaker.update_pipeline(PipelineName="birds", PipelineDefinition=definition(work("Second")))
    page = browser.get("/-/pipelines/birds").text
    rows = re.findall(r'<tr><td class="number">(\d)</td>.*', page)
    assert rows == ["2", "1"]
    assert page.count(f'href="/-/executions/{execution}"') == 2  # it ran, and is version 1's last


def test_a_training_whose_metrics_cannot_be_read_has_a_page_that_says_why(sagemaker, browser):
    step = training("Train", channels={"train": "s3://toys/data/"})
    step["Arguments"]["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": "loss=(["}]
    page = browser.get(f"/-/executions/{start(sagemaker, definition(step))}")
    assert (page.status_code, node(page.text, "Train")) == (200, ("bad", "Failed"))
    assert "the Regex of metric" in page.text
