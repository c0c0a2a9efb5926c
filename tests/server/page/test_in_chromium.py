"""The page in a real browser: it moves by itself, is used with the keyboard, and draws what is found."""

from contextlib import suppress

import pytest

from tests.server.page.conftest import deploy, picture, register
from tests.server.sagemaker.gates import create, definition, work
from workflows.local.records import MODEL_PACKAGE
from workflows.server.app import App
from workflows.server.listen import beside

pytest.importorskip("selenium")
from selenium.common.exceptions import TimeoutException
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.server.page.chromium import CHROMIUM, DRIVER, chromium

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not on this machine"
)
LIMIT_S = 30
MOST_TABS = 60
DROP = """
const [base64, name] = arguments;
const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
const data = new DataTransfer();
data.items.add(new File([bytes], name, { type: "image/jpeg" }));
const drop = document.getElementById("drop");
drop.dispatchEvent(new DragEvent("dragover", { dataTransfer: data, bubbles: true, cancelable: true }));
drop.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
"""


@pytest.fixture(scope="module")
def window():
    with chromium() as driver:
        yield driver


@pytest.fixture
def tab(window, cloud):
    """The browser's window; at the end its log must hold no fault, such as something that was refused."""
    yield window
    faults = [entry["message"] for entry in window.get_log("browser") if entry["level"] == "SEVERE"]
    window.get("about:blank")
    assert faults == []


def wait(tab, look):
    try:
        return WebDriverWait(tab, LIMIT_S, poll_frequency=0.05).until(lambda _: look())
    except TimeoutException:
        shown = tab.execute_script("return document.body.innerText")
        raise AssertionError(f"the page still shows: {shown}") from None


def text(tab, selector):
    # In one step: what is found first may be replaced before it is read.
    return tab.execute_script("return document.querySelector(arguments[0])?.textContent.trim()", selector)


def tab_to(tab, identity):
    """Press Tab until the element with this id has the focus, and the focus can be seen."""
    for _ in range(MOST_TABS):
        ActionChains(tab).send_keys(Keys.TAB).perform()
        if tab.execute_script("return document.activeElement.id") == identity:
            return tab.execute_script("return document.activeElement.matches(':focus-visible')")
    raise AssertionError(f"Tab never comes to {identity}")


def press(tab, key):
    ActionChains(tab).send_keys(key).perform()


def test_the_graph_moves_from_executing_to_succeeded_without_a_reload(cloud, tab, sagemaker, gates):
    gates.shut("First", "Second")
    create(sagemaker, "birds", definition(work("First"), work("Second", "First")))
    arn = sagemaker.start_pipeline_execution(PipelineName="birds")["PipelineExecutionArn"]
    gates.wait_for("First")
    tab.get(f"{cloud.url}/-/executions/{arn.rpartition('/')[2]}")
    tab.execute_script("window.neverReloaded = true")

    def labels():
        script = (
            "return [...document.querySelectorAll('.node')].map((node) => node.getAttribute('aria-label'))"
        )
        return tab.execute_script(script)

    assert labels() == ["First, AutoML: Executing", "Second, AutoML: Waiting"]
    assert tab_to(tab, "node-2")
    gates.open("First")
    wait(tab, lambda: labels() == ["First, AutoML: Succeeded", "Second, AutoML: Executing"])
    gates.open("Second")
    wait(tab, lambda: text(tab, "h1 .badge") == "Succeeded")
    assert labels() == ["First, AutoML: Succeeded", "Second, AutoML: Succeeded"]
    assert tab.execute_script("return window.neverReloaded") is True
    assert text(tab, "#announcer").endswith("is Succeeded")
    assert tab.execute_script("return document.activeElement.id") == "node-2"


def test_the_keyboard_alone_reaches_an_execution(cloud, tab, sagemaker):
    create(sagemaker, "birds", definition(work("First")))
    arn = sagemaker.start_pipeline_execution(PipelineName="birds")["PipelineExecutionArn"]
    execution = arn.rpartition("/")[2]
    tab.get(cloud.url)
    assert tab_to(tab, f"execution-{execution}")
    press(tab, Keys.ENTER)
    wait(tab, lambda: tab.current_url == f"{cloud.url}/-/executions/{execution}")
    assert tab_to(tab, "node-1")
    press(tab, Keys.ENTER)
    wait(tab, lambda: tab.current_url.endswith("/steps/First"))


