# SPDX-License-Identifier: Apache-2.0
"""`Geometry`: the size of one built core, and the exact number of cycles it takes.

One `Geometry` is the single source of the RTL parameters of a build, the packed memory images, the
expected cycles and the test cases. Widths are written as a tuple (inputs, hidden..., classes).

The cycle model states what rtl/ does, cycle by cycle; tests hold the hardware to it exactly:

    words(n)     = ceil(n / SIMD)                     words of a layer with n inputs
    groups(m)    = ceil(m / PE)                       groups of a layer with m neurons
    wind(n)      = max(0, TAPS - words(n))            cycles to wind up a short layer's ring
    overlap(l)   = min(max(0, words(l) - TAPS), words(l-1))    or 0 where PE > SIMD
    gap(l)       = max(0, 7 - overlap(l))             idle cycles in front of layer l > 0
    pass         = sum of wind + groups * words of all layers + sum of all gaps
    latency      = pass + timeout + classes + 12      a lone image, last beat in to class out
    period       = max(pass, load, send)              cycles from batch to batch, always fed

Where weights are streamed (WEIGHT_STREAM), steps wait for words too, and all three follow from the
cycles in which words arrive: `_streamed_pass`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

from .errors import UserError

# Cycles from a step until its bits can be loaded into the ring (DRAIN in fcc_core.v).
DRAIN = 7
# Cycles of a lone image outside the pass: taking the image over 2, pipeline and result 10.
_LATENCY_OVERHEAD = 12
# Cycles from the load of a batch to the load of the next one when images wait at the door.
_RELOAD_OVERHEAD = 4
# Cycles from the last step of the output layer until its results begin to leave.
_RESULT_OVERHEAD = 9
# PEs that one tap feeds at most, by default: the fan-out of an activation wire.
_PE_PER_TAP = 128

# Geometries that documents and benchmarks call by name: (PE, SIMD, LANES).
NAMED = {
    # Small enough to build in a minute; what the parameters of xnor_fcc.v default to.
    "default": (32, 128, 4),
    # Most images a second, and fastest answer, for the MNIST network on a DE1-SoC (make explore).
    "throughput": (69, 205, 2),
    "latency": (57, 262, 1),
    # The core of the report this project goes back to: a PE for every neuron of a layer.
    "seed": (1024, 1, 2),
}

IMAGE_WIDTHS = (8, 16, 32, 64, 128, 256, 512)


class GeometryError(UserError):
    """A geometry that cannot be built, or a network that does not fit one."""


class KindError(GeometryError):
    """A network of a kind that the core was built without, or that none computes."""


@dataclass(frozen=True)
class Shape:
    """What of a network decides the core it needs and the cycles it takes, layer by layer."""

    widths: tuple[int, ...]
    """Inputs, hidden..., classes."""
    orders: tuple[int, ...]
    """Bit planes of each layer's inputs: 1 or 2."""
    ternary: tuple[bool, ...]
    """Whether each layer's weights are ternary."""

    @classmethod
    def of(cls, shape: Shape | Sequence[int]) -> Shape:
        """A shape as it is; plain widths are those of a network of single bits."""
        if isinstance(shape, Shape):
            return shape
        layers = len(shape) - 1
        return cls(tuple(shape), (1,) * layers, (False,) * layers)

    @property
    def pairs(self) -> bool:
        """Whether two lanes carry an image: some layer's inputs are of order 2."""
        return 2 in self.orders


