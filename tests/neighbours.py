"""Real proxies and servers of other makes, started by tests on loopback as the current user."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from components import component

_PATIENCE = 20.0  # seconds for a daemon to listen; a loaded machine may need some
_INTERVAL = 0.02


def free_port() -> int:
    """A port that was free a moment ago: these daemons cannot choose one themselves."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def running(folder: Path, *command: str, ports: tuple[int, ...]) -> Iterator[None]:
    """A program that listens on `ports` of 127.0.0.1 while the block runs; its output in a log."""
    log = folder / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        for port in ports:
            _await_listening(process, port, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"{process.args!r} does not listen: {log.read_text(errors='replace')}")
        time.sleep(_INTERVAL)  # nobody tells when a daemon is ready


def user() -> str:
    """Who we are, for daemons that want to become somebody else."""
    return pwd.getpwuid(os.getuid()).pw_name


@contextmanager
def squid(certificate: Path) -> Iterator[tuple[int, int]]:
    """squid: its port for clear text and its port for TLS."""
    program = component("squid")
    clear, tls = free_port(), free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(certificate, folder / "both.pem")
        (folder / "squid.conf").write_text(
            f"http_port 127.0.0.1:{clear}\n"
            f"https_port 127.0.0.1:{tls} tls-cert={folder}/both.pem\n"
            "http_access allow all\n"
            f"cache deny all\naccess_log none\ncache_log {folder}/cache.log\npid_filename none\n"
            f"coredump_dir {folder}\nshutdown_lifetime 0 seconds\n"
            "pinger_enable off\nvisible_hostname squid.test\ndns_nameservers 127.0.0.1\n"
        )
        if os.getuid() == 0:  # squid refuses to be root, and becomes Debian's user "proxy"
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, "proxy", "proxy")
        command = (program, "-N", "-n", f"t{clear}", "-f", str(folder / "squid.conf"))
        with running(folder, *command, ports=(clear, tls)):
            yield clear, tls


@contextmanager
def tinyproxy(folder: Path, credentials: tuple[str, str] | None = None) -> Iterator[int]:
    """tinyproxy, an HTTP proxy."""
    program, port = component("tinyproxy"), free_port()
    auth = "" if credentials is None else f"BasicAuth {credentials[0]} {credentials[1]}\n"
    (folder / "tinyproxy.conf").write_text(
        f"Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nAllow 127.0.0.1\n"
        f"DisableViaHeader Yes\n{auth}"
    )
    with running(folder, program, "-d", "-c", str(folder / "tinyproxy.conf"), ports=(port,)):
        yield port


@contextmanager
def dante(folder: Path, method: str = "none") -> Iterator[int]:
    """dante, a proxy for SOCKS 4 and 5."""
    program, port = component("danted"), free_port()
    (folder / "danted.conf").write_text(
        f"logoutput: {folder}/dante.log\ninternal: 127.0.0.1 port = {port}\n"
        f"external: lo\nexternal.rotation: none\nclientmethod: none\nsocksmethod: {method}\n"
        f"user.privileged: {user()}\nuser.unprivileged: {user()}\n"
        "client pass { from: 127.0.0.0/8 to: 0/0 }\n"
        "socks pass { from: 127.0.0.0/8 to: 0/0 protocol: tcp }\n"
    )
    with running(
        folder, program, "-f", str(folder / "danted.conf"), "-p", str(folder / "pid"), ports=(port,)
    ):
        yield port


@contextmanager
def microsocks(folder: Path, credentials: tuple[str, str] | None = None) -> Iterator[int]:
    """microsocks, a proxy for SOCKS 5."""
    program, port = component("microsocks"), free_port()
    auth = () if credentials is None else ("-u", credentials[0], "-P", credentials[1])
    with running(folder, program, "-i", "127.0.0.1", "-p", str(port), *auth, ports=(port,)):
        yield port


@contextmanager
def nginx(
    folder: Path, server_port: int, certificate: Path, key: Path
) -> Iterator[tuple[int, int]]:
    """nginx in front of a WebSocket server: its ports for ws and wss."""
    program = component("nginx")
    clear, tls = free_port(), free_port()
    for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
        (folder / name).mkdir()
    forward = (
        f"location / {{ proxy_pass http://127.0.0.1:{server_port}; proxy_http_version 1.1; "
        "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; "
        "proxy_set_header Host $host; } location /gone { return 404; } "
        "location /moved { return 302 /here; } "
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
        "events { worker_connections 64; }\nhttp { access_log off;\n"
        f"client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        f"fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;\n"
        f"scgi_temp_path {folder}/scgi;\n"
        f"server {{ listen 127.0.0.1:{clear}; {forward} }}\n"
        f"server {{ listen 127.0.0.1:{tls} ssl; ssl_certificate {certificate};\n"
        f"ssl_certificate_key {key}; {forward} }} }}\n"
    )
    command = (program, "-p", str(folder), "-c", str(folder / "nginx.conf"))
    with running(folder, *command, "-e", str(folder / "error.log"), ports=(clear, tls)):
        yield clear, tls


@contextmanager
def haproxy(folder: Path, server_port: int, certificate: Path) -> Iterator[tuple[int, int]]:
    """haproxy in front of a WebSocket server: its ports for ws and wss."""
    program = component("haproxy")
    clear, tls = free_port(), free_port()
    (folder / "haproxy.cfg").write_text(
        "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n"
        f"frontend front\n bind 127.0.0.1:{clear}\n"
        f" bind 127.0.0.1:{tls} ssl crt {certificate} alpn h2,http/1.1\n default_backend back\n"
        f"backend back\n server one 127.0.0.1:{server_port}\n"
    )
    with running(folder, program, "-db", "-f", str(folder / "haproxy.cfg"), ports=(clear, tls)):
        yield clear, tls