def test_the_keyboard_alone_approves_a_model_version_with_a_reason(cloud, tab):
    name = register(cloud.store)
    tab.get(cloud.url)
    assert tab_to(tab, f"model-{name}")
    press(tab, Keys.ENTER)
    wait(tab, lambda: text(tab, "h1 .badge") == "PendingManualApproval")
    assert tab_to(tab, "reason")
    press(tab, "good on the held-out set")
    assert tab_to(tab, "approve")
    press(tab, Keys.ENTER)
    wait(tab, lambda: text(tab, "h1 .badge") == "Approved")
    record = cloud.store.find(MODEL_PACKAGE, name)
    assert (record["ModelApprovalStatus"], record["ApprovalDescription"]) == (
        "Approved",
        "good on the held-out set",
    )


def test_a_picture_that_is_chosen_gets_its_boxes(cloud, tab, tmp_path):
    register(cloud.store)
    deploy(cloud.store)
    (tmp_path / "bird.jpg").write_bytes(picture())
    tab.get(f"{cloud.url}/-/endpoints/birds")
    tab.execute_script("window.neverReloaded = true")
    tab.find_element(By.ID, "picture").send_keys(str(tmp_path / "bird.jpg"))
    wait(tab, lambda: text(tab, ".found text") == "wren 0.91")
    stage = tab.execute_script(
        "const box = document.querySelector('.found .side').getBoundingClientRect();"
        "const whole = document.querySelector('.stage img').getBoundingClientRect();"
        "return [(box.left - whole.left) / whole.width, (box.top - whole.top) / whole.height,"
        " box.width / whole.width, box.height / whole.height]"
    )
    assert stage == pytest.approx([0.1, 0.2, 0.5, 0.6], abs=0.01)
    assert tab.execute_script("return window.neverReloaded") is True


def test_a_picture_that_is_dropped_gets_its_boxes(cloud, tab):
    from base64 import b64encode

    deploy(cloud.store)
    tab.get(f"{cloud.url}/-/endpoints/birds")
    # Twice in some fifty runs nothing came of a drop, which a script makes here; why is not known.
    for _ in range(2):
        tab.execute_script(DROP, b64encode(picture()).decode(), "dropped.jpg")
        with suppress(AssertionError):
            wait(tab, lambda: text(tab, ".found text") == "class 1 0.91")
            break
    assert text(tab, ".found text") == "class 1 0.91"
    assert text(tab, "figcaption") == "dropped.jpg"


def test_no_page_is_wider_than_a_narrow_screen(cloud, tab, sagemaker):
    name = register(cloud.store)
    deploy(cloud.store)
    steps = [work(f"AStepWithALongName{number}") for number in range(6)]
    create(sagemaker, "birds", definition(*steps))
    arn = sagemaker.start_pipeline_execution(PipelineName="birds")["PipelineExecutionArn"]
    execution = f"/-/executions/{arn.rpartition('/')[2]}"
    addresses = ["/", "/-/executions", execution, f"{execution}/steps/AStepWithALongName0"]
    addresses += [
        "/-/models",
        f"/-/models/{name}",
        "/-/endpoints",
        "/-/endpoints/birds",
        "/-/pipelines/birds",
    ]
    tab.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": False},
    )
    try:
        for address in addresses:
            tab.get(f"{cloud.url}{address}")
            # On a loaded machine the first layout may not be the last.
            wait(tab, lambda: tab.execute_script("return document.documentElement.scrollWidth") <= 360)
    finally:
        tab.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_server_that_has_gone_is_said_to_have_gone(cloud, tab):
    with beside(App(cloud.machine)) as url:
        tab.get(url)
        assert not tab.find_element(By.ID, "lost").is_displayed()
    wait(tab, lambda: tab.find_element(By.ID, "lost").is_displayed())
    assert text(tab, "h1") == "Overview"
    tab.get_log("browser")  # that its requests have failed
