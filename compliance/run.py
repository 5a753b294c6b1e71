"""Runs Autobahn|Testsuite against the client and says whether every case passed."""

from __future__ import annotations

import argparse
import datetime
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from catalogue import Catalogue, Result, count, in_words, parts, phases, section_of
from report import Run, html, markdown
from worker import HarnessError, Setup, Worker

HERE = Path(__file__).resolve().parent
# Directories of failed runs that are kept for their logs.
KEPT = 5
EPILOG = """
Without --quick, --cases or --all every case is run, those of permessage-deflate (12 and 13) only
if the client has it. The exit status is 0 if every case is OK or INFORMATIONAL in behaviour and in
closing, 1 if not, 2 if the run itself did not work out.
"""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bin/compliance", description=__doc__, epilog=EPILOG)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--quick",
        action="store_true",
        help="1-7, 9, 10 and one case of each negotiation of 12 and 13: a few minutes",
    )
    which.add_argument("--all", action="store_true", help="all cases, whatever the client has")
    which.add_argument("--cases", nargs="+", metavar="CASE", help="such as 6.4.1, 6.4, '7.*'")
    parser.add_argument("--tls", action="store_true", help="over wss:// instead of ws://")
    parser.add_argument("--no-compression", action="store_true", help="do not offer deflate")
    parser.add_argument("--report", action="store_true", help="write the report of a part, too")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="servers at once")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the client")
    parser.add_argument(
        "--suite", type=Path, default=HERE.parent / ".wstest", help="where the suite is installed"
    )
    return parser.parse_args()


