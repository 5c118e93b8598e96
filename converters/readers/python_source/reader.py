"""Python source in, a Model out: upsampling calls as layers, those of Sequentials connected.

What is no constant of the file stays an Unknown layer, whose call rules may still read, and is
counted: a Notice says how many calls could not be read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Final

from upconv.converters.ir.errors import NotAModelError, UnreadableError, UpconvError
from upconv.converters.ir.model import Layer, Model, Notice, Shape
from upconv.converters.ir.operators import Unknown
from upconv.converters.ir.origin import Origin, Source, Span, Written
from upconv.converters.ir.tensors import missing
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.files.prototxt import load_text
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.python_source.assumed import Assumptions
from upconv.converters.readers.python_source.call import (
    Call,
    NoOperatorError,
    NotProvableError,
    Skipped,
)
from upconv.converters.readers.python_source.calls import Site, Sites, call_of, find_calls
from upconv.converters.readers.python_source.chains import Chain, chains
from upconv.converters.readers.python_source.functional import ENTRY, Use, functional_models
from upconv.converters.readers.python_source.gluon_layers import GLUON_MAKERS
from upconv.converters.readers.python_source.keras_layers import (
    KERAS_MAKERS,
    KERAS_OTHERS,
    MERGES,
    fits,
    shape_of,
    without_batch,
)
from upconv.converters.readers.python_source.made import Made, Place
from upconv.converters.readers.python_source.mentions import MENTIONS
from upconv.converters.readers.python_source.refusals import refusals
from upconv.converters.readers.python_source.signatures import Signature, signature_of
from upconv.converters.readers.python_source.tensorflow_calls import TENSORFLOW_MAKERS
from upconv.converters.readers.python_source.text import Fragment, parse
from upconv.converters.readers.python_source.torch_layers import MAKERS, Maker
from upconv.converters.readers.python_source.torch_others import OTHER_MAKERS
from upconv.converters.readers.python_source.written import written_call

_MAKERS: Final[dict[str, Maker]] = {
    **MAKERS,
    **OTHER_MAKERS,
    **GLUON_MAKERS,
    **{f"keras.layers.{name}": maker for name, maker in {**KERAS_MAKERS, **KERAS_OTHERS}.items()},
    **{
        f"tensorflow.{version}{module}.{name}": maker
        for name, maker in TENSORFLOW_MAKERS.items()
        for version in ("", "compat.v1.")
        for module in ("nn", "image")
    },
}


def read_python(path: str, options: ReadOptions) -> Model:
    """The upsampling calls of a .py file or .ipynb notebook.

    Raises UnreadableError where it is no text, no Python 3 or no notebook, and NotAModelError where
    it is Python 2.
    """
    return read_python_source(load_text(path), options)


def read_python_source(source: Source, options: ReadOptions) -> Model:
    """The upsampling calls of Python source that is already read; a notebook by its name."""
    work = Workspace(source.path, "python")
    notebook = source.path.lower().endswith(".ipynb")
    fragments = _notebook(source, work) if notebook else [parse(source, source.text)]
    made = _Assembly(source, find_calls(fragments), work).model(fragments)
    if not options.weights:
        return made
    from upconv.converters.readers.python_source.trained import with_weights

    return with_weights(made, options.weights)


def _notebook(source: Source, work: Workspace) -> list[Fragment]:
    """The cells that parse; those that do not, and mention an upsampling call, as notices."""
    from upconv.converters.readers.python_source.notebook import cells, landmarks

    found = cells(source)
    source.landmark = landmarks(found)
    fragments: list[Fragment] = []
    for cell in found:
        try:
            fragments.append(parse(source, cell.code, cell.offsets))
        except UnreadableError as error:
            if not MENTIONS.search(cell.code.encode("utf-8", "replace")):
                continue
            if isinstance(error, NotAModelError):
                raise  # a notebook of Python 2
            work.refuse(error)
    return fragments


@dataclass
class _Assembly:
    """Collects the layers of one file under unique names."""

    source: Source
    sites: Sites
    work: Workspace
    skipped: list[Skipped] = field(default_factory=list)
    refused: list[Notice] = field(default_factory=list)
    done: set[int] = field(default_factory=set)

    def model(self, fragments: Sequence[Fragment]) -> Model:
        wanted = {id(site.node): found for site, found in self.sites.upsampling}
        for chain in chains(self.sites):
            if any(link.site and id(link.site.node) in wanted for link in chain.links):
                self.chain(chain)
        for uses in functional_models(self.sites, fragments):
            if any(id(use.site.node) in wanted for use in uses):
                self.functional(uses)
        for site, signature in self.sites.upsampling:
            if id(site.node) not in self.done:
                self.single(site, signature)
        for site, kind in self.sites.caffe:
            self.caffe(site, kind)
        self.work.notices += [*self.notice(), *self.refused]
        name = PurePath(self.source.path).stem
        return self.work.model(name, origin=self.origin(fragments), has_graph=False)

    def origin(self, fragments: Iterable[Fragment]) -> Origin:
        comments: list[tuple[Span, str]] = []
        if "upconv:" in self.source.text:
            comments = [one for fragment in fragments for one in fragment.comments()]
        span = Span(self.source, 0, len(self.source.text))
        written = Written(comments=lambda: comments)
        return Origin(self.source.path, "python", "module", span, written)

    @property
    def seen(self) -> int:
        return len(self.sites.upsampling) + len(self.sites.caffe)

    def notice(self) -> list[Notice]:
        """One notice for all calls that were not read, at the first of them."""
        if not self.skipped:
            return []
        self.skipped.sort(key=lambda one: one.span.start)
        first, rest = self.skipped[0], len(self.skipped) - 1
        shown = f"{first.name} ({first.reason})" + (f", and {rest} more" if rest else "")
        message = f"{rest + 1} of {self.seen} upsampling calls could not be read: {shown}"
        return [Notice("unread-calls", UpconvError(message, where=self.skipped[0].span))]

    def single(self, site: Site, signature: Signature) -> None:
        """A call that is connected to nothing."""
        call = call_of(site, signature, self.sites)
        name = self.work.titles.unique(_name(site, call))
        place = Place(f"{name}.input")
        problem: NotProvableError | None = None
        try:
            made = _make(call, place)
        except NotProvableError as error:
            problem = error
            self.skip(site, call.name, error)
            made = Made(Unknown(call.name, error.message))
        self.refused += refusals(call, name, problem)
        values = [place.x, *(f"{place.x}{index}" for index in range(1, made.inputs))]
        self.feed(values, made.shape)
        self.put(name, made, values, call)

    def chain(self, chain: Chain) -> None:
        """The elements of a Sequential, each reading the one before it where that was read."""
        base = _site_name(chain.site, "Sequential")
        before: Place | None = None
        for link in chain.links:
            before = self.linked(f"{base}.{link.name}", link.site, before)

    def linked(self, name: str, site: Site | None, before: Place | None) -> Place | None:
        """Add one element; where its output is, or None where the chain breaks."""
        signature = signature_of(site.names) if site is not None else None
        if site is None or signature is None or id(site.node) in self.done:
            return None
        self.done.add(id(site.node))
        call = call_of(site, signature, self.sites)
        if signature.path in ("keras.layers.Input", "keras.layers.InputLayer"):
            return self.entry(self.work.titles.unique(name), call)
        name = self.work.titles.unique(_own_name(call) or name)
        try:
            made = _make(call, before or Place(f"{name}.input"))
        except NotProvableError as error:
            if signature.upsamples:
                self.skip(site, call.name, error)
                self.refused += refusals(call, name, error)
                self.feed([f"{name}.input"], None)
                unknown = Made(Unknown(call.name, error.message))
                self.put(name, unknown, [f"{name}.input"], call)
            return None
        self.refused += refusals(call, name, None)
        if before is None or made.inputs > 1:
            values = [f"{name}.input{index or ''}" for index in range(made.inputs)]
            self.feed(values, made.shape)
        else:
            values = [before.x]
        self.put(name, made, values, call)
        return None if made.final else Place(name, self.work.shapes[name])

    def functional(self, uses: Sequence[Use]) -> None:
        """The layers of functional code. What cannot be read ends the graph there: a call behind it
        is connected to nothing."""
        calls = [call_of(use.site, use.signature, self.sites) for use in uses]
        formats = {_format(call) for call in calls if call.takes("data_format")}
        if formats - {"channels_first"} and formats - {"channels_last"}:
            return  # several, or one that is not known
        channels_first = formats == {"channels_first"}
        places: list[Place | None] = []
        for use, call in zip(uses, calls, strict=True):
            read = [place for index in use.inputs if (place := places[index]) is not None]
            if len(read) < len(use.inputs):
                places.append(None)
            elif use.signature.path == ENTRY:
                places.append(self.functional_entry(use.site, call, channels_first))
            else:
                places.append(self.used(use.site, call, read, channels_first))

    def functional_entry(self, site: Site, call: Call, channels_first: bool) -> Place | None:
        """An Input, where its shape is known."""
        name = self.work.titles.unique(_name(site, call))
        found = self.entry(name, call, channels_first) if not call.problem else None
        if found is None or found.shape is None:
            return None
        return replace(found, notes=_notes(call))

    def used(
        self, site: Site, call: Call, read: Sequence[Place], channels_first: bool
    ) -> Place | None:
        """One use of a layer; where its output is, None where it could not be read."""
        try:
            made = _made_of(call, read, channels_first)
        except NotProvableError:
            return None
        name = self.work.titles.unique(_name(site, call))
        if id(site.node) not in self.done:
            self.refused += refusals(call, name, None)
        self.done.add(id(site.node))
        notes = tuple(dict.fromkeys(note for place in read for note in place.notes))
        if notes and call.path in MERGES:  # what does not fit there does so by these
            told = Assumptions(self.sites.callers, [*_notes(call), *notes])
            call = replace(call, assumptions=told)
        self.put(name, made, [place.x for place in read], call)
        shape = self.work.shapes[name]
        broken = made.final or shape is None or name in self.work.contradictions
        return None if broken else Place(name, shape, notes)

    def put(self, name: str, made: Made, values: Sequence[str], call: Call) -> None:
        """Append a call's layer, which reads these values."""
        weights, origin = made.weights, _origin(call)
        self.work.append(Layer(name, made.operator, tuple(values), (name,), weights, origin))

    def entry(self, name: str, call: Call, channels_first: bool = False) -> Place:
        """A Keras Input at the head of a model."""
        sizes = call.probably("shape") or call.probably("input_shape")
        sizes = sizes or without_batch(call.probably("batch_shape"))
        shape = shape_of(sizes, channels_first, f"{name}_")
        self.work.feed(name, shape, _origin(call))
        return Place(name, shape)

    def caffe(self, site: Site, kind: str) -> None:
        from upconv.converters.readers.python_source.caffe_layers import caffe_layer

        name = self.work.titles.unique(_site_name(site, kind))
        try:
            layer = caffe_layer(site, kind, name, (name,))
        except UpconvError as error:
            self.skip(site, kind, error)
            return
        self.feed(layer.inputs, None)
        self.work.append(layer)

    def feed(self, values: Iterable[str], shape: Shape | None) -> None:
        """Graph inputs for a layer that nothing known feeds; the shape is the first one's."""
        for value in values:
            self.work.feed(value, shape)
            shape = None

    def skip(self, site: Site, name: str, error: UpconvError) -> None:
        """Count a call that was not read."""
        if not isinstance(error, NoOperatorError):
            self.skipped.append(Skipped(site.span, name, error.message))


