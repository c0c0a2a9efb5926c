"""Other sites' pages in the user's browser, and those who do not have the token."""

import httpx
import pytest

from tests.server.page.conftest import register
from workflows.local.records import MODEL_PACKAGE
from workflows.server.app import App
from workflows.server.page.login import COOKIE, LIFETIME_S, Login

TOKEN = "correct horse"


@pytest.fixture
def guarded(cloud, door):
    """The same machine, with a token."""
    former = door[0].app
    door[0].app = App(cloud.machine, token=TOKEN)
    with httpx.Client(base_url=cloud.url, headers={"Accept": "text/html"}) as client:
        yield client
    door[0].app = former


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="cross-site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="another-port"),
        pytest.param({"Origin": "https://evil.example"}, id="origin"),
        pytest.param({"Origin": "null"}, id="sandboxed"),
        pytest.param({"Host": "evil.example", "User-Agent": "Mozilla/5.0"}, id="rebinding"),
        pytest.param({"Host": "127.0.0.1.evil.example", "Accept-Language": "en"}, id="nearly-an-address"),
        pytest.param({"Host": "[evil", "Accept-Language": "en"}, id="half-a-bracket"),
        pytest.param({"Host": "[evil]:80", "Accept-Language": "en"}, id="no-address-in-brackets"),
        pytest.param({"Host": "localhost@evil.example", "Accept-Language": "en"}, id="user-part"),
        pytest.param({"Host": "evil.example", "Origin": "http://evil.example"}, id="rebinding-form"),
    ],
)
def test_another_sites_page_can_do_nothing(cloud, headers):
    register(cloud.store)
    with httpx.Client(base_url=cloud.url, headers=headers) as client:
        for address in ("/", "/-/models/birds/1/approve", "/bucket/key", "/ping"):
            for method in ("GET", "POST", "PUT", "OPTIONS"):
                answer = client.request(method, address)
                kind = answer.headers["content-type"]
                assert (answer.status_code, kind) == (403, "text/plain; charset=utf-8"), (method, address)
    assert cloud.store.find(MODEL_PACKAGE, "birds/1")["ModelApprovalStatus"] == "PendingManualApproval"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Sec-Fetch-Site": "none"}, id="typed"),
        pytest.param({"Sec-Fetch-Site": "same-origin"}, id="own"),
        pytest.param({"Host": "localhost:8080", "User-Agent": "Mozilla/5.0"}, id="localhost"),
        pytest.param({"Host": "[::1]:8080", "User-Agent": "Mozilla/5.0"}, id="ipv6"),
        pytest.param({"Host": "localhost:1", "Origin": "http://localhost:1"}, id="own-form"),
    ],
)
def test_the_servers_own_page_is_let_through(cloud, headers):
    answer = httpx.get(cloud.url, headers={"Accept": "text/html", **headers})
    assert (answer.status_code, "<h1>Overview</h1>" in answer.text) == (200, True)


def test_clients_of_aws_may_call_the_server_by_any_name(cloud):
    assert httpx.get(f"{cloud.url}/ping", headers={"Host": "docker.internal:8080"}).status_code == 200


def test_a_browser_opens_a_presigned_object_but_runs_nothing_in_it(cloud):
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="toys")
    s3.put_object(Bucket="toys", Key="a.html", Body=b"<script>1</script>", ContentType="text/html")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "toys", "Key": "a.html"})
    answer = httpx.get(url, headers={"Sec-Fetch-Site": "none", "User-Agent": "Mozilla/5.0"})
    assert (answer.status_code, answer.content) == (200, b"<script>1</script>")
    assert answer.headers["content-security-policy"] == "sandbox"


def test_the_host_that_the_server_listens_on_is_its_own_name(cloud, door):
    former, door[0].app = door[0].app, App(cloud.machine, host="trainer.lan")
    try:
        headers = {"Host": "trainer.lan:8080", "User-Agent": "Mozilla/5.0", "Accept": "text/html"}
        assert httpx.get(cloud.url, headers=headers).status_code == 200
    finally:
        door[0].app = former


def test_the_token_opens_the_page_and_does_not_stand_in_the_cookie(guarded):
    for address in ("/", "/-/executions", "/-/executions/x/stop"):
        closed = guarded.get(address)
        assert (closed.status_code, "asks for its token" in closed.text) == (401, True)
    wrong = guarded.post("/-/login", data={"token": "wrong"})
    assert (wrong.status_code, COOKIE in wrong.cookies) == (401, False)
    right = guarded.post("/-/login", data={"token": TOKEN})
    assert (right.status_code, right.headers["location"]) == (303, "/")
    cookie = right.headers["set-cookie"]
    assert ("HttpOnly" in cookie, "SameSite=strict" in cookie) == (True, True)
    assert TOKEN not in cookie
    assert "<h1>Overview</h1>" in guarded.get("/").text


def test_the_cookie_is_of_no_use_to_the_api(guarded):
    guarded.post("/-/login", data={"token": TOKEN})
    answer = guarded.get("/", headers={"Accept": "*/*"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param(f"0.{'0' * 64}", id="made-up"),
        pytest.param(Login("another").session(), id="another-token"),
        pytest.param(Login(TOKEN, clock=lambda: 1.0).session(), id="too-old"),
    ],
)
def test_a_cookie_that_this_token_did_not_make_lately_opens_nothing(guarded, value):
    guarded.cookies.set(COOKIE, value)
    assert guarded.get("/-/executions").status_code == 401


def test_a_session_ends():
    times = iter([1000.0, 1000.0 + LIFETIME_S - 1, 1000.0 + LIFETIME_S])
    login = Login(TOKEN, clock=lambda: next(times))
    cookies = {COOKIE: login.session()}
    assert [login.lets_in(cookies), login.lets_in(cookies)] == [True, False]
