"""Downloads from a real HTTP server that breaks off, resumes, or has the wrong file."""

import hashlib
import http.server
import threading

import pytest

from workflows.download import DownloadError, download

CONTENT = bytes(range(256)) * 4000
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT with ranges; breaks off after `break_after` bytes while `breaks` is above zero."""

    breaks = 0
    break_after = 100_000
    ranges: list = []

    def do_GET(self):
        asked = self.headers.get("Range")
        self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if start >= len(CONTENT):
            self.send_response(416)
            self.end_headers()
            return
        body = CONTENT[start:]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if type(self).breaks > 0:
            type(self).breaks -= 1
            body = body[: self.break_after]
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def url():
    Handler.breaks, Handler.ranges = 0, []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/birds.tgz"
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(url, target, md5=MD5):
    return download(url, target, md5=md5, report=lambda _: None)


def test_an_archive_arrives_whole(url, tmp_path):
    target = tmp_path / "new" / "birds.tgz"
    assert fetch(url, target).read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["birds.tgz"]


def test_a_download_that_broke_off_goes_on_where_it_stopped(url, tmp_path):
    Handler.breaks = 1
    target = tmp_path / "birds.tgz"
    with pytest.raises(DownloadError, match="run the same command again"):
        fetch(url, target)
    assert not target.exists()
    assert fetch(url, target).read_bytes() == CONTENT
    assert Handler.ranges[1] is not None


def test_another_file_is_refused_and_not_kept(url, tmp_path):
    target = tmp_path / "birds.tgz"
    with pytest.raises(DownloadError, match=f"its md5 is {MD5}, not 0000"):
        fetch(url, target, md5="0000")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_fetched_again(url, tmp_path):
    target = tmp_path / "birds.tgz"
    target.write_bytes(CONTENT)
    fetch(url, target)
    assert Handler.ranges == []


def test_a_partial_file_that_is_complete_is_taken(url, tmp_path):
    (tmp_path / "birds.tgz.partial").write_bytes(CONTENT)
    assert fetch(url, tmp_path / "birds.tgz").read_bytes() == CONTENT


def test_no_connection_is_told(tmp_path):
    with pytest.raises(DownloadError, match="http://127.0.0.1:9/"):
        fetch("http://127.0.0.1:9/birds.tgz", tmp_path / "birds.tgz")
