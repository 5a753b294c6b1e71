"""One fuzzing server and the client process that is driven over its cases."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from catalogue import Result, seconds_allowed

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
AGENT = "client"
START_SECONDS = 30.0
REPORT_SECONDS = 300.0


class HarnessError(Exception):
    """The run cannot go on, for a reason that is not the client's."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What all workers of a run have in common."""

    suite: Path
    directory: Path
    python: str
    cases: list[str]
    compression: bool
    certificate: Path | None
    key: Path | None


def free_port() -> int:
    """A port of the loopback interface that nobody listens on right now."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def tail(path: Path, lines: int = 8) -> str:
    """The end of a log."""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


class Worker:
    """A server with its client, which take cases from a queue until it is empty.

    `drain` is for one thread; `stop` may be called from any thread, at any time and repeatedly.
    """

    def __init__(self, number: int, setup: Setup) -> None:
        self._setup = setup
        self._reports = setup.directory / f"reports-{number}"
        self._server_log = setup.directory / f"server-{number}.log"
        self._client_log = setup.directory / f"client-{number}.log"
        self._specification = setup.directory / f"server-{number}.json"
        self._server: subprocess.Popen[str] | None = None
        self._client: subprocess.Popen[str] | None = None
        self._stopped = False
        self._url = ""
        self._ran: dict[str, tuple[float, str]] = {}

    def start(self) -> None:
        """Start the server and wait until it listens; HarnessError if it does not."""
        for _ in range(3):  # Somebody else may be faster at the port that was free.
            port = free_port()
            scheme = "wss" if self._setup.certificate else "ws"
            self._url = f"{scheme}://{HOST}:{port}"
            self._launch_server()
            if self._listens(port):
                return
        raise HarnessError(f"the fuzzing server does not start:\n{tail(self._server_log)}")

    def _launch_server(self) -> None:
        specification: dict[str, Any] = {
            "url": self._url,
            "outdir": str(self._reports),
            "cases": self._setup.cases,
        }
        if self._setup.certificate:
            specification["cert"] = str(self._setup.certificate)
            specification["key"] = str(self._setup.key)
        self._specification.write_text(json.dumps(specification), encoding="utf-8")
        python = self._setup.suite / "venv" / "bin" / "python"
        script = HERE / "fuzzing_server.py"
        with self._server_log.open("w", encoding="utf-8") as log:
            self._server = subprocess.Popen(
                [str(python), "-W", "ignore", str(script), str(self._specification)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )

    def _listens(self, port: int) -> bool:
        give_up = time.monotonic() + START_SECONDS
        while self._server_lives() and time.monotonic() < give_up:
            try:
                socket.create_connection((HOST, port), timeout=1.0).close()
            except OSError:
                time.sleep(0.05)
            else:
                return True
        return False

    def _server_lives(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def _launch_client(self) -> subprocess.Popen[str]:
        command = [self._setup.python, str(HERE / "autobahn_client.py")]
        command += ["--server", self._url, "--agent", AGENT]
        if self._setup.certificate:
            command += ["--ca", str(self._setup.certificate)]
        if self._setup.compression:
            command += ["--compression"]
        # A proxy of the environment is not for these connections.
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        with self._client_log.open("a", encoding="utf-8") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
                start_new_session=True,
            )

    def drain(self, queue: deque[str], done: Callable[[str, float], None]) -> None:
        """Run cases from the left of `queue` until it is empty; `done(case, seconds)` after each.

        A client that hangs or dies costs its case and is started anew for the next. HarnessError
        if the server has died.
        """
        while not self._stopped:
            try:
                case = queue.popleft()
            except IndexError:
                return
            began = time.monotonic()
            trouble = self._run(case)
            if self._stopped:
                return
            if not self._server_lives():
                raise HarnessError(f"the server died in {case}:\n{tail(self._server_log)}")
            seconds = time.monotonic() - began
            self._ran[case] = (seconds, trouble)
            done(case, seconds)

    def _run(self, case: str) -> str:
        """Let the client run one case; returns what went wrong apart from the suite's verdict."""
        if self._client is None:
            self._client = self._launch_client()
        client = self._client
        if self._stopped:  # stop() may have looked before the client was there
            client.kill()
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            client.kill()

        timer = threading.Timer(seconds_allowed(case), expire)
        timer.start()
        try:
            assert client.stdin is not None and client.stdout is not None
            client.stdin.write(case + "\n")
            client.stdin.flush()
            answer = client.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            timer.cancel()
        if answer:
            error = json.loads(answer)["error"]
            return f"The client raised {error}." if error else ""
        self._end_client()
        if expired.is_set():
            return f"The client was stopped after {seconds_allowed(case):.0f} s."
        return f"The client's process ended with code {client.returncode}."

    def _end_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.kill()
            client.communicate()

    def collect(self) -> list[Result]:
        """Have the server write its reports and read them; HarnessError if it cannot."""
        if not self._ran:
            return []
        self._end_client()
        try:
            self._request_reports()
            index = json.loads((self._reports / "index.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise HarnessError(f"no reports: {error}\n{tail(self._server_log)}") from error
        verdicts = index.get(AGENT, {})
        return [self._result(case, verdicts.get(case)) for case in self._ran]

    def _request_reports(self) -> None:
        """Ask by a handshake of our own, so that reports do not depend on the client under test."""
        address = urlsplit(self._url)
        assert address.port is not None
        request = (
            f"GET /updateReports?agent={AGENT} HTTP/1.1\r\nHost: {address.netloc}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n"
        )
        with socket.create_connection((HOST, address.port), timeout=REPORT_SECONDS) as plain:
            stream = plain
            if self._setup.certificate:
                context = ssl.create_default_context(cafile=str(self._setup.certificate))
                stream = context.wrap_socket(plain, server_hostname=HOST)
            stream.sendall(request.encode())
            # Its close frame follows the response head once the reports are written.
            received = b""
            while received.partition(b"\r\n\r\n")[2][:1] != b"\x88":
                chunk = stream.recv(4096)
                if not chunk:
                    raise OSError("the server closed the connection")
                received += chunk
            stream.close()

    def _result(self, case: str, verdict: dict[str, Any] | None) -> Result:
        seconds, trouble = self._ran[case]
        if verdict is None:
            return Result(
                case, "MISSING", "MISSING", seconds, "The client did not connect.", trouble
            )
        report = json.loads(
            (self._reports / verdict["reportfile"]).read_text(
                encoding="utf-8", errors="surrogatepass"
            )
        )
        said = [report["result"], report["resultClose"]]
        if verdict["remoteCloseCode"] is not None:
            said.append(f"Close code {verdict['remoteCloseCode']}")
        # Where the closing decides about the behaviour, the suite says the same of both.
        explanation = " ".join(text.rstrip(".") + "." for text in dict.fromkeys(said))
        behavior, closing = verdict["behavior"], verdict["behaviorClose"]
        return Result(case, behavior, closing, seconds, explanation, trouble)

    def stop(self) -> None:
        """End both processes, whatever they are doing."""
        self._stopped = True
        for process in (self._client, self._server):
            if process is not None:
                process.kill()
                process.wait()
