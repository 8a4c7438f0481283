# SPDX-License-Identifier: Apache-2.0
"""The bridge between a serial line of another author and a stand-in of the core; settings:
`width`, bits of a beat of images, and `timeout`, the parameter TIMEOUT. DIVIDER is 8, BUFFER_BITS
8."""

from __future__ import annotations

import logging
import zlib
from collections import deque
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge, SimTimeoutError, Timer, with_timeout
from cocotbext.uart import UartSink, UartSource

from modules.unit import CLOCK_NS, drive, edge, settings, start
from xnor_fcc.board.uart import frame

BUFFER_BYTES = (1 << 8) - 1
BIT_NS = 8 * CLOCK_NS
IMAGE, FIRST, LAST = 0x80, 1, 2
DAMAGED, CUT, OVERRUN, STUCK, LENGTH = range(1, 6)


class TB:
    """The line, the registers, the images taken and the results to give."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        for pin in ("rxd", "txd"):
            logging.getLogger(f"cocotb.fcc_uart_host.{pin}").setLevel(logging.WARNING)
        self.rng = np.random.default_rng(settings()["width"])
        self.beat = settings()["width"] // 8
        self.timeout_ns = settings()["timeout"] * BIT_NS
        self.answering = True
        self.writes: list[tuple[int, int]] = []
        self.reads: list[int] = []
        self.packet = bytearray()
        self.images: list[bytes] = []
        self.results: deque[tuple[int, bool, bool]] = deque()
        self.taking = True
        self.eager = False  # ready before there is a beat, as the core is

    async def start(self) -> None:
        """Reset, and silence until it listens."""
        dut = self.dut
        self.source = UartSource(dut.rxd, baud=1e9 / (BIT_NS + 0.01))
        await start(
            dut, avm_csr_readdata=0, avm_csr_readdatavalid=0, aso_image_ready=0,
            asi_result_valid=0, asi_result_data=0, asi_result_startofpacket=0,
            asi_result_endofpacket=0,
        )  # fmt: skip
        self.sink = UartSink(dut.txd, baud=1e9 / (BIT_NS + 0.01), stop_bits=0.5)
        for task in (self._written(), self._read(), self._take(), self._give()):
            cocotb.start_soon(task)
        await self.silence()

    async def silence(self) -> None:
        """Until it listens again."""
        await Timer(3 * self.timeout_ns + 100 * BIT_NS, "ns")

    # ---- the core

    async def _written(self) -> None:
        dut = self.dut
        while True:
            await RisingEdge(dut.avm_csr_write)
            await edge(dut)
            self.writes.append((int(dut.avm_csr_address.value), int(dut.avm_csr_writedata.value)))

    async def _read(self) -> None:
        dut = self.dut
        while True:
            await RisingEdge(dut.avm_csr_read)
            await edge(dut)
            self.reads.append(int(dut.avm_csr_address.value))
            if not self.answering:
                continue
            drive(dut, avm_csr_readdatavalid=1, avm_csr_readdata=self.register(self.reads[-1]))
            await edge(dut)
            drive(dut, avm_csr_readdatavalid=0, avm_csr_readdata=0xDEADBEEF)

    @staticmethod
    def register(address: int) -> int:
        """What a register reads."""
        return zlib.crc32(bytes([address]))

    async def _take(self) -> None:
        dut = self.dut
        while True:
            await RisingEdge(dut.aso_image_valid)
            while not self.taking:
                await edge(dut)
                if dut.aso_image_valid.value == 0:
                    break
            else:
                if not self.eager:
                    await edge(dut, int(self.rng.integers(1, 20)))
                    drive(dut, aso_image_ready=1)
                await edge(dut)
                drive(dut, aso_image_ready=self.eager)
                assert dut.aso_image_valid.value == 1 and dut.aso_image_error.value == 0
                assert bool(dut.aso_image_startofpacket.value) == (not self.packet), "image start"
                data = int(dut.aso_image_data.value).to_bytes(self.beat, "big")
                empty = int(dut.aso_image_empty.value)
                self.packet += data[: self.beat - empty]
                assert not any(data[self.beat - empty :])
                if dut.aso_image_endofpacket.value == 1:
                    self.images.append(bytes(self.packet))
                    self.packet.clear()
                else:
                    assert empty == 0, "image empty in its middle"

    async def _give(self) -> None:
        dut = self.dut
        while True:
            await edge(dut)
            if not self.results:
                await RisingEdge(dut.asi_result_ready)
            if self.rng.random() < 0.5:
                await edge(dut, int(self.rng.integers(1, 60)))
            if not self.results:
                continue
            data, first, last = self.results.popleft()
            drive(dut, asi_result_valid=1, asi_result_data=data, asi_result_startofpacket=first,
                  asi_result_endofpacket=last)  # fmt: skip
            await edge(dut)
            while dut.asi_result_ready.value != 1:
                await edge(dut)
            drive(dut, asi_result_valid=0, asi_result_data=0xBAD)

    def result(self, words: int) -> list[int]:
        """A result packet that the core will give."""
        data = self.rng.integers(0, 1 << 32, words).tolist()
        self.results += [(word, n == 0, n == words - 1) for n, word in enumerate(data)]
        return list(data)

    # ---- the host

    async def reply(self, number: int, words: int = 0) -> tuple[int, list[int]]:
        """(status, words) of the next reply, to frame `number`, with so many words."""
        data = b""
        try:
            while len(data) < 8 + 4 * words:
                data += await with_timeout(
                    self.sink.read(1), 5000 * BIT_NS + 3 * self.timeout_ns, "ns"
                )
        except SimTimeoutError:
            raise AssertionError(f"no reply, but {data!r}") from None
        assert zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little"), "reply's checksum"
        assert data[0] == number and int.from_bytes(data[1:3], "big") == words, "reply's head"
        return data[-5], np.frombuffer(data[3:-5], ">u4").tolist()

    async def ask(self, kind: int, payload: bytes = b"", words: int = 0) -> tuple[int, list[int]]:
        """Send a frame and read its reply."""
        number = int(self.rng.integers(256))
        await self.source.write(frame(kind, number, payload, words))
        return await self.reply(number, words)

    async def works(self) -> None:
        """Registers and a whole image do what they should."""
        self.writes.clear()
        self.packet.clear()
        self.images.clear()
        assert await self.ask(5, b"\x01\x02\x03\x04") == (0, [])
        assert self.writes == [(5, 0x01020304)], "registers written"
        wanted = self.result(3)
        image = self.rng.bytes(2 * self.beat + 1)
        assert await self.ask(IMAGE | FIRST | LAST, image, 3) == (0, wanted), "status or result"
        assert self.images == [image], "image"


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def registers(dut: Any) -> None:
    """Writes to one register, up to a frame full; reads of one and those behind it; both."""
    tb = TB(dut)
    await tb.start()
    for address in (0, 1, 27, 63):
        assert await tb.ask(address, b"", 1) == (0, [tb.register(address)]), "registers read"
    assert await tb.ask(62, b"", 4) == (0, [tb.register(a) for a in (62, 63, 0, 1)]), "registers"
    assert not tb.writes
    tb.reads.clear()
    for words in (0, 1, 2, (BUFFER_BYTES - 6) // 4):
        values = tb.rng.integers(0, 1 << 32, words).tolist()
        tb.writes.clear()
        assert await tb.ask(27, np.array(values, ">u4").tobytes()) == (0, [])
        assert tb.writes == [(27, value) for value in values], "registers written"
    assert not tb.reads
    assert await tb.ask(9, b"abcd", 2) == (0, [tb.register(9), tb.register(10)])
    tb.writes.clear()
    assert await tb.ask(9, b"abcde") == (0, [])
    assert tb.writes == [(9, 0x61626364), (9, 0x65000000)], "filled up with zeros"


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def images(dut: Any) -> None:
    """Of every length that ends otherwise in a beat, in one piece and in several; the results of
    each, the longest one included."""
    tb = TB(dut)
    await tb.start()
    beat = tb.beat
    for size in {1, beat, *range(beat + 1, 2 * beat + 1, max(1, beat // 7)), 2 * beat}:
        image = tb.rng.bytes(size)
        wanted = tb.result(int(tb.rng.integers(1, 6)))
        assert await tb.ask(IMAGE | FIRST | LAST, image, len(wanted)) == (0, wanted), "status"
        assert tb.images.pop() == image, "image"
    # Pieces of several sizes, the last one of any; frames follow each other without a pause.
    image = tb.rng.bytes(6 * beat - beat // 2)
    ends = [beat, 2 * beat, 4 * beat, len(image)]
    wanted = tb.result(40)
    begin = 0
    for number, end in enumerate(ends, 1):
        kind = IMAGE | FIRST * (begin == 0) | LAST * (end == len(image))
        words = 40 if end == len(image) else 0
        await tb.source.write(frame(kind, number, image[begin:end], words))
        begin = end
    for number in range(1, len(ends)):
        assert await tb.reply(number) == (0, [])
    assert await tb.reply(len(ends), 40) == (0, wanted), "status or result"
    assert tb.images == [image], "image"
    await tb.works()


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def ahead(dut: Any) -> None:
    """Frames sent ahead of their replies, as many as the buffer holds, are all answered in order,
    and the line from the host never waits; with more the first ones are, and the rest is told."""
    tb = TB(dut)
    await tb.start()
    image = tb.rng.bytes(20)
    frames = BUFFER_BYTES // 30
    results = [tb.result(2) for _ in range(frames)]
    begun = cocotb.utils.get_sim_time("ns")
    for number in range(frames):
        await tb.source.write(frame(IMAGE | FIRST | LAST, number, image, 2))
    for number, wanted in enumerate(results):
        assert await tb.reply(number, 2) == (0, wanted), "status or result"
    assert tb.images == [image] * frames, "image"
    # A frame is longer than its reply: the time is that of the frames, and of the last one's beats
    # and reply.
    bits = (cocotb.utils.get_sim_time("ns") - begun) / BIT_NS
    assert bits < 10 * (30 * frames + 16) + 40 + 3 * 20 / tb.beat, "the line has rested"
    # The core takes nothing: what is sent stays in the buffer, until that is told.
    tb.taking = False
    for number in range(frames + 5):
        await tb.source.write(frame(IMAGE | FIRST | LAST, number, image, 2))
    assert await tb.reply(0, 2) == (STUCK, [0, 0])
    await tb.source.wait()
    await tb.silence()
    assert tb.sink.empty(), "a second error, where all was to be dropped"
    tb.taking = True
    await tb.works()


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def overrun(dut: Any) -> None:
    """A frame larger than the buffer is told, and those before it have been obeyed."""
    tb = TB(dut)
    await tb.start()
    await tb.source.write(frame(7, 1, b"\x00\x00\x00\x09", 0) + frame(3, 2, bytes(300), 0))
    assert await tb.reply(1) == (0, [])
    assert await tb.reply(0) == (OVERRUN, [])
    assert tb.writes == [(7, 9)]
    await tb.source.wait()
    await tb.silence()
    await tb.works()


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def damage(dut: Any) -> None:
    """A frame with each of its bytes damaged, and the frames sent behind it, have no effect."""
    tb = TB(dut)
    await tb.start()
    good = frame(7, 3, b"\x12\x34\x56\x78", 2)
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= int(tb.rng.integers(1, 256))
        await tb.source.write(bytes(bad) + good)
        status, _ = await tb.reply(0)
        assert status in ((DAMAGED, CUT, OVERRUN) if place in (2, 3) else (DAMAGED,)), "status"
        await tb.source.wait()
        await tb.silence()
        assert not tb.writes and not tb.reads and tb.sink.empty()
    # Good frames before it are obeyed, also those that come to their turn after it.
    first, second = ([tb.register(a + n) for n in range(20)] for a in (7, 9))
    await tb.source.write(frame(7, 1, b"", 20) + frame(9, 2, b"", 20) + bytes(10))
    assert await tb.reply(1, 20) == (0, first) and await tb.reply(2, 20) == (0, second), "status"
    assert await tb.reply(0) == (DAMAGED, [])
    await tb.silence()
    await tb.works()


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def cut(dut: Any) -> None:
    """A cable pulled in the middle of a load, and an image whose last piece does not come."""
    tb = TB(dut)
    await tb.start()
    long = frame(27, 3, bytes(220), 0)
    for place in (1, 5, 6, 100, len(long) - 1):
        await tb.source.write(long[:place])
        assert await tb.reply(0) == (CUT, [])
        await tb.silence()
        assert not tb.writes
        await tb.works()
        tb.writes.clear()
    image = tb.rng.bytes(3 * tb.beat)
    tb.images.clear()
    assert await tb.ask(IMAGE | FIRST, image) == (0, [])
    await tb.source.write(frame(IMAGE | LAST, 9, image, 2)[:-3])
    assert await tb.reply(0) == (CUT, [])
    await tb.silence()
    assert tb.packet == image and not tb.images
    await tb.works()


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def dead_core(dut: Any) -> None:
    """A core that does not take an image, gives no result, half of one, or another one."""
    tb = TB(dut)
    await tb.start()
    image = tb.rng.bytes(3 * tb.beat)
    kind = IMAGE | FIRST | LAST
    tb.taking = False
    assert await tb.ask(kind, image, 2) == (STUCK, [0, 0])
    tb.taking = True
    await tb.silence()
    await tb.works()
    tb.answering = False
    tb.reads.clear()
    assert await tb.ask(3, b"", 2) == (STUCK, [0, 0]), "no reply"
    assert tb.reads == [3], "asked once more"
    tb.answering = True
    await tb.silence()
    await tb.works()
    for tb.eager in (False, True):
        drive(dut, aso_image_ready=tb.eager)
        assert await tb.ask(kind, image, 2) == (STUCK, [0, 0]), "no reply"
        await tb.silence()
        await tb.works()
    given = tb.result(3)
    tb.results.pop()
    assert await tb.ask(kind, image, 3) == (STUCK, [*given[:2], 0])
    await tb.silence()
    await tb.works()
    for words in (2, 4):
        given = tb.result(words)
        status, found = await tb.ask(kind, image, 3)
        assert status == LENGTH, "status"
        assert found == ([*given, 0] if words == 2 else given[:3])
        tb.results.clear()
        await tb.silence()
        if words == 4:  # the one word that is too much is in the way
            assert await tb.ask(kind, image, 1) == (LENGTH, [given[3]]), "status"
            await tb.silence()
        await tb.works()


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def last_moment(dut: Any) -> None:
    """An image that is taken, and a result that comes, in each cycle around the one in which
    waiting ends: in that one and before it is soon enough."""
    tb = TB(dut)
    await tb.start()
    for offset in range(-2, 3):
        for taking in (True, False):
            tb.taking = taking
            reply = cocotb.start_soon(tb.ask(IMAGE | FIRST | LAST, bytes(tb.beat), 1))
            await RisingEdge(dut.asi_result_ready if taking else dut.aso_image_valid)
            await RisingEdge(dut.tick)
            await edge(dut, tb.timeout_ns // CLOCK_NS + offset)
            result = {"asi_result_startofpacket": 1, "asi_result_endofpacket": 1}
            if taking:
                drive(dut, asi_result_valid=1, asi_result_data=77, **result)
            else:
                drive(dut, aso_image_ready=1)
            await edge(dut)
            drive(dut, aso_image_ready=0, asi_result_valid=0)
            if not taking and offset <= 0:
                await RisingEdge(dut.asi_result_ready)
                drive(dut, asi_result_valid=1, asi_result_data=77, **result)
                await edge(dut)
                drive(dut, asi_result_valid=0)
            assert await reply == ((0, [77]) if offset <= 0 else (STUCK, [0])), offset
            tb.packet.clear()
            await tb.silence()
    tb.taking = True
    await tb.works()


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def reset_anywhere(dut: Any) -> None:
    """A reset in the middle of a frame and of a reply leaves nothing behind."""
    tb = TB(dut)
    await tb.start()
    for pause in (3, 30, 95, 130, 180, 205):
        tb.result(2)
        await tb.source.write(frame(IMAGE | FIRST | LAST, 1, b"x" * tb.beat, 2)[:12])
        await tb.source.write(frame(4, 2, b"", 3))
        await Timer(pause * BIT_NS, "ns")
        drive(dut, reset=1)
        await edge(dut, 2)
        assert dut.txd.value == 1
        drive(dut, reset=0)
        await tb.source.wait()
        await tb.silence()
        tb.sink.clear()
        await Timer(100 * BIT_NS, "ns")
        tb.results.clear()
        assert tb.sink.empty()
        tb.packet.clear()
        # Of the frame that was at work nothing is in the reply about another.
        await tb.source.write(bytes(10))
        assert await tb.reply(0) == (DAMAGED, [])
        await tb.silence()
    await tb.silence()
    assert (await tb.ask(4, b"", 1))[0] == 0


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def patience(dut: Any) -> None:
    """A frame is cut after one to two time-outs of silence, not before, and heard of once."""
    tb = TB(dut)
    await tb.start()
    await tb.works()
    begin = cocotb.utils.get_sim_time("ns")
    await tb.source.write(frame(7, 3, b"\x12\x34\x56\x78", 0)[:-1])
    assert await tb.reply(0) == (CUT, [])
    # The frame's 13 bytes, silence, the reply's 8; and some cycles between them.
    waited = cocotb.utils.get_sim_time("ns") - begin - 10 * (13 + 8) * BIT_NS
    assert tb.timeout_ns - 20 * BIT_NS < waited < 2 * tb.timeout_ns + 20 * BIT_NS
    await tb.silence()
    assert tb.sink.empty()
    tb.writes.clear()
    await tb.works()