def ceil_div(a: int, b: int) -> int:
    """Quotient of non-negative integers rounded up."""
    return -(-a // b)


def best_bank_depth(width: int, depth: int) -> int:
    """Words of a bank with which a memory takes the fewest M10K blocks, deeper banks first."""
    shapes = ((1024, 10), (512, 20), (256, 40))
    return min(shapes, key=lambda shape: ceil_div(depth, shape[0]) * ceil_div(width, shape[1]))[0]


@dataclass(frozen=True)
class Geometry:
    """Parameters of one core; the field names are the RTL parameters in lower case.

    Raises `GeometryError` with one sentence when the core could not be built.
    """

    pe: int = 32
    """Neurons computed at once in a lane."""
    simd: int = 128
    """Synapses per PE and cycle."""
    lanes: int = 4
    """Images computed in step."""
    max_width: int = 1024
    """Most inputs or neurons of a layer."""
    taps: int = 0
    """Ring positions that PEs see; 0 chooses one for every 128 PEs, the right number mostly."""
    max_layers: int = 8
    max_classes: int = 16
    weight_depth: int = 768
    """Words of the weight memory: steps of the largest network."""
    bank_depth: int = 256
    """Words of one bank of the weight memory."""
    threshold_depth: int = 128
    """Words of the threshold memory: groups of the largest network."""
    image_width: int = 64
    """Bits of a beat of the image stream."""
    weight_stream: int = 0
    """Bits of a beat of the weight stream; 0 for a core with a weight memory."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise GeometryError(f"{field.name.upper()} must be a whole number, not {value!r}.")
        self._check("pe", 1, 4096)
        self._check("simd", 1, 4096)
        self._check("lanes", 1, 64)
        self._check("max_width", 1, 32767)
        if self.taps == 0:
            object.__setattr__(self, "taps", min(self.ring, ceil_div(self.pe, _PE_PER_TAP)))
        self._check("taps", 1, min(self.pe, self.ring))
        self._check("max_layers", 1, 16)
        self._check("max_classes", 1, self.max_width)
        self._check("weight_depth", 2, 1 << 24)
        self._check("bank_depth", ceil_div(self.weight_depth, 100), 1 << 24)
        self._check("threshold_depth", 2, 1 << 24)
        if self.image_width not in IMAGE_WIDTHS:
            raise GeometryError(
                f"IMAGE_WIDTH={self.image_width} is not one of "
                f"{', '.join(map(str, IMAGE_WIDTHS))}."
            )

        if self.weight_stream < 0 or self.weight_stream % 8:
            raise GeometryError(
                f"WEIGHT_STREAM={self.weight_stream} is neither 0 nor a multiple of 8."
            )

    def _check(self, name: str, low: int, high: int) -> None:
        value = getattr(self, name)
        if not low <= value <= high:
            raise GeometryError(f"{name.upper()}={value} is outside {low} to {high}.")

    @classmethod
    def for_widths(
        cls,
        widths: Sequence[int],
        pe: int,
        simd: int,
        lanes: int,
        image_width: int = 64,
        weight_stream: int = 0,
    ) -> Geometry:
        """The smallest core of the given PE, SIMD and LANES that runs a network of `widths`."""
        for name, value in (("PE", pe), ("SIMD", simd)):
            if value < 1:
                raise GeometryError(f"{name}={value} is outside 1 to 4096.")
        layers = list(pairwise(widths))
        steps = sum(ceil_div(m, pe) * ceil_div(n, simd) for n, m in layers)
        return cls(
            pe=pe,
            simd=simd,
            lanes=lanes,
            max_width=max(widths),
            max_layers=len(layers),
            max_classes=widths[-1],
            weight_depth=2 if weight_stream else max(2, steps),
            threshold_depth=max(2, sum(ceil_div(m, pe) for _, m in layers)),
            bank_depth=best_bank_depth(pe * simd, steps),
            image_width=image_width,
            weight_stream=weight_stream,
        )

    def parameters(self) -> dict[str, int]:
        """RTL parameters of `xnor_fcc`."""
        return {field.name.upper(): getattr(self, field.name) for field in fields(self)}

    def lane_parameters(self) -> dict[str, int]:
        """RTL parameters of one `fcc_lane` in such a core."""
        groups = self.groups(self.max_width)
        return {
            "PE": self.pe,
            "SIMD": self.simd,
            "RING": self.ring,
            "TAPS": self.taps,
            "ACC_BITS": self.score_bits - 1,
            "GROUPS": groups,
            "GROUP_BITS": max(1, (groups - 1).bit_length()),
        }

    @property
    def ring(self) -> int:
        """Words of the ring."""
        return ceil_div(self.max_width, self.simd)

    @property
    def capacity(self) -> int:
        """Activation bits of the ring."""
        return self.ring * self.simd

    @property
    def score_bits(self) -> int:
        """Bits of a signed score: it lies within +-(2 * capacity + 1)."""
        return (2 * self.capacity + 1).bit_length() + 1

    def words(self, inputs: int) -> int:
        """Words of a layer with `inputs` inputs."""
        return ceil_div(inputs, self.simd)

    def groups(self, outputs: int) -> int:
        """Groups of a layer with `outputs` neurons."""
        return ceil_div(outputs, self.pe)

    def steps(self, widths: Sequence[int]) -> int:
        """Steps of a whole pass, which is the number of weight words."""
        return sum(self.groups(m) * self.words(n) for n, m in pairwise(widths))

    def wind(self, inputs: int) -> int:
        """Cycles to wind up the ring of a layer shorter than the taps."""
        return max(0, self.taps - self.words(inputs))

    def require_fit(self, widths: Sequence[int]) -> None:
        """Raise `GeometryError` unless a network of `widths` runs on this core."""
        layers = len(widths) - 1
        groups = sum(self.groups(m) for m in widths[1:])
        weight_words = 0 if self.weight_stream else self.steps(widths)
        for what, need, have in (
            ("layers of up to {} neurons or inputs", max(widths), self.max_width),
            ("{} layers", layers, self.max_layers),
            ("{} classes", widths[-1], self.max_classes),
            ("{} weight words", weight_words, self.weight_depth),
            ("{} threshold words", groups, self.threshold_depth),
        ):
            if need > have:
                raise GeometryError(
                    f"The network needs {what.format(need)}, but this core has room for {have}."
                )

    # ---- cycle model

    def gap(self, words_before: int, words: int) -> int:
        """Idle cycles between the last step of a layer and the first of the next one, by words."""
        overlap = min(max(0, words - self.taps), words_before) if self.pe <= self.simd else 0
        return max(0, DRAIN - overlap)

    def pass_cycles(self, widths: Sequence[int]) -> int:
        """Cycles of one batch through all layers: cycles(batch)."""
        words = [self.words(n) for n in widths[:-1]]
        gaps = sum(self.gap(before, after) for before, after in pairwise(words))
        return self.steps(widths) + sum(self.wind(n) for n in widths[:-1]) + gaps

    def stream_cycles(self, widths: Sequence[int]) -> int:
        """Cycles of one pass after the other with weights streamed without a pause."""
        arrived = taken = period = 0
        ahead = -1
        while ahead != taken - arrived:
            start, ahead = taken, taken - arrived
            arrived, taken = self._streamed_pass(widths, arrived, taken, taken + 1)
            period = taken - start
        return period

    def _streamed_pass(
        self, widths: Sequence[int], arrived: int, taken: int, start: int, output: int = 0
    ) -> tuple[int, int]:
        """Cycles in which the last word of a pass is passed on behind the arriving one, and taken.

        `arrived` and `taken`: the same of the word before the pass; `start` and `output`: the first
        cycles in which the sequencer may step, and step in the output layer. A word of `beats`
        beats has arrived `beats` cycles after the one before it was passed on, is passed on when
        the word in front of it is taken, and can be taken one cycle later; see fcc_weight_stream.v.
        """
        beats = ceil_div(self.pe * self.simd, self.weight_stream)
        words_before = 0
        for layer, (n, m) in enumerate(pairwise(widths)):
            words = self.words(n)
            free = taken + 1 + self.gap(words_before, words) if layer else start
            if layer == len(widths) - 2:
                free = max(free, output)
            free += self.wind(n)
            for _ in range(words * self.groups(m)):
                arrived = max(arrived + beats, taken)
                taken = max(arrived + 1, free)
                free = taken + 1
            words_before = words
        return arrived, taken

    def _streamed_period(self, widths: Sequence[int], load_cycles: int) -> int:
        """`period_cycles` of a core with streamed weights: batch after batch, until what waits for
        what repeats."""
        arrived = taken = load = output = 0
        before = None
        while True:
            arrived, taken = self._streamed_pass(widths, arrived, taken, load + 1, output)
            # The results have been sent, the output layer is loaded, and steps.
            output = taken + _RESULT_OVERHEAD + self.lanes * (widths[-1] + 1) + 1
            load, last_load = max(taken, load + load_cycles), load
            state = (taken - arrived, load - taken)
            if state == before:
                return load - last_load
            before = state

    def latency_cycles(self, widths: Sequence[int], timeout: int) -> int:
        """Cycles from the last input beat of a lone image to the beat with its class.

        `timeout` is PARTIAL_TIMEOUT; a core of one lane never waits for it. Where weights are
        streamed, the first words wait inside for the image.
        """
        wait = timeout if self.lanes > 1 else 0
        cycles = self.pass_cycles(widths)
        if self.weight_stream:
            long_ago = -(self.pe * self.simd)
            _, cycles = self._streamed_pass(widths, long_ago, long_ago, 1)
        return cycles + wait + widths[-1] + _LATENCY_OVERHEAD

    def image_beats(self, inputs: int, pixel_8bit: bool) -> int:
        """Beats of one image packet."""
        return ceil_div(inputs * (8 if pixel_8bit else 1), self.image_width)

    def load_cycles(self, inputs: int, pixel_8bit: bool) -> int:
        """Shortest time in which the next batch can be loaded, batch to batch."""
        image = self.image_beats(inputs, pixel_8bit) + 1
        return (self.lanes - 1) * image + max(image, _RELOAD_OVERHEAD)

    def send_cycles(self, widths: Sequence[int]) -> int:
        """Shortest time in which the output layer and its results can follow each other."""
        n, m = widths[-2:]
        output = self.wind(n) + self.groups(m) * self.words(n)
        return output + _RESULT_OVERHEAD + self.lanes * (m + 1)

    def period_cycles(self, widths: Sequence[int], pixel_8bit: bool = False) -> int:
        """Cycles from batch to batch when images always wait and results are always taken."""
        load = self.load_cycles(widths[0], pixel_8bit)
        if self.weight_stream:
            return self._streamed_period(widths, load)
        return max(self.pass_cycles(widths), load, self.send_cycles(widths))
