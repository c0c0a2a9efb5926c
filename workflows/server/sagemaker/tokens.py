"""Requests that a client repeats because it has not heard the answer: ClientRequestToken."""

import hashlib
from collections.abc import Callable

from workflows.local.records import CLIENT_REQUEST
from workflows.local.store import Store
from workflows.server.shapes import Input, Output


def once(store: Store, operation: str, given: Input, act: Callable[[], Output]) -> Output:
    """Do what a request asks for, or answer as when the same token came first.

    The answer is kept after the deed: where the server dies in between, the deed refuses to be done again by
    itself, as all do that are called here.
    """
    token = str(given["ClientRequestToken"]).encode("utf-8", "surrogatepass")
    name = f"{operation} {hashlib.sha256(token).hexdigest()}"
    known = store.find(CLIENT_REQUEST, name)
    if known is not None and isinstance(known["Answer"], dict):
        return known["Answer"]
    answer = act()
    store.put(CLIENT_REQUEST, name, {"Answer": dict(answer)})
    return answer
