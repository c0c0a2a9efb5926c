"""Takes the pictures of the page that docs/server.md shows: python -m tests.server.page.screenshots

A real run of the bird pipeline comes first, into a folder of its own. Then `workflows serve` starts on it,
and a second execution, whose incremental training has an epoch more: what comes before it is in the cache.
"""

import argparse
import csv
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.server.page.chromium import CHROMIUM, DRIVER, chromium

PIPELINE = ENDPOINT = "birds-detection"
PICTURES = Path("docs/pictures")
COMMAND = [str(Path(sys.executable).with_name("workflows"))]
LARGEST_BYTES = 300_000
LIMIT_S = 600


def main():
    """Run, serve, look."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--home", type=Path, help="a state folder in which the pipeline has run already")
    given = arguments.parse_args()
    if not (CHROMIUM and DRIVER):
        sys.exit("chromium and chromedriver are not on this machine; install them first")
    with TemporaryDirectory() as folder:
        home = given.home or Path(folder)
        if given.home is None:
            workflows("run", PIPELINE, "--profile", "sample", home=home)
        with serving(home) as url, chromium(width=1360, height=1180) as driver:
            take_execution(driver, url, start_again(url))
            take_endpoint(driver, url, held_out(home))


def workflows(*arguments, home):
    subprocess.run([*COMMAND, *arguments], env={**os.environ, "WORKFLOWS_HOME": str(home)}, check=True)


@contextmanager
def serving(home):
    """`workflows serve` on this state; yields its URL."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0"],
        env={**os.environ, "WORKFLOWS_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield re.search(r"http://\S+", process.stdout.readline())[0]
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def start_again(url):
    """Starts the second execution with the first one's parameters; returns its id."""
    client = boto3.client(
        "sagemaker",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    listed = client.list_pipeline_executions(PipelineName=PIPELINE, SortOrder="Ascending")
    first = listed["PipelineExecutionSummaries"][0]["PipelineExecutionArn"]
    parameters = client.list_pipeline_parameters_for_execution(PipelineExecutionArn=first)
    values = {entry["Name"]: entry["Value"] for entry in parameters["PipelineParameters"]}
    # Another seed would be another split; the time makes it new to the cache each time.
    values |= {"IncrementalEpochs": "5", "IncrementalLearningRate": f"0.0003{int(time.time())}"}
    started = client.start_pipeline_execution(
        PipelineName=PIPELINE,
        PipelineParameters=[{"Name": name, "Value": value} for name, value in values.items()],
    )
    return started["PipelineExecutionArn"].rpartition("/")[2]


def take_execution(driver, url, execution):
    """The execution's page while its training works and has published a metric."""
    driver.get(f"{url}/-/executions/{execution}")
    working = ".node.busy[aria-label^='TrainIncremental']"
    waiting = WebDriverWait(driver, LIMIT_S)
    waiting.until(lambda _: driver.find_elements(By.CSS_SELECTOR, working))
    waiting.until(lambda _: len(driver.find_elements(By.CSS_SELECTOR, ".series circle")) > 12)
    save(driver, "page-execution.png")


def take_endpoint(driver, url, pictures):
    """The endpoint's page with the boxes in the first of these pictures in which it finds something."""
    for picture in pictures:
        driver.get(f"{url}/-/endpoints/{ENDPOINT}")
        driver.find_element(By.ID, "picture").send_keys(str(picture.resolve()))
        WebDriverWait(driver, LIMIT_S).until(lambda _: driver.find_elements(By.CSS_SELECTOR, "#answer h3"))
        if driver.find_elements(By.CSS_SELECTOR, ".found"):
            driver.set_window_size(1100, 680)
            return save(driver, "page-endpoint.png")
    sys.exit("the endpoint finds nothing in any held-out picture")


def held_out(home):
    """The sample's pictures that were not trained on."""
    sample = home / "samples/birds/CUB_200_2011"

    def table(name):
        with (sample / name).open() as file:
            return dict(csv.reader(file, delimiter=" "))

    trained = table("train_test_split.txt")
    return [
        sample / "images" / path for number, path in table("images.txt").items() if trained[number] == "0"
    ]


def save(driver, name):
    path = PICTURES / name
    driver.save_screenshot(str(path))
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        sys.exit(f"{path} has {size} bytes, more than {LARGEST_BYTES}")
    print(f"{path}: {size} bytes")


if __name__ == "__main__":
    main()
