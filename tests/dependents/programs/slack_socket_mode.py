"""A Slack app in Socket Mode, on websocket-client."""

from __future__ import annotations

import logging
from typing import Any

from slack_sdk.socket_mode.response import (  # pyright: ignore[reportMissingImports]
    SocketModeResponse,
)
from slack_sdk.socket_mode.websocket_client import (  # pyright: ignore[reportMissingImports]
    SocketModeClient,
)
from slack_sdk.web import WebClient  # pyright: ignore[reportMissingImports]
from talking import arguments, say, told

opened: list[object] = []
ended: list[object] = []


def handle(client: Any, request: Any) -> None:
    client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
    say({"type": request.type, "text": request.payload["event"]["text"]})


logging.basicConfig(level=logging.INFO, format="%(relativeCreated)d %(threadName)s %(message)s")
client = SocketModeClient(
    app_token="xapp-1",
    web_client=WebClient(token="xoxb-1", base_url=arguments["api"]),
    ping_interval=0.5,
    trace_enabled=True,
    on_open_listeners=[opened.append],
    on_close_listeners=[ended.append],
    http_proxy_host=arguments["proxy_host"],
    http_proxy_port=arguments["proxy_port"],
    http_proxy_auth=("someone", "s3cret"),
    proxy_type="http" if arguments["proxy_host"] else None,
)
client.socket_mode_request_listeners.append(handle)
client.connect()
told()
say(["connected", client.is_connected()])
client.close()
say(["closed", client.is_connected(), client.current_session.keep_running])
say([0 < len(opened) <= len(ended), len(set(map(id, ended))) == len(ended)])
