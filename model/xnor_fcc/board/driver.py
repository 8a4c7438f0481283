# SPDX-License-Identifier: Apache-2.0
"""Drives a core over a `Transport`: finds out what it is, loads a network, classifies images.

    with Driver(MappedTransport()) as core:
        core.load(IntegerNetwork.load("mnist.npz"))
        answers = core.classify(images)

Registers are the transport's, images and results its mover's, which takes a chunk of them at a
time: DMA engines (`msgdma`) or a serial line (`uart`).

Whatever goes wrong once a core has been recognised, it is left stopped, with nothing inside and
nothing on the way; the loaded network stays. What has not been recognised is never written to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import NoReturn

import numpy as np

from ..errors import UserError
from ..geometry import Geometry, GeometryError, KindError
from ..integer import IntegerNetwork
from ..learning import MARGIN, NO_LABEL, Learner, Learnt, checked_labels
from ..loading import latent_words, latents_in, load_checks, load_writes, take_over
from ..pack import pack
from ..parameters import PARAMETERS
from ..registers import ADDRESS, BIT, ID_VALUE, VERSION_VALUE, errors_in, field, word
from ..shape import ceil_div
from .address_map import OFFSET
from .driver_errors import (
    CorruptedLoadError,
    DeviceTimeoutError,
    DriverError,
    ImageError,
    NetworkTooLargeError,
    NotLoadedError,
    RefusedError,
    TruncatedTransferError,
    UnsupportedCoreError,
    UnsupportedNetworkError,
    VersionError,
    WrongCoreError,
)
from .transport import Transport

_ENABLE = 1 << BIT["CONTROL"]["ENABLE"]
_PIXEL_8BIT = 1 << BIT["CONTROL"]["PIXEL_8BIT"]
_SOFT_RESET = 1 << BIT["CONTROL"]["SOFT_RESET"]
_RUNNING = 1 << BIT["STATUS"]["RUNNING"]
# What the geometry is made of; a core does not tell its BANK_DEPTH, which loading need not know.
_GEOMETRY = [
    name
    for name, parameter in PARAMETERS.items()
    if name in ADDRESS and name != "WEIGHT_STREAM" and not (parameter.maps and name != "MAP_INPUT")
]


@dataclass(frozen=True)
class Answers:
    """Answers for N images, in order.

    `classes` int64 (N,), `scores` int32 (N, classes). `counters`: the core's own counters of this
    run by register name, in clock cycles and events; `LATENCY` is that of the last batch.
    """

    classes: np.ndarray
    scores: np.ndarray
    counters: dict[str, int]


COUNTERS = ("CYCLES", "IMAGES", "BATCHES", "BUSY_CYCLES", "STALL_CYCLES", "DROPPED", "LATENCY",
            "STEP_CYCLES")  # fmt: skip
# Those of a core that learns besides.
_LEARNT = ("LEARNT", "MOVED")


class Driver:
    """One core. `timeout`: seconds without an answer after which the core counts as dead."""

    def __init__(self, transport: Transport, timeout: float = 5.0) -> None:
        """Recognise the core, stop it, and set PARTIAL_TIMEOUT as after a reset. Raises
        `WrongCoreError`, `VersionError`, `UnsupportedCoreError`, or `DeviceTimeoutError` where it
        does not come to rest."""
        self.transport = transport
        self.timeout = timeout
        self.mover = transport.mover()
        self.network: IntegerNetwork | None = None
        self.geometry = self._recognise()
        self.reset()
        for name, value in take_over(self.geometry).items():
            self.write(name, value)

    def __enter__(self) -> Driver:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(UserError) if error else contextlib.nullcontext():
            self.close()

    def close(self) -> None:
        """Stop the core and give the transport back."""
        try:
            self._stop()
        finally:
            self.transport.close()

    # ---- registers

    def read(self, register: str) -> int:
        """Value of a register of the core."""
        return self.transport.read(OFFSET["core"] + 4 * ADDRESS[register])

    def write(self, register: str, value: int) -> None:
        """Write a register of the core."""
        self.transport.write(OFFSET["core"] + 4 * ADDRESS[register], value)

    def _recognise(self) -> Geometry:
        found = self.read("ID")
        if found != ID_VALUE:
            raise WrongCoreError(
                f"There is no xnor-fcc core here: its identification reads {found:#010x}, not "
                f"{ID_VALUE:#010x}; check that the FPGA is configured and the address is right."
            )
        version = self.read("VERSION")
        if field("VERSION", "MAJOR", version) != field("VERSION", "MAJOR", VERSION_VALUE):
            age = "newer" if version > VERSION_VALUE else "older"
            raise VersionError(
                f"The core's registers are of version {_dotted(version)}, {age} than the "
                f"{_dotted(VERSION_VALUE)} of this driver; use the driver that belongs to the core."
            )
        if self.read("WEIGHT_STREAM"):
            raise UnsupportedCoreError(
                "This core takes its weights from a stream, which this driver does not feed."
            )
        sizes = {name.lower(): self.read(name) for name in _GEOMETRY}
        if not sizes["map_input"]:
            sizes["learn"] = field("LEARNING", "CLASSES", self.read("LEARNING"))
        else:
            sizes |= {name.lower(): self.read(name) for name in ("MAP_EVEN", "MAP_ODD")}
            pixel = self.read("PIXEL")
            sizes["pixel_channels"] = field("PIXEL", "CHANNELS", pixel)
            sizes["pixel_levels"] = field("PIXEL", "LEVELS", pixel)
        try:
            geometry = Geometry(**sizes, bank_depth=sizes["weight_depth"])
        except GeometryError as cause:
            raise UnsupportedCoreError(f"The core tells an impossible geometry: {cause}") from cause
        if self.read("SCORE_BITS") != geometry.score_bits:
            raise UnsupportedCoreError(
                f"The core's scores have {self.read('SCORE_BITS')} bits, where its geometry needs "
                f"{geometry.score_bits}."
            )
        return geometry

    def _stop(self) -> bool:
        """Stop everything at once; False if a part does not come to rest."""
        self.write("CONTROL", _SOFT_RESET)
        at_rest = self.mover.reset()
        # Once more: an engine that was cut off may have sent one more beat.
        self.write("CONTROL", _SOFT_RESET)
        return at_rest and self.read("STATUS") == 0

    def reset(self) -> None:
        """Stop the core and what moves its images at once and drop what is inside; clears the
        counters. The loaded network stays. Raises `DeviceTimeoutError`."""
        if not self._stop():
            raise DeviceTimeoutError("The core, or what moves its images, does not come to rest.")

    # ---- network

    def load(self, network: IntegerNetwork) -> None:
        """Load a network. Raises `UnsupportedNetworkError` or `NetworkTooLargeError` before
        anything is written, and `CorruptedLoadError` where not all of it arrived as it was sent."""
        try:
            memory = pack(network, self.geometry)
        except KindError as cause:
            raise UnsupportedNetworkError(str(cause)) from cause
        except GeometryError as cause:
            raise NetworkTooLargeError(str(cause)) from cause
        self.network = None
        self.reset()
        for address, values in load_writes(memory):
            self.transport.write_many(OFFSET["core"] + 4 * address, values)
        for name, wanted in load_checks(memory).items():
            if (found := self.read(name)) != wanted:
                self.reset()
                raise CorruptedLoadError(
                    f"The network did not arrive as it was sent: {name} is {found:#x}, not "
                    f"{wanted:#x}."
                )
        self.network = network

    # ---- images

    def classify(
        self,
        images: np.ndarray,
        grey: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> Answers:
        """Classify `images` (N, ...) of the network's inputs: bits of 0/1, uint8 or bool, or with
        `grey` uint8 pixels, which the core compares with the network's thresholds; they are all
        that a network with second-order inputs takes, or one with convolutions, whose images are as
        `maps.Pixels.bordered` takes them.

        `progress` is called with the number of images answered so far. Raises `NotLoadedError`,
        `ImageError`, `RefusedError`, `TruncatedTransferError`, `DeviceTimeoutError`.
        """
        if self.network is None:
            raise NotLoadedError("Load a network before classifying images.")
        if self.network.pixel_residual is not None and not grey:
            raise ImageError("This network has second-order inputs and takes grey images only.")
        packets = self._packets(images, self.network, grey)
        results, counters = self._run(packets, self.network.classes + 1, 1, grey, progress)
        return Answers(
            classes=(results[:, -1] >> 16).astype(np.int64),
            scores=results[:, :-1].astype(np.int32),
            counters=counters,
        )

    @property
    def batch(self) -> int:
        """Images that are scored before any of them moves anything, where the core learns: as many
        as there are lanes, but one where each is answered before the next one is sent."""
        return 1 if self.mover.single else self.geometry.lanes

    def learn(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        margin: int = MARGIN,
        latents: np.ndarray | None = None,
        start: int | None = None,
        grey: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> Learnt:
        """Answer `images` as `classify` does, and learn from those with a label, in batches of
        `batch`. `labels`, `margin`, `latents` and `start` as of `learning.Learner`. Afterwards
        `network` has the weights and latents that the core has.

        Raises what `classify` raises, `UnsupportedCoreError` where the core does not learn, and
        `UserError` where the network or the labels are not for it.
        """
        if self.network is None:
            raise NotLoadedError("Load a network before learning.")
        built, lanes = self.geometry.learn, self.batch
        if not built:
            raise UnsupportedCoreError("This core (LEARN=0) was built without learning.")
        if self.network.classes > built:
            raise UnsupportedNetworkError(
                f"The network has {self.network.classes} classes, and this core (LEARN={built}) "
                f"was built to learn {built}."
            )
        learner = Learner(self.network, margin, lanes, latents, start)
        packets = self._packets(images, self.network, grey)
        count = len(packets)
        labels = checked_labels(labels, count)
        # Batches are full: what is missing in the last one are images without a label.
        missing = -count % lanes
        packets = np.pad(packets, ((0, missing), (0, 0)))
        padded = np.pad(labels, (0, missing), constant_values=NO_LABEL)
        packets = np.concatenate([packets, padded[:, None]], axis=1)
        network = learner.network
        if network != self.network:  # what is written to LATENTS changes no weight
            self.load(network)
        self.reset()
        settings = word("LEARNING", MARGIN=learner.margin, INPUTS=network.output.inputs)
        self.write("LEARNING", settings | word("LEARNING", RESTART=1))
        address = OFFSET["core"] + 4 * ADDRESS["LATENTS"]
        self.transport.write_many(address, latent_words(learner.latents, built))
        patience = self.read("PARTIAL_TIMEOUT")
        self.write("PARTIAL_TIMEOUT", 0 if self.mover.single else 0xFFFF_FFFF)
        self.write("LEARNING", settings | word("LEARNING", ENABLE=1))
        try:
            results, counters = self._run(packets, network.classes + 1, lanes, grey, progress)
        except BaseException:
            with contextlib.suppress(UserError):  # the first error is the one to tell
                # Where a walk was cut off, the weights are not yet those of the latents.
                self.load(self._kept(network, settings, patience))
            raise
        self.network = self._kept(network, settings, patience)
        scores = results[:count, :-1].astype(np.int32)
        learnt = Learnt.of(scores, labels, learner.margin, lanes)
        if (counters["LEARNT"], counters["MOVED"]) != (learnt.learnt, learnt.images_moved):
            raise DriverError(
                f"The core says that {counters['MOVED']} of {counters['LEARNT']} images moved "
                f"something, and its scores {learnt.images_moved} of {learnt.learnt}."
            )
        return learnt

    def _kept(self, network: IntegerNetwork, settings: int, patience: int) -> IntegerNetwork:
        """Learn no more; `network` with what the core has learnt. The driver has none."""
        self.network = None
        self.network = None
        self.write("LEARNING", settings)
        self.write("PARTIAL_TIMEOUT", patience)
        learn = self.geometry.learn
        count = network.output.inputs * ceil_div(learn, 4)
        words = np.array([self.read("LATENTS") for _ in range(count)], np.uint32)
        found = latents_in(words, learn, network.classes)
        return Learner(network, latents=found).network

    def _run(
        self,
        packets: np.ndarray,
        words: int,
        step: int,
        grey: bool,
        progress: Callable[[int], None] | None,
    ) -> tuple[np.ndarray, dict[str, int]]:
        """Send packets, a multiple of `step` at a time: results uint32 (N, words), counters."""
        beat = self.geometry.image_width // 8
        chunk = self.mover.chunk(packets.shape[1], words, beat) // step * step
        if chunk == 0:
            raise ImageError(
                f"{'An image' if step == 1 else f'A batch of {step} images'} of "
                f"{packets.shape[1]} bytes and its result do not fit the buffer between host and "
                "core."
            )
        results = np.empty((len(packets), words), np.uint32)
        self.reset()
        try:
            self._enable(grey)
            for first in range(0, len(packets), chunk):
                part = slice(first, min(first + chunk, len(packets)))
                try:
                    results[part] = self.mover.exchange(packets[part], words, beat, self.timeout)
                except TimeoutError:
                    self._silent("The core does not answer")
                self._check_answers(results[part], first)
                if progress is not None:
                    progress(part.stop)
            self.write("CONTROL", 0)
            self._wait(lambda: self.read("STATUS") == 0, "The core does not come to rest")
            names = (*COUNTERS, *_LEARNT) if self.geometry.learn else COUNTERS
            counters = {name: self.read(name) for name in names}
        except BaseException:
            with contextlib.suppress(UserError):  # the first error is the one to tell
                self._stop()
            raise
        counters["CYCLES"] |= self.read("CYCLES_HIGH") << 32
        self._stop()
        return results, counters

    def _packets(self, images: np.ndarray, network: IntegerNetwork, grey: bool) -> np.ndarray:
        """uint8 (N, bytes): the packets of images."""
        if network.pixels is None:
            return _packets(images, network.inputs, grey)
        if not grey:
            raise ImageError("This network has convolutions and takes 8-bit pixels only.")
        try:
            return network.pixels.packets(images, self.geometry.image_width // 8)
        except UserError as cause:
            raise ImageError(str(cause)) from cause

    def _enable(self, grey: bool) -> None:
        self.write("CONTROL", _ENABLE | (_PIXEL_8BIT if grey else 0))
        self._wait(
            lambda: bool(self.read("STATUS") & _RUNNING or self.read("ERROR")),
            "The core does not start",
        )
        errors = errors_in(self.read("ERROR"))
        if errors:
            raise RefusedError(f"The core refused to start ({', '.join(errors)}).")

    def _check_answers(self, results: np.ndarray, first: int) -> None:
        """The core numbers the images: a number that is missing is an image that got lost."""
        wanted = np.arange(first, first + len(results)) & 0xFFFF
        lost = np.flatnonzero(results[:, -1] & 0xFFFF != wanted)
        if len(lost):
            raise TruncatedTransferError(
                f"Image {first + lost[0]} was not answered{self._dropped()}."
            )

    def _wait(self, done: Callable[[], bool], complaint: str) -> None:
        """Wait until `done()`, at most for the time-out."""
        start = self.transport.now()
        while not done():
            if self.transport.now() - start > self.timeout:
                self._silent(complaint)
            self.transport.pause()

    def _silent(self, complaint: str) -> NoReturn:
        """Nothing came in time: say what is known of it."""
        if self.read("DROPPED"):
            raise TruncatedTransferError(f"Images got lost on the way{self._dropped()}.")
        raise DeviceTimeoutError(f"{complaint} within {self.timeout:g} s.")

    def _dropped(self) -> str:
        dropped, errors = self.read("DROPPED"), errors_in(self.read("ERROR"))
        return f" (the core dropped {dropped}: {', '.join(errors) or 'no error'})"


def _dotted(version: int) -> str:
    return f"{field('VERSION', 'MAJOR', version)}.{field('VERSION', 'MINOR', version)}"


def _packets(images: np.ndarray, inputs: int, grey: bool) -> np.ndarray:
    """uint8 (N, bytes): the packets of images, packed 1-bit pixels or 8-bit ones."""
    images = np.asarray(images)
    if images.dtype != np.uint8 and (grey or images.dtype != np.bool_):
        kinds = "Grey images must be uint8" if grey else "Images must be uint8 or bool"
        raise ImageError(f"{kinds}, not {images.dtype}.")
    if images.ndim < 2 or images[0:1].size != inputs * len(images[0:1]):
        raise ImageError(
            f"Images of {inputs} pixels are needed, shape (N, {inputs}), not {images.shape}."
        )
    flat = np.ascontiguousarray(images.reshape(len(images), inputs))
    if grey:
        return flat
    if flat.size and flat.max() > 1:
        raise ImageError("Images must be bits of 0 and 1, or be passed as grey pixels.")
    return np.packbits(flat, axis=1, bitorder="little")
