# SPDX-License-Identifier: Apache-2.0
"""`xnor-fcc serve`: the system of the DE1-SoC over TCP, for hosts that nobody here has written."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from xnor_fcc.board.address_map import BASE, BUFFER_BYTES, OFFSET
from xnor_fcc.errors import UserError
from xnor_fcc.geometry import Geometry
from xnor_fcc.loading import load_writes
from xnor_fcc.pack import pack
from xnor_fcc.places import ROOT
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate
from xnor_fcc.register_script import register_script
from xnor_fcc.registers import ADDRESS, BIT, ID_VALUE
from xnor_fcc_sim.listening import listen
from xnor_fcc_sim.serve import Server, main

# As in tests of the hosts, which so build the same core.
CORE = Geometry(pe=4, simd=7, lanes=2, max_width=30, weight_depth=120, bank_depth=32,
                threshold_depth=16, max_classes=6, image_width=16)  # fmt: skip
NETWORK = random_network(np.random.default_rng(5), (30, 23, 9, 5))
IMAGES = np.random.default_rng(7).integers(0, 2, (40, 30), np.uint8)
EXPECTED = evaluate(NETWORK, IMAGES)

REGISTERS, BUFFER = BASE["hps"]["registers"], BASE["hps"]["buffer"]
HOST = ROOT / "quartus" / "host"


def register(name: str) -> int:
    return REGISTERS + OFFSET["core"] + 4 * ADDRESS[name]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(listen("127.0.0.1", 0), CORE, turn=0.1) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield serving
        finally:
            serving.shutdown()
            thread.join()


class Client:
    """A host: lines out, lines in."""

    def __init__(self, file: socket.socket) -> None:
        file.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = file
        self.lines: IO[str] = file.makefile("r", encoding="ascii")

    def send(self, line: str) -> None:
        self.socket.sendall(f"{line}\n".encode("latin1"))

    def line(self) -> str:
        """The next line; "" where the server has hung up."""
        return self.lines.readline().rstrip("\n")

    def read(self, address: int, count: int = 1) -> list[int]:
        self.send(f"r {address:x} {count:x}")
        return [int(word, 16) for word in self.line().split()]

    def load(self) -> None:
        """NETWORK, into the core at rest, for images as packed bits."""
        self.send(f"w {register('CONTROL'):x} {1 << BIT['CONTROL']['SOFT_RESET']:x}")
        for address, values in load_writes(pack(NETWORK, CORE)):
            place = REGISTERS + OFFSET["core"] + 4 * address
            self.send("\n".join(f"w {place:x} {value:x}" for value in values.tolist()))
        self.send(f"w {register('CONTROL'):x} 1")

    def classify(self, images: np.ndarray) -> np.ndarray:
        """uint32 (n, words): the results of images through the engines."""
        packets = np.packbits(images, axis=1, bitorder="little")
        words = np.ascontiguousarray(packets).view("<u4").ravel().tolist()
        self.send(f"w {BUFFER:x} " + " ".join(f"{word:x}" for word in words))
        size, bytes_each = 4 * (NETWORK.classes + 1), packets.shape[1]
        assert bytes_each == 4
        results = REGISTERS + OFFSET["result_descriptor"]
        base = BASE["dma"]["buffer"]
        self.send(f"w {results:x} 0 {base + 0x2000:x} {size * len(images):x} 80000000")
        sends = REGISTERS + OFFSET["image_descriptor"]
        for number in range(len(images)):
            self.send(f"w {sends:x} {base + 4 * number:x} 0 {bytes_each:x} 80000300")
        for _ in range(1000):
            if not self.read(REGISTERS + OFFSET["result_csr"])[0] & 1:
                break
        else:
            raise AssertionError("the result engine stays busy")
        assert not self.read(REGISTERS + OFFSET["image_csr"])[0] & 1
        raw = self.read(BUFFER + 0x2000, size * len(images) // 4)
        return np.array(raw, "<u4").view(">u4").astype(np.uint32).reshape(len(images), -1)


@contextmanager
def client(server: Server) -> Iterator[Client]:
    """A host that is being served; the one before may still be on its way out."""
    for _ in range(200):
        with socket.create_connection(server.server_address[:2], timeout=30) as file:  # type: ignore[arg-type]
            host = Client(file)
            with host.lines:
                host.send(f"r {register('ID'):x} 1")
                if "Another host" not in host.line():
                    yield host
                    return
        time.sleep(0.02)
    raise AssertionError("the server stays busy")


def right(results: np.ndarray, images: slice) -> bool:
    """Whether results are those of some of the images, numbered from 0."""
    scores = results[:, :-1].astype(np.int32)
    classes, ids = results[:, -1] >> 16, results[:, -1] & 0xFFFF
    return (
        np.array_equal(scores, EXPECTED.scores[images])
        and np.array_equal(classes, EXPECTED.classes[images])
        and ids.tolist() == list(range(len(results)))
    )


def test_served_core_classifies(server: Server) -> None:
    """Registers, engines and the buffer, as the processor of the board sees them."""
    with client(server) as host:
        assert host.read(register("ID")) == [ID_VALUE]
        assert host.read(register("ID"), 2)[0] == ID_VALUE
        host.load()
        assert right(host.classify(IMAGES), slice(None))
        # The engine's memory is the host's, to the last word.
        last = BUFFER + BUFFER_BYTES - 4
        host.send(f"w {last:x} deadbeef")
        assert host.read(last) == [0xDEADBEEF]
        # Numbers begin again with a reset of the core.
        host.send(f"w {register('CONTROL'):x} 0\nw {register('CONTROL'):x} 1")
        assert right(host.classify(IMAGES[5:9]), slice(5, 9))


def test_c_host_with_a_served_core(server: Server, tmp_path: Path) -> None:
    """The example host of the board, compiled with another bus, and nothing else changed."""
    program = tmp_path / "classify"
    command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-O1", f"-I{HOST}", "-o"]
    command += [str(program), str(HOST / "classify.c"), str(HOST / "bus_tcp.c")]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    script = tmp_path / "network.txt"
    script.write_text(register_script(NETWORK, CORE, IMAGES[:6], EXPECTED.classes[:6]))

    def run(port: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(program), str(script)], env={**os.environ, "XFCC_PORT": str(port)},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    port = server.server_address[1]
    with client(server):
        busy = run(port)
    assert busy.returncode == 2 and "Another host is connected" in busy.stderr
    with client(server):
        pass
    done = run(port)
    while "Another host" in done.stderr:  # the one before is on its way out
        done = run(port)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        *(f"image {i}: {found}" for i, found in enumerate(EXPECTED.classes[:6])),
        "6 images, 0 wrong",
    ]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = run(free.getsockname()[1])
    assert nobody.returncode == 2 and nobody.stderr.count("\n") == 1


@pytest.mark.parametrize(("line", "answer"), [
    ("hello", "error 'hello' is neither 'r ADDRESS COUNT' nor"),
    ("r", "error 'r' is neither"),
    ("r zz 1", "error 'r zz 1' is neither"),
    ("w ff200000", "error 'w ff200000' is neither"),
    ("r 100000000 1", "error 'r 100000000 1' is neither"),
    ("r -4 1", "error 'r -4 1' is neither"),
    ("r +4 1", "error 'r +4 1' is neither"),
    ("r 1_0 1", "error 'r 1_0 1' is neither"),
    ("r 00ff200000 ", "error 'r 00ff200000' is neither"),
    ("\xff\xfe", r"error '\\xff\\xfe' is neither"),
    ("r ff200002 1", "error Address 0xff200002 is no multiple of 4."),
    ("r ff200000 0", "error A read has one count"),
    ("r ff200000 1 1", "error A read has one count"),
    ("r ff200ffc 2", "error There are no 2 words from address 0xff200ffc on."),
    ("r 0 1", "error There are no 1 words from address 0x0 on."),
    ("w c0003ffc 1 2", "error There are no 2 words"),
    ("r ff200000 ffffffff", "error There are no 4294967295 words"),
    (f"w {REGISTERS + OFFSET['image_descriptor']:x} 3ffc 0 8 80000300",
     "error A descriptor of 8 bytes at 0x3ffc does not lie in the buffer."),
    (f"w {REGISTERS + OFFSET['result_descriptor']:x} 0 0 0 80000000",
     "error A descriptor of 0 bytes at 0x0 does not"),
    ("w " + "1 " * (1 << 19), "error A line is longer than 1,048,576 bytes."),
], ids=lambda text: text[:16])  # fmt: skip
def test_serve_says_what_is_wrong_and_hangs_up(server: Server, line: str, answer: str) -> None:
    with client(server) as host:
        host.send(line)
        said = host.line()
        assert said.startswith(answer) and said.endswith(".")
        assert host.line() == ""
    with client(server) as host:
        assert host.read(register("ID")) == [ID_VALUE]


def test_ends_of_the_windows_of_a_served_core(server: Server) -> None:
    with client(server) as host:
        assert host.read(REGISTERS + 0xFFC) == [0]
        assert len(host.read(BUFFER, BUFFER_BYTES // 4)) == BUFFER_BYTES // 4
        host.send(f"w {REGISTERS + 0xFFC:x} 1")
        assert host.read(register("ID")) == [ID_VALUE]


def test_a_host_gets_a_served_core_as_after_a_reset(server: Server) -> None:
    """Whatever the one before has left on the way: half a network, images, descriptors."""
    timeout = register("PARTIAL_TIMEOUT")
    with client(server) as host:
        usual = host.read(timeout)
        host.send(f"w {timeout:x} 1234")
        host.load()
        assert host.read(timeout) == [0x1234]
        assert host.read(register("STATUS")) != [0]
        host.send(f"w {REGISTERS + OFFSET['image_descriptor']:x} 0 0 4 80000300")
        host.send(f"w {REGISTERS + OFFSET['image_descriptor']:x} 0 0 3 80000300")
        host.socket.sendall(b"w ff200")  # cut off in the middle of a line
    with client(server) as host:
        assert host.read(timeout) == usual
        assert host.read(register("STATUS")) == [0]
        assert host.read(REGISTERS + OFFSET["image_csr"])[0] & 1 == 0
        host.load()
        assert right(host.classify(IMAGES[:7]), slice(0, 7))


def test_a_killed_simulation_is_served_again(server: Server) -> None:
    with client(server) as host:
        os.kill(server.simulation().process.pid, signal.SIGKILL)
        host.send(f"r {register('ID'):x} 1")
        said = host.line()
        assert said.startswith("error The simulator was killed by SIGKILL"), said
        assert host.line() == ""
    with client(server) as host:
        host.load()
        assert right(host.classify(IMAGES[:3]), slice(0, 3))


def test_a_thousand_random_requests(server: Server) -> None:
    """Right ones, cut, malformed and oversized ones, and a second host: every answer to a right one
    is right, whatever came before."""
    rng = np.random.default_rng(11)
    memory = rng.integers(0, 1 << 32, BUFFER_BYTES // 4).tolist()
    requests = loads = 0
    while requests < 1000:
        with client(server) as host:
            host.send(f"w {BUFFER:x} " + " ".join(f"{word:x}" for word in memory))
            for _ in range(int(rng.integers(20, 120))):
                requests += 1
                kind = rng.integers(0, 20)
                place = int(rng.integers(0, len(memory)))
                count = int(rng.integers(1, len(memory) - place + 1))
                address = BUFFER + 4 * place
                if kind < 10:
                    assert host.read(address, count) == memory[place : place + count]
                elif kind < 14:
                    values = rng.integers(0, 1 << 32, min(count, 20)).tolist()
                    memory[place : place + len(values)] = values
                    host.send(f"w {address:x} " + " ".join(f"{value:X}" for value in values))
                elif kind < 17:
                    assert host.read(register("ID")) == [ID_VALUE]
                elif kind == 17:
                    with socket.create_connection(server.server_address[:2]) as other:  # type: ignore[arg-type]
                        second = Client(other)
                        with second.lines:
                            assert second.line().startswith("error Another host is connected")
                elif kind == 18:
                    loads += 1
                    host.load()
                    first = int(rng.integers(0, 30))
                    assert right(host.classify(IMAGES[first : first + 8]), slice(first, first + 8))
                    memory = host.read(BUFFER, len(memory))
                else:
                    bad = rng.integers(0, 256, int(rng.integers(1, 40)), np.uint8).tobytes()
                    host.socket.sendall(bad.replace(b"\n", b" ") + rng.choice([b"\n", b""]))
                    if rng.random() < 0.5:  # it goes without waiting for the answer
                        host.socket.shutdown(socket.SHUT_WR)
                    break
    assert loads > 10


# ---- the command


def test_serve_needs_an_address_and_a_port(capsys: pytest.CaptureFixture[str]) -> None:
    for host, port, message in (
        ("nowhere.invalid", 5000, "--host nowhere.invalid is no address of this computer."),
        ("192.0.2.1", 5000, "--host 192.0.2.1 is no address of this computer."),
        ("127.0.0.1", 65536, "--port 65536 is outside 0 to 65535."),
        ("127.0.0.1", -1, "--port -1 is outside 0 to 65535."),
    ):
        with pytest.raises(UserError, match=re.escape(message)):
            listen(host, port)
    for host in ("127.0.0.1", "localhost", "127.8.8.8"):
        listen(host, 0).close()
    assert capsys.readouterr().err == ""
    listen("0.0.0.0", 0).close()
    assert capsys.readouterr().err.startswith("warning: --host 0.0.0.0 lets everybody in who can")


def test_serve_with_a_port_that_is_taken(server: Server, tmp_path: Path) -> None:
    NETWORK.save(tmp_path / "net.npz")
    port = str(server.server_address[1])
    with pytest.raises(UserError, match=f"Port {port} is taken: name another with --port"):
        main(["--network", str(tmp_path / "net.npz"), "--port", port])


def test_serve_where_nothing_can_be_built(tmp_path: Path) -> None:
    """It is not the port that is to blame."""
    NETWORK.save(tmp_path / "net.npz")
    (tmp_path / "file").touch()
    command = [sys.executable, "-m", "xnor_fcc_sim.serve", "--network", str(tmp_path / "net.npz")]
    done = subprocess.run(
        [*command, "--port", "0"], env={**os.environ, "XNOR_FCC_BUILD": str(tmp_path / "file")},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2 and "Port" not in done.stderr
    assert str(tmp_path / "file") in done.stderr and done.stderr.count("\n") == 1


def test_a_simulation_that_cannot_start_again(
    server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The host hears why, and so does who started the server; then all is well again."""
    with client(server) as host:
        os.kill(server.simulation().process.pid, signal.SIGKILL)
        host.send(f"r {register('ID'):x} 1")
        assert host.line().startswith("error The simulator was killed")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere")

    with monkeypatch.context() as patch:
        patch.setattr("xnor_fcc_sim.serve.SimulationTransport", full)
        with client(server) as host:
            pass
    assert "No space left on device" in capfd.readouterr().err
    with client(server) as host:
        assert host.read(register("ID")) == [ID_VALUE]


