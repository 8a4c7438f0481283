# SPDX-License-Identifier: Apache-2.0
"""`Geometry`: the size of one built core, and the exact number of cycles it takes.

One `Geometry` is the single source of the RTL parameters of a build, the packed memories, the
expected cycles and the test cases. Widths are written as a tuple (inputs, hidden..., classes); they
are all there is to a network of single bits, any other is told by its `Shape`.

The cycle model states what rtl/ does, cycle by cycle; tests hold the hardware to it exactly:

    words(n)     = ceil(n / SIMD)                     words of a layer with n inputs
    groups(m)    = ceil(m / PE)                       groups of a layer with m neurons
    rounds(l)    = 2 where the weights are ternary    times a group goes through the words, else 1
    wind(n)      = max(0, TAPS - words(n))            cycles to wind up a short layer's ring
    overlap(l)   = min(max(0, words(l) - TAPS), rounds(l-1) * words(l-1))    or 0 where PE > SIMD
    gap(l)       = max(0, drain - overlap(l))         idle cycles in front of layer l > 0
    pass         = sum of wind + groups * rounds * words of all layers + sum of all gaps
    latency      = pass + timeout + classes + 12      a lone image, last beat in to class out
    period       = max(pass, load, send)              cycles from batch to batch, always fed

The drain is 7 cycles. In a core of ORDER 2 it is 9, and a lone image takes a cycle more.

Where weights are streamed (WEIGHT_STREAM), steps wait for words too, and all three follow from the
cycles in which words arrive: `streaming`. Cores for convolutions (MAP_INPUT) have cycles of
their own: `map_geometry`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

from . import map_geometry, streaming
from .map_plan import SLOTS, plan
from .parameters import PARAMETERS, default, most
from .shape import PIXEL_BITS, GeometryError, KindError, MapShape, Shape, ceil_div, factor

# Cycles from a step until its bits can be loaded into the ring (DRAIN in fcc_engine.v) ...
DRAIN = 7
# ... and those that two lanes take to decide together (fcc_pair.v).
_PAIR_DRAIN = 2
# Cycles of a lone image outside the pass: taking the image over 2, pipeline and result 10.
_LATENCY_OVERHEAD = 12
# Cycles from the load of a batch to the load of the next one when images wait at the door.
_RELOAD_OVERHEAD = 4
# Cycles from the last step of the output layer until its results begin to leave.
_RESULT_OVERHEAD = 9
# Bits of a slice of a memory word (fcc_slice.vh).
SLICE = 160
# Banks of the weight memory at most: the names of their memory files have two digits.
_MAX_BANKS = 100
# PEs that one tap feeds at most, by default: the fan-out of an activation wire.
_PE_PER_TAP = 128

# Geometries that documents and benchmarks call by name: (PE, SIMD, LANES).
NAMED = {
    # Small enough to build in a minute; what the parameters of xnor_fcc.v default to.
    "default": (default("PE"), default("SIMD"), default("LANES")),
    # Most images a second, and fastest answer, for the MNIST network on a DE1-SoC (make explore).
    "throughput": (69, 205, 2),
    "latency": (57, 262, 1),
    # The core of the report this project goes back to: a PE for every neuron of a layer.
    "original": (1024, 1, 2),
}
# The same of a core for convolutions, which otherwise none of these is.
MAPS = (32, 192, 4)

IMAGE_WIDTHS = PARAMETERS["IMAGE_WIDTH"].values

# (words, bits) that an M10K may have as a part of a bank, of all in devices.json.
BANK_SHAPES = ((1024, 10), (512, 20), (256, 40))


def best_bank_depth(width: int, depth: int) -> int:
    """Words of a bank with which a memory takes the fewest M10K blocks, deeper banks first."""

    def blocks(shape: tuple[int, int]) -> int:
        return ceil_div(depth, shape[0]) * ceil_div(width, shape[1])

    return min(BANK_SHAPES, key=blocks)[0]


def slices(width: int) -> list[int]:
    """Bits of every slice of a memory word of `width` bits, the lowest first."""
    full, rest = divmod(width, SLICE)
    return [SLICE] * full + ([rest] if rest else [])


@dataclass(frozen=True)
class Geometry:
    """Parameters of one core; the field names are the RTL parameters in lower case, and their
    defaults and limits are those of `parameters`.

    Raises `GeometryError` with one sentence when the core could not be built.
    """

    pe: int = default("PE")
    """Neurons computed at once in a lane."""
    simd: int = default("SIMD")
    """Synapses per PE and cycle."""
    lanes: int = default("LANES")
    """Images computed in step."""
    max_width: int = default("MAX_WIDTH")
    """Most inputs or neurons of a layer."""
    taps: int = 0
    """Ring positions that PEs see; 0 chooses one for every 128 PEs, the right number mostly."""
    max_layers: int = default("MAX_LAYERS")
    max_classes: int = default("MAX_CLASSES")
    weight_depth: int = default("WEIGHT_DEPTH")
    """Words of the weight memory: steps of the largest network."""
    bank_depth: int = default("BANK_DEPTH")
    """Words of one bank of the weight memory."""
    threshold_depth: int = default("THRESHOLD_DEPTH")
    """Words of the threshold memory: groups of the largest network."""
    image_width: int = default("IMAGE_WIDTH")
    """Bits of a beat of the image stream."""
    weight_stream: int = default("WEIGHT_STREAM")
    """Bits of a beat of the weight stream; 0 for a core with a weight memory."""
    order: int = default("ORDER")
    """Most bit planes of an activation; with 2 the lanes can work in pairs."""
    ternary: int = default("TERNARY")
    """1: layers may have ternary weights."""
    learn: int = default("LEARN")
    """Classes whose output layer can learn; 0 for a core that does not."""
    map_input: int = default("MAP_INPUT")
    """Words of a bank for an image; 0 for a core of dense layers."""
    map_even: int = default("MAP_EVEN")
    """Words of a bank for the maps of layers 0, 2, 4, ..."""
    map_odd: int = default("MAP_ODD")
    """Words of a bank for the maps of layers 1, 3, 5, ..."""
    pixel_channels: int = default("PIXEL_CHANNELS")
    """Colours of a pixel in a core for convolutions."""
    pixel_levels: int = default("PIXEL_LEVELS")
    """Thresholds of each colour there; 0 where the first layer takes the colours as numbers."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise GeometryError(f"{field.name.upper()} must be a whole number, not {value!r}.")
        for name in ("pe", "simd", "lanes", "max_width"):
            self._check(name)
        if self.taps == 0:
            taps = 1 if self.map_input else min(self.ring, ceil_div(self.pe, _PE_PER_TAP))
            object.__setattr__(self, "taps", taps)
        self._check("taps", high=min(self.pe, self.ring))
        self._check("max_layers")
        self._check("max_classes", high=self.max_width)
        self._check("weight_depth")
        self._check("bank_depth", low=ceil_div(self.weight_depth, _MAX_BANKS))
        self._check("threshold_depth")
        if self.image_width not in IMAGE_WIDTHS:
            raise GeometryError(
                f"IMAGE_WIDTH={self.image_width} is not one of "
                f"{', '.join(map(str, IMAGE_WIDTHS))}."
            )
        if self.weight_stream < 0 or self.weight_stream % 8:
            raise GeometryError(
                f"WEIGHT_STREAM={self.weight_stream} is neither 0 nor a multiple of 8."
            )
        self._check("order")
        self._check("ternary")
        if self.order == 2 and self.lanes % 2:
            raise GeometryError(f"LANES={self.lanes} must be even where ORDER is 2.")
        self._check("learn", high=min(most("LEARN"), self.max_classes))
        if self.learn and (
            self.taps > 1 or self.order > 1 or self.ternary or self.weight_stream or self.map_input
        ):
            raise GeometryError(
                "A core that learns (LEARN) has TAPS=1 and ORDER=1, and neither TERNARY nor "
                "WEIGHT_STREAM nor MAP_INPUT."
            )
        if self.map_input:
            map_geometry.check(self)
        elif self.map_even or self.map_odd:
            raise GeometryError("MAP_EVEN and MAP_ODD must be 0 where MAP_INPUT is 0.")

    def _check(self, name: str, low: int | None = None, high: int | None = None) -> None:
        """Hold a field to the limits of its parameter, or to closer ones."""
        value = getattr(self, name)
        low = PARAMETERS[name.upper()].low if low is None else low
        high = most(name.upper()) if high is None else high
        if not low <= value <= high:
            raise GeometryError(f"{name.upper()}={value} is outside {low} to {high}.")

    @classmethod
    def for_widths(
        cls,
        shape: Shape | Sequence[int],
        pe: int,
        simd: int,
        lanes: int,
        image_width: int = default("IMAGE_WIDTH"),
        weight_stream: int = default("WEIGHT_STREAM"),
    ) -> Geometry:
        """The smallest core of the given PE, SIMD and LANES that runs a network of `shape`.

        A core for convolutions always has 4 * ORDER lanes, and beats of at least a pixel.
        """
        for name, value in (("PE", pe), ("SIMD", simd)):
            if value < 1:
                raise GeometryError(f"{name}={value} is outside 1 to {most(name)}.")
        shape = Shape.of(shape)
        if isinstance(shape, MapShape):
            parameters = map_geometry.smallest(shape, pe, simd)
            bank = best_bank_depth(pe * simd, parameters["weight_depth"])
            width = max(image_width, 8 << (shape.colours - 1).bit_length())
            return cls(
                **parameters, bank_depth=bank, image_width=width, weight_stream=weight_stream
            )
        layers = shape.layers
        steps = sum(ceil_div(m, pe) * ceil_div(n, simd) * rounds for n, m, rounds in layers)
        return cls(
            pe=pe,
            simd=simd,
            lanes=lanes,
            max_width=max(shape.widths),
            max_layers=len(layers),
            max_classes=shape.widths[-1],
            weight_depth=2 if weight_stream else max(2, steps),
            threshold_depth=max(2, sum(ceil_div(m, pe) for _, m, _ in layers)),
            bank_depth=best_bank_depth(pe * simd, steps),
            image_width=image_width,
            weight_stream=weight_stream,
            order=2 if shape.pairs else 1,
            ternary=int(any(shape.ternary)),
        )

    def parameters(self) -> dict[str, int]:
        """RTL parameters of `xnor_fcc` that a core of its kind, with maps or without, has."""
        return {
            name: getattr(self, name.lower())
            for name, parameter in PARAMETERS.items()
            if parameter.number and not (parameter.dense if self.map_input else parameter.maps)
        }

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
            "ORDER": self.order,
        }

    @property
    def ring(self) -> int:
        """Words of the ring."""
        return ceil_div(self.max_width, self.simd)

    @property
    def slot(self) -> int:
        """Channels of a slot, in a core for convolutions."""
        return self.simd // SLOTS

    @property
    def numbers(self) -> bool:
        """Whether the first layer takes the colours of pixels as numbers."""
        return self.map_input > 0 and self.pixel_levels == 0

    @property
    def pixel_bits(self) -> int:
        """Bits that a pixel has in the memory of images."""
        return self.pixel_channels * (self.pixel_levels or PIXEL_BITS)

    @property
    def capacity(self) -> int:
        """Activation bits of the ring."""
        return self.ring * self.simd

    @property
    def factor(self) -> int:
        """The greatest P of an input, over the core's planes of activations and of weights."""
        return factor(self.order, bool(self.ternary))

    @property
    def score_bits(self) -> int:
        """Bits of a signed score: it lies within +-(2 * the greatest P + 1)."""
        most = self.capacity * self.factor
        if self.numbers:
            most = max(most, 9 * self.pixel_channels * factor(PIXEL_BITS, bool(self.ternary)))
        return (2 * most + 1).bit_length() + 1

    @property
    def label(self) -> str:
        """The sizes as people write them: PE=32 SIMD=128 LANES=4, and ORDER=2 TERNARY=1 if so."""
        kinds = " ORDER=2" * (self.order == 2) + " TERNARY=1" * (self.ternary == 1)
        kinds += f" LEARN={self.learn}" * (self.learn > 0)
        return f"PE={self.pe} SIMD={self.simd} LANES={self.lanes}{kinds}"

    @property
    def drain(self) -> int:
        """Cycles from a step until its bits can be loaded into the ring."""
        return DRAIN + (_PAIR_DRAIN if self.order == 2 else 0)

    def words(self, inputs: int) -> int:
        """Words of a layer with `inputs` inputs."""
        return ceil_div(inputs, self.simd)

    def groups(self, outputs: int) -> int:
        """Groups of a layer with `outputs` neurons."""
        return ceil_div(outputs, self.pe)

    def images_per_batch(self, shape: Shape | Sequence[int]) -> int:
        """Images that the lanes carry at once; two lanes carry one where activations need it, and
        all of them one where they carry positions of it."""
        if self.map_input:
            return 1
        return self.lanes // 2 if Shape.of(shape).pairs else self.lanes

    def steps(self, shape: Shape | Sequence[int]) -> int:
        """Steps of a whole pass."""
        shape = Shape.of(shape)
        if isinstance(shape, MapShape):
            return sum(stage.steps for stage in plan(shape, self.pe, self.simd))
        return self.weight_words(shape)

    def weight_words(self, shape: Shape | Sequence[int]) -> int:
        """Weight words of a network, each of which is read once in a step of a dense layer."""
        shape = Shape.of(shape)
        if isinstance(shape, MapShape):
            return sum(stage.turn for stage in plan(shape, self.pe, self.simd))
        return sum(self.groups(m) * self.words(n) * rounds for n, m, rounds in shape.layers)

    def wind(self, inputs: int) -> int:
        """Cycles to wind up the ring of a layer shorter than the taps."""
        return max(0, self.taps - self.words(inputs))

    def require_fit(self, shape: Shape | Sequence[int]) -> None:
        """Raise `GeometryError` unless a network of `shape` runs on this core; `KindError` where
        the core was built without what the network's kind takes."""
        shape = Shape.of(shape)
        for what, needed, built, parameter in (
            ("second-order activations", shape.pairs, self.order == 2, "ORDER=1"),
            ("ternary weights", any(shape.ternary), self.ternary == 1, "TERNARY=0"),
        ):
            if needed and not built:
                raise KindError(
                    f"The network has {what}, which this core ({parameter}) was built without."
                )
        if isinstance(shape, MapShape):
            map_geometry.require_fit(self, shape)
            return
        if self.map_input:
            raise KindError(
                f"The network has no convolutions, but this core (MAP_INPUT={self.map_input}) is "
                "for networks that begin with one."
            )
        widths = shape.widths
        layers = len(widths) - 1
        groups = sum(self.groups(m) for m in widths[1:])
        weight_words = 0 if self.weight_stream else self.weight_words(shape)
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

    def gap(self, steps_before: int, words: int) -> int:
        """Idle cycles between the last step of a layer and the first of the next one.

        `steps_before`: steps of a group of the one, rounds * words; `words`: those of the next one.
        """
        overlap = min(max(0, words - self.taps), steps_before) if self.pe <= self.simd else 0
        return max(0, self.drain - overlap)

    def pass_cycles(self, shape: Shape | Sequence[int]) -> int:
        """Cycles of one batch through all layers: cycles(batch)."""
        shape = Shape.of(shape)
        if isinstance(shape, MapShape):
            return map_geometry.pass_cycles(self, shape)
        layers = shape.layers
        gaps = sum(
            self.gap(rounds * self.words(n), self.words(after))
            for (n, _, rounds), (after, _, _) in pairwise(layers)
        )
        return self.steps(shape) + sum(self.wind(n) for n, _, _ in layers) + gaps

    def stream_cycles(self, shape: Shape | Sequence[int]) -> int:
        """Cycles of one pass after the other with weights streamed without a pause."""
        return streaming.cycles(self, Shape.of(shape))

    def latency_cycles(self, shape: Shape | Sequence[int], timeout: int) -> int:
        """Cycles from the last input beat of a lone image to the beat with its class.

        `timeout` is PARTIAL_TIMEOUT; a core of one lane, or of one pair of lanes that carry an
        image together, never waits for it. Where weights are streamed, the first words wait inside
        for the image.
        """
        shape = Shape.of(shape)
        if isinstance(shape, MapShape):
            return map_geometry.latency_cycles(self, shape)
        wait = timeout if self.images_per_batch(shape) > 1 else 0
        cycles = self.pass_cycles(shape)
        if self.weight_stream:
            cycles = streaming.lone_pass(self, shape)
        return cycles + wait + shape.widths[-1] + _LATENCY_OVERHEAD + self.order - 1

    def image_beats(self, inputs: int, pixel_8bit: bool) -> int:
        """Beats of one image packet."""
        return ceil_div(inputs * (8 if pixel_8bit else 1), self.image_width)

    def load_cycles(self, shape: Shape | Sequence[int], pixel_8bit: bool = False) -> int:
        """Shortest time in which the next batch can be loaded, batch to batch.

        Inputs of order 2 come as 8-bit pixels always.
        """
        shape = Shape.of(shape)
        if isinstance(shape, MapShape):
            return map_geometry.load_cycles(shape)
        image = self.image_beats(shape.widths[0], pixel_8bit or shape.orders[0] == 2) + 1
        return (self.images_per_batch(shape) - 1) * image + max(image, _RELOAD_OVERHEAD)

    def send_cycles(self, shape: Shape | Sequence[int]) -> int:
        """Shortest time in which the output layer and its results can follow each other."""
        shape = Shape.of(shape)
        if isinstance(shape, MapShape):
            return map_geometry.send_cycles(self, shape)
        n, m, rounds = shape.layers[-1]
        output = self.wind(n) + self.groups(m) * self.words(n) * rounds
        return output + self.results_cycles(shape)

    def results_cycles(self, shape: Shape) -> int:
        """Cycles from the last step of the output layer until the last result has left."""
        results = self.images_per_batch(shape) * (shape.widths[-1] + 1)
        return _RESULT_OVERHEAD + self.order - 1 + results

    def period_cycles(self, shape: Shape | Sequence[int], pixel_8bit: bool = False) -> int:
        """Cycles from batch to batch when images always wait and results are always taken."""
        shape = Shape.of(shape)
        load = self.load_cycles(shape, pixel_8bit)
        if self.weight_stream:
            return streaming.period(self, shape, load)
        return max(self.pass_cycles(shape), load, self.send_cycles(shape))
