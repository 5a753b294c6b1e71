# ruff: noqa: E402 - the monkey comes first
"""A program whose sockets and threads are green: `green.py gevent|eventlet CHECK URL CA-FILE`

Each check runs in a process of its own; it ends with status 0 if all is well. That the rest of the
program goes on while one green thread waits is part of every check: `beat` counts.
"""

import sys

KIND = sys.argv[1]
if KIND == "gevent":
    import gevent.monkey  # pyright: ignore[reportMissingModuleSource]

    gevent.monkey.patch_all()
else:
    import eventlet  # pyright: ignore[reportMissingImports]

    eventlet.monkey_patch()

import threading
import time
from contextlib import contextmanager
from typing import Any

import websocket

URL, CA_FILE = sys.argv[3:5]
OPTIONS: dict[str, Any] = {"sslopt": {"ca_certs": CA_FILE}} if URL.startswith("wss") else {}

beats = 0


def beat():
    """Runs beside everything else, if everything else lets it."""
    global beats
    while True:
        time.sleep(0.005)
        beats += 1


@contextmanager
def while_others_run(least=3):
    before = beats
    yield
    assert beats - before >= least, "nothing else ran meanwhile"


def connect(**options):
    return websocket.create_connection(URL, timeout=20, **OPTIONS, **options)


def echo():
    with connect() as ws:
        for size in (1, 200, 70_000, 3_000_000):
            sent = threading.Thread(target=ws.send_binary, args=(bytes(size),))
            sent.start()
            assert ws.recv() == bytes(size)
            sent.join()
        ws.send("text")
        assert ws.recv() == "text"
    assert ws.close_code == 1000


def timeouts():
    with connect() as ws:
        for wait in (lambda: ws.recv(timeout=0.2), ws.recv):
            begun = time.monotonic()
            with while_others_run():
                try:
                    wait()
                except websocket.WebSocketTimeoutException:
                    pass
                else:
                    raise AssertionError("no timeout")
            assert 0.15 < time.monotonic() - begun < 10
            ws.settimeout(0.2)
        ws.settimeout(20)
        ws.send("nothing is lost")
        assert ws.recv() == "nothing is lost"


def receiving_and_sending():
    """Two green threads in one connection, both busy."""
    count = 300
    with connect() as ws:
        got = []

        def receive():
            for _ in range(count):
                got.append(ws.recv())

        reader = threading.Thread(target=receive)
        reader.start()
        for number in range(count):
            ws.send(f"{number} " * 100)
        reader.join(30)
        assert [message.split()[0] for message in got] == [str(number) for number in range(count)]


def close_from_another():
    """A reader that waits is woken by `close()` in another green thread."""
    ws = connect()
    ended = []

    def receive():
        try:
            ended.append(ws.recv() == "")
        except websocket.WebSocketConnectionClosedException:
            ended.append(True)

    reader = threading.Thread(target=receive)
    reader.start()
    time.sleep(0.05)
    begun = time.monotonic()
    ws.close()
    reader.join(10)
    assert ended == [True] and time.monotonic() - begun < 5
    assert ws.close_code == 1000


def app():
    """`run_forever` with pings of the timer thread, and `close()` from another green thread."""
    events = []

    def on_pong(app, payload):
        events.append("pong")
        if events.count("pong") == 3:
            threading.Thread(target=app.close).start()

    app = websocket.WebSocketApp(
        URL,
        on_open=lambda app: app.send("hello"),
        on_message=lambda app, message: events.append(message),
        on_pong=on_pong,
        on_error=lambda app, exc: events.append(exc),
        on_close=lambda app, code, reason: events.append((code, reason)),
    )
    with while_others_run(20):
        assert app.run_forever(ping_interval=0.1, ping_timeout=0.09, **OPTIONS) is False
    assert events == ["hello", "pong", "pong", "pong", (1000, None)], events


def reconnecting_app():
    """Waits between attempts are green, too, and `close()` ends them."""
    errors = []
    app = websocket.WebSocketApp("ws://127.0.0.1:1/", on_error=lambda app, exc: errors.append(exc))
    closer = threading.Timer(0.5, app.close)
    closer.start()
    with while_others_run(20):
        app.run_forever(reconnect=0.1)
    assert len(errors) >= 2 and isinstance(errors[0], OSError), errors


def loop():
    """Our own event loop under green sockets, with many apps."""
    loop = websocket.Loop()
    got = []
    closed = []

    def on_message(app, message):
        got.append(message)
        app.close()

    def on_close(app, code, reason):
        closed.append(code)

    with while_others_run(1):
        for number in range(20):
            app = websocket.WebSocketApp(
                URL,
                on_open=lambda app, number=number: app.send(f"{number}"),
                on_message=on_message,
                on_close=on_close,
            )
            app.run_forever(dispatcher=loop, ping_interval=20, **OPTIONS)
        loop.run()
    assert sorted(got) == sorted(map(str, range(20)))
    assert closed == [1000] * 20


if __name__ == "__main__":
    threading.Thread(target=beat, daemon=True).start()
    globals()[sys.argv[2]]()
    print("fine")