def _make(call: Call, place: Place) -> Made:
    if call.problem:
        raise call.refused(call.problem)
    if call.path not in _MAKERS:
        raise call.not_provable("it joins several tensors")
    made = _MAKERS[call.path](call, place)
    if not call.assumed:
        return made
    # Weights that are given decide, and other files may call with other values.
    weights = {name: missing(None, weight.filler) for name, weight in made.weights.items()}
    return replace(made, weights=weights, final=True)


def _made_of(call: Call, read: Sequence[Place], channels_first: bool) -> Made:
    """What is made of a call on tensors of known shape.

    Raises NotProvableError where the file does not decide it.
    """
    shapes = [place.shape for place in read if place.shape is not None]
    if call.path in MERGES:
        if call.problem or len(shapes) < 2 or len({len(shape) for shape in shapes}) > 1:
            raise call.not_provable("what it joins is not known")
        return MERGES[call.path](call, shapes, channels_first)
    turned = channels_first and call.name == "Reshape"  # its axes would have to move
    own = call.writes("input_shape") or call.writes("batch_input_shape")
    if len(read) != 1 or turned or own or not fits(call, read[0]):
        raise call.not_provable("it is called in another way")
    return _make(call, read[0])


def _notes(call: Call) -> tuple[str, ...]:
    return tuple(call.assumptions.notes) if call.assumptions is not None else ()


