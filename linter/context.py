"""What a rule looks at: one model, its inferred shapes, and each layer's intent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, cached_property
from itertools import chain
from typing import TYPE_CHECKING

from upconv.converters.ir.errors import ShapeError, UnreadableError, UpconvError
from upconv.converters.ir.inference import Inference, infer
from upconv.converters.ir.kept import each, those
from upconv.converters.ir.model import Layer, Model, Notice
from upconv.converters.ir.open_sizes import with_unknown_sizes
from upconv.converters.ir.operators import UPSAMPLING, GlobalPool, Linear, Operator, targets
from upconv.converters.ir.origin import Source
from upconv.converters.ir.places import Coordinates
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape
from upconv.converters.ir.source import Pieces
from upconv.converters.ir.written import Block
from upconv.linter.facts.intent import Intent, Training, intent_of, training_of
from upconv.linter.facts.interpolation import Interpolator, find_interpolators
from upconv.linter.finding import Severity
from upconv.linter.hit import Hit
from upconv.linter.notices import NOTICES
from upconv.linter.running.suppress import Ignore

if TYPE_CHECKING:
    from upconv.linter.engines.facts import Seen
    from upconv.linter.engines.profile import Entry, Target


@record(frozen=True, slots=True)
class Crash:
    """A rule that failed, by its code and name, and why. What is no rule has no code."""

    code: str
    name: str
    error: Exception

    @property
    def reason(self) -> str:
        """The error on one line."""
        words = str(self.error).splitlines()
        return f"{type(self.error).__name__}: {words[0] if words else '(no message)'}"

    @property
    def trace(self) -> str:
        """The whole traceback, for whoever mends it."""
        from traceback import format_exception

        return "".join(format_exception(self.error))

    @property
    def defect(self) -> tuple[str, str]:
        """What tells one defect from another: where it was raised, and why. Rules that stumble over
        one part, such as the inference of shapes, have one in common."""
        frame = self.error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        where = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else ""
        return where, self.reason


def _reads(block: Block) -> tuple[str, ...]:
    written = block.texts("top")
    return tuple(blob for blob in block.texts("bottom") if blob not in written)


def _aims(layer: Layer) -> bool:
    """Whether a layer takes sizes from other tensors."""
    return bool(targets(layer.operator))


@cache
def _finding(find: Callable[[Layer], Iterable[Hit]]) -> Callable[[Layer], bool]:
    """Whether there is anything to find in a layer, or cannot be searched for."""

    def test(layer: Layer) -> bool:
        try:
            return any(True for _ in find(layer))
        except UnreadableError:
            return True

    return test


class Context:
    """One file under check.

    `model` is None where the file could not be read; `failures` then say why. `crashes` and
    `unused` are filled by the engine before the closing rules run. `targets` are the engines that
    the model is to run in.
    """

    def __init__(
        self,
        path: str,
        source: Source | None,
        model: Model | None,
        failures: Iterable[UpconvError] = (),
        crashes: Iterable[Crash] = (),
        targets: tuple[str, ...] = (),
    ) -> None:
        self.path = path
        self.source = source
        self.model = model
        self.failures = list(failures)
        self.crashes = list(crashes)
        self.unused: list[tuple[Ignore, str]] = []
        self.targets = targets

    @property
    def net(self) -> Model:
        """The model, for rules that run only where there is one."""
        assert self.model is not None
        return self.model

    @cached_property
    def inference(self) -> Inference:
        return infer(self.net)

    @cached_property
    def open_inference(self) -> Inference:
        """Shapes with symbols where the file does not say an input's, so that what holds for
        every size can still be judged."""
        opened = with_unknown_sizes(self.net)
        return self.inference if opened is self.net else infer(opened)

    @property
    def coordinates(self) -> Coordinates:
        """Where the pixels of every value lie in the input they come from."""
        return self.placements[0][1]

    @cached_property
    def placements(self) -> tuple[tuple[int | None, Coordinates], ...]:
        """The same for each way in which it follows an input's open size, with a size that shows
        it; None where every size does."""
        shapes = self.open_inference.shapes
        if not any(True for _ in self.those(_aims)):
            return ((None, Coordinates(self.net, shapes)),)
        from upconv.converters.audit.open_places import placed

        return tuple((one.side, Coordinates(one.model, shapes)) for one in placed(self.net, shapes))

    @cached_property
    def interpolators(self) -> tuple[Interpolator, ...]:
        """The transposed convolutions that are bilinear interpolation."""
        return tuple(find_interpolators(self))

    @cached_property
    def portability(self) -> tuple[tuple[Target, Seen, Entry], ...]:
        """What the targets do otherwise with the model's nodes, or with those that would be written
        for it."""
        if not self.targets:
            return ()
        from upconv.linter.engines.nodes import nodes_of
        from upconv.linter.engines.profile import targets_of

        targets, seen = targets_of(self.targets), list(nodes_of(self.net, self.open_inference))
        return tuple(
            (target, node, entry)
            for node in seen
            for target in targets
            for entry in target.verdicts(node)
        )

    @cached_property
    def upsamples(self) -> bool:
        """Whether the net makes feature maps larger anywhere."""
        return any(True for _ in self.of(*UPSAMPLING))

    @cached_property
    def classifies(self) -> bool:
        """Whether the net makes one answer of the whole image, and no feature map larger: how it
        comes to its sizes on the way shifts nothing that is laid over the image."""
        pooled = any(True for _ in self.of(Linear, GlobalPool))
        return pooled and not self.upsamples

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Every `layer` and `layers` block of a prototxt, those of other phases included."""
        root = self.net.origin.written.block
        return (*root.blocks("layer"), *root.blocks("layers"))

    @cached_property
    def blocks_in_order(self) -> tuple[list[int], list[Block]]:
        """(where each begins, the blocks) of the layers of a prototxt, as the file has them."""
        blocks = sorted(self.blocks, key=lambda block: block.span.start)
        return [block.span.start for block in blocks], blocks

    @cached_property
    def read_blobs(self) -> frozenset[str]:
        """The blobs that blocks of a prototxt have as bottoms; one that a block overwrites in place
        is not read there."""
        return frozenset(chain.from_iterable(each(self._pieces, _reads, self.blocks, _reads)))

    @cached_property
    def layers(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.net.layers}

    @cached_property
    def producers(self) -> dict[str, Layer]:
        return self.net.producers()

    @cached_property
    def consumers(self) -> dict[str, list[Layer]]:
        return self.net.consumers()

    @cached_property
    def training(self) -> Training:
        """Whether this file is one that trains."""
        return training_of(self.net, self.source)

    @cached_property
    def _intents(self) -> dict[str, Intent]:
        return {}

    def intent(self, layer: Layer) -> Intent:
        """What a transposed convolution is meant to do, judged once."""
        if layer.name not in self._intents:
            self._intents[layer.name] = intent_of(layer, self.training)
        return self._intents[layer.name]

    @cached_property
    def _by_operator(self) -> dict[type, list[tuple[int, Layer]]]:
        found: dict[type, list[tuple[int, Layer]]] = {}
        for place in enumerate(self.net.layers):
            found.setdefault(type(place[1].operator), []).append(place)
        return found

    @property
    def _pieces(self) -> Pieces | None:
        place = self.net.origin.place
        return None if place is None else place.source.pieces

    @cached_property
    def _of(self) -> dict[tuple[type[Operator], ...], Sequence[Layer]]:
        return {(): self.net.layers}

    def of(self, *operators: type[Operator]) -> Iterator[Layer]:
        """The layers with one of these operators, in order; all where none is named."""
        return iter(self._all_of(operators))

    def _all_of(self, operators: tuple[type[Operator], ...]) -> Sequence[Layer]:
        if operators not in self._of:
            found = [self._by_operator.get(one, ()) for one in set(operators)]
            placed = found[0] if len(found) == 1 else sorted(chain(*found))
            self._of[operators] = [layer for _, layer in placed]
        return self._of[operators]

    def those(self, test: Callable[[Layer], object], *operators: type[Operator]) -> Iterator[Layer]:
        """The layers of these operators, or all, of which a test holds that goes by the layer
        alone: while somebody types, layers that stay as they are are not asked again."""
        return those(self._pieces, test, self._all_of(operators))

    def in_each(
        self, find: Callable[[Layer], Iterable[Hit]], *operators: type[Operator]
    ) -> Iterator[Hit]:
        """What is found in each layer of these operators, or in all, going by the layer alone."""
        for layer in self.those(_finding(find), *operators):
            yield from find(layer)

    def input_shape(self, layer: Layer, index: int = 0) -> Shape | None:
        """The shape of a layer's input; None where it is not known."""
        return self.inference.shapes.get(layer.inputs[index]) if layer.inputs else None

    def output_shape(self, layer: Layer, index: int = 0) -> Shape | None:
        """The shape of a layer's output; None where it is not known."""
        return self.inference.shapes.get(layer.outputs[index]) if layer.outputs else None

    def contradictions(self, *kinds: str) -> Iterator[tuple[Layer, ShapeError]]:
        """(layer, error) of the shape errors of these kinds."""
        for error in self.inference.errors:
            if error.kind in kinds and error.layer in self.layers:
                yield self.layers[error.layer], error

    def notices(self, code: str) -> Iterator[Hit]:
        """What the reader noticed that the rule of this code tells."""
        for notice in self.noticed(code):
            told = NOTICES[notice.kind]
            yield self.hit_of(notice.error, told.help, told.severity)

    def noticed(self, code: str) -> Iterator[Notice]:
        """The notices themselves, for a rule that has more to say of them."""
        found = self.model.notices if self.model else ()
        return (notice for notice in found if NOTICES[notice.kind].code == code)

    def hit_of(self, error: UpconvError, help: str, severity: Severity | None = None) -> Hit:
        """A reader's error as what a rule yields; `help` stands in where it has no hint."""
        layer = self.layers.get(error.layer) if self.model else None
        elsewhere = error.path not in ("", self.path)  # the weights' file, say
        message = f"{error.path}: {error.message}" if elsewhere else error.message
        return Hit(
            message, error.hint or help, layer, error.where, severity, layer_name=error.layer
        )
