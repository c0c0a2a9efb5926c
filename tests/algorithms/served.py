"""An algorithm's server as a process, and what a hostile client sends it."""

import socket
import struct
import subprocess
import time
import zlib

import httpx

from tests.algorithms.detection_jobs import stop


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Server:
    def __init__(self, job, **environment):
        self.port = free_port()
        variables = {"SAGEMAKER_BIND_TO_PORT": str(self.port), **environment}
        self.process = subprocess.Popen(
            job.command("serve"), env=job.environment(**variables), stdout=subprocess.PIPE, text=True
        )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)

    def wait_until_in_service(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                assert self.client.get("/ping").status_code == 200
                return self
            except httpx.ConnectError:
                assert self.process.poll() is None, self.process.stdout.read()
                time.sleep(0.1)
        raise AssertionError("the server did not come up")

    def invoke(self, body, content_type="image/jpeg", **headers):
        return self.client.post(
            "/invocations", content=body, headers={"content-type": content_type, **headers}
        )

    def close(self):
        self.client.close()
        code = stop(self.process)
        self.process.stdout.close()
        return code


def bomb():
    """A PNG header that claims 50,000 x 50,000 pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    )