def _format(call: Call) -> str:
    """The data_format of a Keras layer, "" where the file does not decide it."""
    given = call.probably("data_format", "") if call.writes("data_format") else None
    return "channels_last" if given is None else str(given)


def _origin(call: Call) -> Origin:
    return Origin(call.span.path, call.framework, call.name, call.span, written_call(call))


def _name(site: Site, call: Call) -> str:
    """A Keras layer's own name, what the call is assigned to, or its function in its scope."""
    return _own_name(call) or _site_name(site, call.name)


def _own_name(call: Call) -> str:
    """The name that a Keras layer is given; "" where it is none."""
    given = call.probably("name") if call.framework == "keras" else ""
    return given if isinstance(given, str) else ""


def _site_name(site: Site, kind: str) -> str:
    """`Class.attribute` of what is assigned to self, `scope.variable` of a name that is bound
    once, else `scope.Kind`."""
    scope, target = site.visit.scope, site.target
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
        holder = scope.parent if target.value.id == "self" else None
        return f"{holder.path}.{target.attr}" if holder is not None and holder.path else target.attr
    if isinstance(target, ast.Name):
        found = scope.lookup(target.id)
        if found is not None and len(found[1]) == 1:
            kind = target.id
    return f"{scope.path}.{kind}" if scope.path else kind
