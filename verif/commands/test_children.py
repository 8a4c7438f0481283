# SPDX-License-Identifier: Apache-2.0
"""Programs that are started: what reaches them of the caller's environment, under which names they
see a path, and that none of them goes on alone."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands.made import FOREIGN, ODD
from xnor_fcc.errors import UserError
from xnor_fcc_sim import children
from xnor_fcc_sim.children import LISTED, Names


def test_a_child_gets_what_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = {"HOME": "/home", "LC_CTYPE": "C.UTF-8", "XNOR_FCC_RTL": "rtl", "TZ": "UTC"}
    for name, value in {**dict.fromkeys(FOREIGN, "1"), **passed}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"tools{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    got = children.environment(OWN="2")
    assert not set(FOREIGN) & set(got)
    assert {name: got[name] for name in passed} == passed and got["OWN"] == "2"
    assert got["PATH"].startswith(f"{tmp_path}/tools{os.pathsep}")  # wherever the child works


def test_temporary_files_lie_where_every_program_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / ODD
    place.mkdir()
    monkeypatch.setattr(children.tempfile, "tempdir", str(place))
    assert children.environment()["TMPDIR"] in ("/tmp", "/var/tmp")
    monkeypatch.setattr(children.os, "access", lambda *_: False)
    with pytest.raises(UserError, match=r"name one with TMPDIR\.$"):
        children.environment()


def test_every_path_has_a_plain_name(tmp_path: Path) -> None:
    place = tmp_path / ODD
    place.mkdir()
    (place / "core.v").write_text("module core;")
    os.symlink("nowhere", place / b"not \xff utf.v".decode(errors="surrogateescape"))
    with Names() as names:
        assert names(tmp_path / "plain-1.0_+/x.v") == str(tmp_path / "plain-1.0_+/x.v")
        assert Path(names(place / "core.v")).read_text() == "module core;"
        assert Path(names(place / "core.v")).name == "core.v"  # which messages show
        found = [names(path) for path in (place, *place.iterdir())]
        for name in found:
            assert re.fullmatch(r"[A-Za-z0-9_./+-]+", name) and os.path.lexists(name)
        assert names(place) == names(str(place))
        kept = str(tmp_path / "a b")  # in a list a space does no harm
        assert names(kept, LISTED) == kept and ":" not in names(place, LISTED)
        links = names.place()
    assert not links.exists()


CALLER = """
import sys
from pathlib import Path
from xnor_fcc.errors import run_main
from xnor_fcc_sim import children

def main():
    with open("log", "wb") as log:
        return children.call(["sh", "-c", sys.argv[1]], Path(), children.environment(), log)

sys.exit(run_main(main))
"""
# A child that has a child.
FAMILY = "sleep 600 & echo $$ $! > started.new; mv started.new started; wait"


def running(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for(what: object, seconds: float = 20) -> None:
    """Until `what()` holds."""
    end = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < end, "in vain"
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_goes_on_alone(number: int, tmp_path: Path) -> None:
    def heeded() -> None:
        """What runs these tests in the background may ignore the signal, and its children too."""
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)

    process = subprocess.Popen(
        [sys.executable, "-c", CALLER, FAMILY],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
        preexec_fn=heeded,
    )
    pids: list[int] = []
    try:
        wait_for((tmp_path / "started").exists)
        pids = [int(pid) for pid in (tmp_path / "started").read_text().split()]
        assert all(map(running, pids))
        process.send_signal(number)
        process.wait(10)
        wait_for(lambda: not any(map(running, pids)), 5)
    finally:
        process.kill()
        process.wait()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 0", "ended with exit code 0"),
        ("exit 7", "ended with exit code 7"),
        ("kill -SEGV $$", "was killed by SIGSEGV"),
        ("sh -c 'kill -TERM $$'; exit $?", "was killed by SIGTERM"),
        ("kill -KILL $$", "was killed by SIGKILL (as Linux does where memory is short)"),
    ],
)
def test_an_end_is_told(script: str, said: str, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        code = children.call(["sh", "-c", script], tmp_path, children.environment(), log)
    assert children.end_of(code) == said


def test_a_child_reads_nothing_and_prints_into_the_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CALLER, "cat; pwd; pwd >&2"]
    run = subprocess.run(command, cwd=tmp_path, input=b"typed", capture_output=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")
    assert (tmp_path / "log").read_text() == f"{tmp_path}\n{tmp_path}\n"
