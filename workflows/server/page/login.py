"""Who has given the server's token in the form: told by a cookie, which is not the token."""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping

COOKIE = "workflows-session"
# A working day; then the token is asked for again.
LIFETIME_S = 12 * 3600
_VALUE = re.compile(r"([0-9]{1,12})\.([0-9a-f]{64})", re.ASCII)


class Login:
    """Makes and checks the values of the cookie."""

    def __init__(self, token: str | None, *, clock: Callable[[], float] = time.time) -> None:
        """Without a token everybody is let in."""
        self._token, self._clock = token, clock

    def is_token(self, given: str) -> bool:
        """Whether this is the token."""
        return self._token is not None and hmac.compare_digest(
            given.encode(errors="surrogateescape"), self._token.encode()
        )

    def session(self) -> str:
        """A cookie's value, good from now on."""
        began = str(int(self._clock()))
        return f"{began}.{self._seal(began)}"

    def lets_in(self, cookies: Mapping[str, str]) -> bool:
        """Whether a request with these cookies is answered."""
        if self._token is None:
            return True
        found = _VALUE.fullmatch(cookies.get(COOKIE, ""))
        if found is None or not hmac.compare_digest(found[2], self._seal(found[1])):
            return False
        return self._clock() - int(found[1]) < LIFETIME_S

    def _seal(self, began: str) -> str:
        message = f"workflows page, from {began}".encode()
        return hmac.new((self._token or "").encode(), message, hashlib.sha256).hexdigest()
