"""Who we are to the server: `auth=`, the URL's user or netrc -> the value of Authorization."""

from __future__ import annotations

import os
from binascii import b2a_base64

from ._logging import debug
from ._wire.http1 import check_header_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._wire.urls import WebSocketURI

__all__ = ["Authorization"]


class Authorization:
    """The credentials of one `connect()`; `value` is sent with the first request, if not None.

    `auth` is (user, password), a callable that gets the challenge of a 401 ("" before the first
    answer) and returns the header's value or None, or "netrc"; without it the URL's user counts.
    Raises ValueError and TypeError for what cannot travel, before anything is sent.
    """

    def __init__(self, auth: Any, uri: WebSocketURI):
        self._ask: Callable[[str], Any] | None = auth if callable(auth) else None
        self._answered = False
        self.value = self._first(auth, uri)

    def _first(self, auth: Any, uri: WebSocketURI) -> str | None:
        if auth is None:
            return uri.basic_authorization
        if self._ask is not None:
            return self._asked("")
        if auth == "netrc":
            return uri.basic_authorization or _from_netrc(uri.host)
        return _basic(*_pair(auth))

    def answer(self, challenge: str) -> str | None:
        """What to send after a 401 with this challenge; None to give up, as always but once."""
        if self._ask is None or self._answered:
            return None
        self._answered = True
        self.value = self._asked(challenge)
        return self.value

    def _asked(self, challenge: str) -> str | None:
        assert self._ask is not None
        value: str | None = self._ask(challenge)
        if value is not None:
            check_header_value(value, "what the auth callable returned")
        return value


def _pair(auth: Any) -> tuple[str, str]:
    # The value is never shown: there is a password in it.
    parts: list[Any] = [*auth] if isinstance(auth, (tuple, list)) else []
    if len(parts) == 2:
        user, password = parts[0], "" if parts[1] is None else parts[1]
        if isinstance(user, str) and isinstance(password, str):
            return user, password
    raise TypeError('auth must be (user, password), a callable or "netrc"')


def _basic(user: str, password: str) -> str:
    """RFC 7617, in UTF-8."""
    if ":" in user:
        raise ValueError("auth: a user's name must have no colon (RFC 7617)")
    try:
        pair = f"{user}:{password}".encode()
    except UnicodeEncodeError:  # from None: the cause would carry the password
        raise ValueError("auth: user and password must be encodable as UTF-8") from None
    return "Basic " + b2a_base64(pair, newline=False).decode()


def _from_netrc(host: str) -> str | None:
    """The entry of ~/.netrc, or of the file that NETRC names, for this host or its default."""
    import netrc

    path = os.environ.get("NETRC")
    try:
        found = netrc.netrc(path).authenticators(host)
    except FileNotFoundError:
        debug("auth='netrc': there is no netrc file")
        return None
    except netrc.NetrcParseError as exc:  # from None: its text may be the password
        raise ValueError(
            f"auth='netrc': line {exc.lineno} of {exc.filename} cannot be understood, or the file"
            " may be read by others"
        ) from None
    if found is None:
        debug(f"auth='netrc': no entry for {host}")
        return None
    login, _, password = found
    return _basic(login or "", password or "")