def install_suite(directory: Path) -> Catalogue:
    """Install the suite unless it is there; HarnessError if that fails."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be installing it
        done = subprocess.run([sys.executable, str(HERE / "setup_wstest.py"), str(directory)])
    if done.returncode:
        raise HarnessError("the suite could not be installed")
    return Catalogue.load(directory / "cases.json")


def describe(python: str) -> dict[str, Any]:
    """What the client says of itself; HarnessError if it cannot be imported."""
    command = [python, str(HERE / "autobahn_client.py"), "--describe"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"the client does not start: {error}") from error
    if done.returncode:
        raise HarnessError(f"the client does not start:\n{done.stderr.strip()}")
    described: dict[str, Any] = json.loads(done.stdout)
    return described


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key, by the openssl tool."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=compliance", "-addext", "subjectAltName=IP:127.0.0.1"]
    # Python 3.13 verifies strictly: an authority has to say that it may sign.
    command += ["-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    except FileNotFoundError as error:
        raise HarnessError("--tls needs openssl (Debian: apt-get install openssl)") from error
    except subprocess.CalledProcessError as error:
        raise HarnessError(f"openssl made no certificate:\n{error.stderr}") from error
    return certificate, key


class Progress:
    """One line for each section, printed when its last case has ended; from any thread."""

    def __init__(self, catalogue: Catalogue, cases: Sequence[str]) -> None:
        self._catalogue = catalogue
        self._left = Counter(section_of(case) for case in cases)
        self._total = dict(self._left)
        self._seconds: Counter[str] = Counter()
        self._lock = threading.Lock()

    def done(self, case: str, seconds: float) -> None:
        """Note that a case has ended."""
        section = section_of(case)
        with self._lock:
            self._left[section] -= 1
            # A Counter of seconds: typeshed knows only whole numbers there.
            self._seconds[section] += round(seconds * 1000)
            if not self._left[section]:
                title = self._catalogue.title(section)
                taken = self._seconds[section] / 1000
                number = f"{self._total[section]} case{'s' * (self._total[section] > 1)}"
                print(f"{section:>4}  {title:<44} {number:>9} {taken:>8.1f} s", flush=True)


def run_phase(workers: list[Worker], cases: list[str], progress: Progress) -> None:
    """Let all workers share the cases; whatever ends it early stops the workers first."""
    queue = deque(cases)
    with ThreadPoolExecutor(len(workers)) as pool:
        try:
            running = [pool.submit(worker.drain, queue, progress.done) for worker in workers]
            for future in as_completed(running):
                future.result()
        except BaseException:
            for worker in workers:
                worker.stop()
            raise


def run_cases(setup: Setup, catalogue: Catalogue, jobs: int) -> list[Result]:
    """Run the cases of `setup`; no process of ours is left behind, however this ends."""
    progress = Progress(catalogue, setup.cases)
    workers = [Worker(n, setup) for n in range(max(1, min(jobs, len(setup.cases))))]
    try:
        for worker in workers:
            worker.start()
        for phase in phases(setup.cases):
            run_phase(workers, phase, progress)
        results = [result for worker in workers for result in worker.collect()]
    finally:
        for worker in workers:
            worker.stop()
    return sorted(results, key=lambda result: parts(result.case))


def print_summary(run: Run) -> None:
    """The counts, and every case that is not as it should be."""
    behavior, closing = count(run.results)
    print(f"\nbehaviour  {in_words(behavior)}\nclosing    {in_words(closing)}")
    for r in run.results:
        if not r.passed:
            print(f"{r.case:>8}  {r.behavior}, closing {r.closing}: {r.why}")
    print(f"\n{run.headline()} ({run.minutes:.1f} minutes)")


def write_report(run: Run, tls: bool) -> None:
    """Put the report beside this script; the one over TLS has its own name."""
    stem = "report-tls" if tls else "report"
    for suffix, text in (("md", markdown(run)), ("html", html(run))):
        (HERE / f"{stem}.{suffix}").write_text(text, encoding="utf-8")
    print(f"report: compliance/{stem}.md, compliance/{stem}.html")


def run_directory(suite: Path) -> Path:
    """A new directory for the logs of this run; the oldest are removed."""
    runs = suite / "runs"
    runs.mkdir(exist_ok=True)
    earlier = sorted(runs.iterdir(), key=lambda path: path.stat().st_mtime)
    for path in earlier[: -KEPT or None]:
        shutil.rmtree(path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix="run-", dir=runs))


def choose(options: argparse.Namespace, catalogue: Catalogue, compression: bool) -> list[str]:
    """The cases that the command line asks for; HarnessError for a pattern that fits none."""
    if options.cases:
        try:
            return catalogue.matching(options.cases)
        except ValueError as error:
            raise HarnessError(str(error)) from error
    cases = catalogue.select(quick=options.quick, compression=compression or options.all)
    if not compression and not options.all:
        print("the client does not compress: sections 12 and 13 are left out")
    return cases


def execute(options: argparse.Namespace) -> bool:
    """Do what the command line says; returns whether all cases passed."""
    catalogue = install_suite(options.suite.absolute())
    client = describe(options.python)
    compression = client["compression"] and not options.no_compression
    cases = choose(options, catalogue, compression)
    directory = run_directory(options.suite.absolute())
    certificate, key = make_certificate(directory) if options.tls else (None, None)
    print(f"websocket-client {client['client']} on {client['python']}, cases: {len(cases)}")
    setup = Setup(
        options.suite.absolute(), directory, options.python, cases, compression, certificate, key
    )
    began, date = time.monotonic(), datetime.date.today().isoformat()
    try:
        results = run_cases(setup, catalogue, options.jobs)
    except HarnessError:
        print(f"logs: {directory}", file=sys.stderr)
        raise
    run = Run(
        catalogue,
        results,
        client["client"],
        client["python"],
        "TLS (wss)" if options.tls else "plain (ws)",
        compression,
        date,
        (time.monotonic() - began) / 60,
    )
    print_summary(run)
    if options.report or len(results) == len(catalogue.cases):
        write_report(run, options.tls)
    if run.passed:
        shutil.rmtree(directory)
    else:
        print(f"logs: {directory}")
    return run.passed


def main() -> None:
    """Run, and exit with the status that the epilog explains."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    try:
        sys.exit(0 if execute(arguments()) else 1)
    except HarnessError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
