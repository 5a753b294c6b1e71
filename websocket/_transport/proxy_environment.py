"""Which proxy the environment names."""

from __future__ import annotations

from .environment import names, none_is_set

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["environment_proxy"]

# In this order; the first that is set decides, even if it is empty: that means "none".
_VARIABLES = {
    False: ("ws_proxy", "http_proxy", "all_proxy"),
    True: ("wss_proxy", "https_proxy", "all_proxy"),
}
_ALL = names(
    *(each for group in _VARIABLES.values() for name in group for each in (name, name.upper()))
)


def environment_proxy(secure: bool, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """(proxy URL, name of the variable that says so) for a ws or, if `secure`, a wss connection.

    None if the environment names no proxy. Names in lower case win over those in upper case.
    """
    if none_is_set(_ALL, environ):
        return None
    for name in _VARIABLES[secure]:
        for variable in (name, name.upper()):
            # Under CGI the client of the web server sets HTTP_PROXY by a header (CVE-2016-1000110).
            if variable == "HTTP_PROXY" and "REQUEST_METHOD" in environ:
                continue
            if variable in environ:
                url = "".join(environ[variable].split())
                return (url, variable) if url else None
    return None
