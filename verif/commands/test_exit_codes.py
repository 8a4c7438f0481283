# SPDX-License-Identifier: Apache-2.0
"""What a command leaves behind: its exit code, its sentence, whole files, and nothing on streams
that are closed, full or of another encoding."""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from xnor_fcc import cli, files
from xnor_fcc.container import read
from xnor_fcc.errors import TRACEBACK, Exit, ToolError, UserError, run_main
from xnor_fcc.files import read_bytes, require_writable, write_atomically, write_text, write_whole
from xnor_fcc.random_network import random_network

# A command of one line of Python: MAIN is its body.
_CALL = "import os, signal, sys, time\nfrom xnor_fcc.errors import run_main\n"


def shell(command: str, cwd: Path | None = None, **variables: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command in which $P is `python -m xnor_fcc`."""
    python = {"PYTHON": sys.executable, "P": f"{sys.executable} -m xnor_fcc"}
    environment = {**os.environ, **python, **variables}
    run = subprocess.run(["bash", "-c", command], cwd=cwd, env=environment, capture_output=True)
    return run.returncode, run.stdout.decode("latin-1"), run.stderr.decode("latin-1")


# ---- codes


def test_help_tells_each_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    listed = re.findall(r"^  (\d+) +(.+)$", capsys.readouterr().out, re.M)
    assert [(int(code), meaning) for code, meaning in listed] == [(c, c.meaning) for c in Exit]
    assert len(set(Exit)) == len(Exit.__members__) == 9
    for code in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGTERM):
        assert 128 + code in set(Exit)


def raising(error: BaseException) -> Callable[[], int]:
    def main() -> int:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (UserError("Do this."), 2, "Do this."),
        (ToolError("The tool died."), 3, "The tool died."),
        (KeyboardInterrupt(), 130, "interrupted from the keyboard."),
        (OSError(errno.ENOSPC, "No space left on device", "x.npz"), 2, "x.npz: No space left"),
        (OSError(errno.EXDEV, "Invalid link", "a", None, "b"), 2, "b: Invalid link."),
        (OSError(errno.EAGAIN, "Resource temporarily unavailable"), 2, "Resource temporarily"),
        (MemoryError(), 2, "there is not enough memory"),
        (ImportError("libz.so.1: no", name="torch"), 3, "a Python package does not load (libz"),
        (ImportError("cannot import name", name="xnor_fcc.x"), 70, "a defect of this program"),
        (KeyError("x\ny"), 70, "a defect of this program: KeyError: 'x\\ny' at test_exit_codes.py"),
        (OSError("no number"), 70, "a defect of this program: OSError: no number"),
        (SystemExit("words"), 3, "words"),
    ],
)
def test_code_of_an_error(
    error: BaseException, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(raising(error)) == code
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"error: {says}") and err.count("\n") == 1


def test_code_of_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(lambda: None) == run_main(lambda: 0) == 0
    assert run_main(lambda: 1) == Exit.DIFFERS
    assert run_main(raising(SystemExit())) == run_main(raising(SystemExit(0))) == 0
    assert capsys.readouterr() == ("", "")


def test_a_defect_shows_where_if_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRACEBACK, "1")
    assert run_main(raising(KeyError("x"))) == Exit.DEFECT
    assert capsys.readouterr().err.startswith("Traceback (most recent call last)")


def signalled(name: str, then: str) -> tuple[int, str, str]:
    """What comes of a command that gets a signal; `then` follows its `try`."""
    # What runs these tests in the background may ignore the signals, and its children with it.
    usual = "default_int_handler" if name == "INT" else "SIG_DFL"
    main = f"""
signal.signal(signal.SIG{name}, signal.{usual})
def main():
    try:
        os.kill(os.getpid(), signal.SIG{name})
        time.sleep(60)
    {then}
sys.exit(run_main(main))
"""
    return shell('exec "$PYTHON" -c "$MAIN"', MAIN=_CALL + main)


@pytest.mark.parametrize("name", ["TERM", "HUP", "INT"])
@pytest.mark.parametrize(
    ("then", "prints"),
    [
        ("finally: print('tidied up')", "tidied up\n"),
        # As torch does where a signal comes while it is being loaded.
        ("except BaseException: raise SystemError('a library has failed') from None", ""),
    ],
    ids=["passed on", "made into something else"],
)
def test_signals_end_a_command(name: str, then: str, prints: str) -> None:
    code, out, err = signalled(name, then)
    assert (code, out) == (128 + signal.Signals[f"SIG{name}"], prints)
    said = "interrupted from the keyboard" if name == "INT" else f"ended by SIG{name}"
    assert err == f"error: {said}.\n"


def test_nohup_stays() -> None:
    main = "sys.exit(run_main(lambda: print(os.kill(os.getpid(), signal.SIGHUP))))"
    code, out, _ = shell("trap '' HUP; exec \"$PYTHON\" -c \"$MAIN\"", MAIN=_CALL + main)
    assert (code, out) == (0, "None\n")


# ---- streams


@pytest.mark.one_quick
@pytest.mark.parametrize("arguments", ["--help", "info --help", "info digits --device none", "rtl"])
def test_streams_that_take_nothing(arguments: str, tmp_path: Path) -> None:
    command = f"$P {arguments}"
    assert shell(f"{command} >&-") == (0, "", "")
    assert shell(f"{command} <&- >&- 2>&-") == (0, "", "")
    whole = shell(command)
    assert whole[0] == 0 and whole[2] == ""
    assert shell(f"{command} 2>&-") == shell(f"{command} 2>/dev/full") == whole
    for start, reason in (
        (f"{command} >/dev/full", "No space left on device"),
        (f"{command} 1</dev/null", "Bad file descriptor"),
        (f"ulimit -f 0; {command} >{tmp_path / 'out'}", "File too large"),
    ):
        assert shell(start) == (2, "", f"error: standard output: {reason}.\n")


@pytest.mark.parametrize("stream", [">&-", "2>&-", ">/dev/full", "2>/dev/full"])
def test_an_error_keeps_its_code(stream: str) -> None:
    """Where it cannot be told, and where there is something else to tell."""
    sentence = "error: There is no command nothing: xnor-fcc --help lists them.\n"
    code, out, err = shell(f"$P nothing {stream}")
    assert (code, out) == (2, "") and err == (sentence if "2" not in stream else "")


def test_a_stream_that_does_not_block(tmp_path: Path) -> None:
    """As another program can leave a terminal or a pipe: all arrives."""
    main = "os.set_blocking(1, False)\nsys.exit(run_main(lambda: print('x' * 1000000)))"
    code, out, err = shell('"$PYTHON" -c "$MAIN" | (sleep 0.3; wc -c)', MAIN=_CALL + main)
    assert (code, out.strip(), err) == (0, "1000001", "")


@pytest.mark.parametrize(
    ("encoding", "wanted"),
    [
        ("utf-8:strict", "z\udcfc é\n".encode("utf-8", "surrogateescape")),
        ("ascii:strict", b"z\xfc \\xe9\n"),
        ("latin-1", b"z\xfc \xe9\n"),
        ("cp437", b"z\xfc \x82\n"),
        ("utf-16-le", "z\\udcfc é\n".encode("utf-16-le")),
    ],
)
def test_characters_that_an_encoding_lacks(encoding: str, wanted: bytes) -> None:
    """Are escaped; the bytes of a file's name stay what they are."""
    main = "sys.exit(run_main(lambda: print('z\\udcfc \\xe9')))"
    _, out, err = shell('"$PYTHON" -c "$MAIN"', MAIN=_CALL + main, PYTHONIOENCODING=encoding)
    assert (out.encode("latin-1"), err) == (wanted, "")


@pytest.mark.slow
def test_names_that_are_no_text(tmp_path: Path) -> None:
    random_network(np.random.default_rng(0), (16, 12, 4)).save(tmp_path / "n\udcfc.npz")
    images = 255 * np.random.default_rng(1).integers(0, 2, (3, 4, 4), np.uint8)
    with open(tmp_path / "z\udcfc.npy", "wb") as file:
        np.save(file, images)
    weights = np.random.default_rng(2).choice([-1, 1], (12, 16))
    with open(tmp_path / "a\udcfc.npz", "wb") as file:
        np.savez(file, weights0=weights, thresholds0=np.zeros(12), weights1=weights[:4, :12])
    for command, says in (
        ("classify $'z\\374.npy' --network $'n\\374.npz'", "z\xfc.npy:2: "),
        ("import $'a\\374.npz' --out $'o\\374.npz'", "wrote o\xfc.npz\n"),
        ("info $'o\\374.npz' --device none", "o\xfc: 16-12-4"),
        ("pack --network $'o\\374.npz' --output $'p\\374' --out $'p\\374.t'", "wrote p\xfc.t\n"),
        ("explore --network $'o\\374.npz' --max-lanes 1 --output $'e\\374'", "wrote e\xfc/report"),
        ("rtl --copy $'r\\374'", " files to r\xfc\n"),
        ("report --build . --output $'q\\374'", "wrote "),
        ("info $'x\\374.npz'", ""),
    ):
        for strict in ({"PYTHONIOENCODING": "utf-8:strict"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}):
            code, out, err = shell(f"$P {command}", cwd=tmp_path, **strict)
            assert says in out, (command, err)
            assert (code, err) == ((0, "") if says else (2, f"error: {_MISSING}\n")), command


_MISSING = "The network file x\xfc.npz does not exist."


# ---- files


def listed(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_all_files_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "a" / "one"
    write_atomically(old, b"old")
    contents = {old: b"new", tmp_path / "b" / "two": b"2", tmp_path / "b" / "c" / "three": b"3"}

    def full(_: int) -> None:
        if len(listed(tmp_path / "b")) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched, pytest.raises(OSError) as raised:
        patched.setattr(files.os, "fsync", full)
        write_whole(contents)
    assert raised.value.filename == str(tmp_path / "b" / "c" / "three")
    assert listed(tmp_path) == ["a", "a/one"] and old.read_bytes() == b"old"
    write_whole(contents)
    assert listed(tmp_path) == ["a", "a/one", "b", "b/c", "b/c/three", "b/two"]
    assert old.read_bytes() == b"new"


def test_whether_a_file_can_be_written_is_found_without_a_trace(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_bytes(b"old")
    for path in (old, tmp_path / "new", tmp_path / "a" / "b" / "new", Path("/dev/null")):
        require_writable(path)
    assert listed(tmp_path) == ["old"] and old.read_bytes() == b"old"
    for path in (tmp_path, old / "below", Path("/proc/new"), Path("/proc/a/b/new")):
        with pytest.raises(OSError) as raised:
            require_writable(path)
        assert raised.value.filename
    assert listed(tmp_path) == ["old"]


def test_a_place_that_is_no_file(tmp_path: Path) -> None:
    """Devices and pipes are written to, and stay what they are; links lead where they led."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="pipe"):  # nobody reads
        write_atomically(pipe, b"x")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(pipe, "read \udcff\n")
    assert os.read(reader, 100) == b"read \xff\n" and pipe.is_fifo()
    os.close(reader)
    assert read_bytes(pipe) == b""  # nobody writes
    # Not before the pipe has shown that a device too stays what it is: root could lose it.
    write_atomically(Path("/dev/null"), b"x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(OSError, match="No space left") as raised:
        write_atomically(Path("/dev/full"), b"x")
    assert raised.value.filename == "/dev/full"
    (tmp_path / "link").symlink_to("real")
    write_atomically(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_bytes() == b"x"
    for bad in (tmp_path, tmp_path / "real" / "below"):
        with pytest.raises(OSError, match=f"(Is|Not) a directory: .*{tmp_path.name}"):
            write_atomically(bad, b"x")
    longest = tmp_path / ("é" * 127)
    write_atomically(longest, b"x")
    assert longest.read_bytes() == b"x"
    with pytest.raises(OSError, match="Is a directory"):
        read_bytes(tmp_path)


@pytest.mark.one_quick
@pytest.mark.parametrize(
    "arguments",
    [
        "pack --network digits --output out --out out/writes.txt",
        "pack --network digits --out writes.txt",
        "import arrays.npz --out out.npz",
        "explore --network digits --max-lanes 1 --output out",
        "rtl --copy out",
        "report --build . --output out",
    ],
)
def test_no_room_leaves_nothing(arguments: str, tmp_path: Path) -> None:
    """Files may have no more than 0 or 1,024 bytes."""
    weights = np.random.default_rng(2).choice([-1, 1], (12, 160))
    np.savez(tmp_path / "arrays.npz", weights0=weights, thresholds0=np.zeros(12),
             weights1=weights[:4, :12])  # fmt: skip
    before = listed(tmp_path)
    for blocks in (0, 1):
        code, _, err = shell(f"ulimit -f {blocks}; exec $P {arguments}", cwd=tmp_path)
        assert code == 2 and re.fullmatch(r"error: \S+: File too large\.\n", err)
        assert listed(tmp_path) == before


def test_the_current_directory_is_gone(tmp_path: Path) -> None:
    code, out, err = shell("mkdir d; cd d; rmdir ../d; $P pack --out x.txt", cwd=tmp_path)
    assert (code, out) == (2, "") and err.startswith("error: ") and err.count("\n") == 1


def test_pipes_of_the_shell(tmp_path: Path) -> None:
    """A file may come out of a pipe, and go into one."""
    network = random_network(np.random.default_rng(0), (16, 12, 4))
    network.save(tmp_path / "net.npz")
    images = 255 * np.random.default_rng(1).integers(0, 2, (3, 4, 4), np.uint8)
    np.save(tmp_path / "images.npy", images)
    code, out, err = shell("$P classify <(gzip -c images.npy) --network <(cat net.npz) --json",
                           cwd=tmp_path)  # fmt: skip
    assert (code, err) == (0, "") and '"class"' in out
    code, out, _ = shell("$P pack --network net.npz --out >(cat >copy); sleep 0.2", cwd=tmp_path)
    assert code == 0
    shell("$P pack --network net.npz --out writes.txt", cwd=tmp_path)
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "writes.txt").read_bytes()
    with pytest.raises(UserError, match="Is a directory"):
        read(tmp_path, "kind", 1, "file")
