"""Promise: an error at a proxy is a WebSocketProxyException and all that it was before, too."""

from __future__ import annotations

import ssl
import sys

import pytest

from websocket import (
    WebSocketAddressException,
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketProxyException,
    WebSocketTimeoutException,
)
from websocket._transport.proxy_errors import (
    ProxyError,
    at_the_proxy,
    proxy_exception,
    python_socks_class,
)


@pytest.mark.parametrize(
    "exc",
    [
        ConnectionRefusedError(111, "Connection refused"),
        TimeoutError("late"),
        ssl.SSLError(1, "no TLS"),
        ssl.SSLCertVerificationError(1, "no trust"),
        WebSocketTimeoutException("late", hint="wait"),
        WebSocketConnectionClosedException("gone", hint="try again"),
        WebSocketAddressException("no such name"),
        WebSocketException("odd"),
    ],
)
@pytest.mark.parametrize("socks", [False, True])
def test_the_class_and_the_fields_stay(exc: Exception, socks: bool) -> None:
    also: tuple[type[BaseException], ...] = ()
    if socks:
        late = isinstance(exc, TimeoutError)
        kind = "ProxyTimeoutError" if late else "ProxyConnectionError"
        also = (python_socks_class(kind if isinstance(exc, OSError) else "ProxyError"),)
    told = at_the_proxy(exc, "http://proxy:1", *also)
    assert isinstance(told, WebSocketProxyException)
    assert isinstance(told, (type(exc), *also))
    assert all(isinstance(told, kind) for kind in (type(exc), *also))
    assert "proxy http://proxy:1" in str(told)
    assert getattr(told, "hint", None) == getattr(exc, "hint", None)
    assert getattr(told, "errno", None) == getattr(exc, "errno", None)


def test_hints_are_about_the_proxy() -> None:
    exc = WebSocketException("garbage", hint="the server speaks TLS: use wss://")
    told = at_the_proxy(exc, "http://proxy:1")
    assert told.hint == "the proxy speaks TLS: write its URL with https:// (proxy_type='https')"
    assert "wss://" not in str(told)


def test_what_is_one_already_stays_as_it_is() -> None:
    exc = proxy_exception("no", ValueError, hint="yes")
    assert at_the_proxy(exc, "http://proxy:1") is exc
    assert str(exc) == "no (yes)"


def test_without_python_socks_there_is_a_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_socks", None)
    assert python_socks_class("ProxyTimeoutError") is ProxyError