@pytest.mark.parametrize("as_json", [False, True])
def test_serve_until_it_is_interrupted(as_json: bool, tmp_path: Path) -> None:
    NETWORK.save(tmp_path / "net.npz")
    command = [sys.executable, "-m", "xnor_fcc_sim.serve", "--network", str(tmp_path / "net.npz")]
    command += ["--pe", "4", "--simd", "7", "--lanes", "2", "--port", "0"]
    with subprocess.Popen(
        [*command, *(["--json"] if as_json else [])],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        # Which who has started the tests may have ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as child:  # fmt: skip
        assert child.stdout is not None and child.stderr is not None
        notes = child.stderr if as_json else child.stdout
        assert "building takes a minute" in notes.readline()
        where = child.stdout.readline()
        if as_json:
            told = json.loads(where)
            assert told["host"] == "127.0.0.1" and told["geometry"]["PE"] == 4
            port = told["port"]
        else:
            assert where.startswith("serving at 127.0.0.1:")
            port = int(where.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as file:
            host = Client(file)
            assert host.read(register("ID")) == [ID_VALUE]
            os.killpg(child.pid, signal.SIGINT)
            assert child.wait(20) == 130
        assert child.stderr.read() == "error: interrupted from the keyboard.\n"
    assert subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True).stdout == b""
