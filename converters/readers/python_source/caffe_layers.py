"""Layers of a caffe.NetSpec, as the message that pycaffe would make of them.

The message's values know their place in the Python source, so that Caffe's own reader lowers the
layer and every rule about a layer's fields points at the argument (python/caffe/net_spec.py).
"""

from __future__ import annotations

import ast
from typing import Any, Final

from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.model import Layer
from upconv.converters.ir.origin import Origin, Source
from upconv.converters.readers.assembly.workspace import with_references
from upconv.converters.readers.files.prototxt import Message, Scalar
from upconv.converters.readers.python_source.call import NotProvableError
from upconv.converters.readers.python_source.calls import Site
from upconv.converters.readers.python_source.scopes import Scope
from upconv.converters.readers.python_source.text import Fragment
from upconv.converters.readers.python_source.values import NotConstantError, evaluate

PARAMETERS: Final = {
    "Deconvolution": "convolution_param",
    "Crop": "crop_param",
    "Interp": "interp_param",
    "Upsample": "upsample_param",
    "Unpooling": "unpooling_param",
}
LAYER_FIELDS: Final = frozenset(
    {"param", "include", "exclude", "loss_weight", "phase", "propagate_down", "name"}
)
NET_SPEC_FIELDS: Final = frozenset({"ntop", "in_place", "name"})
MAX_DEPTH: Final = 12


class PythonScalar(Scalar):
    """A field's value that Python computed: spelled as a prototxt would, placed where it stands."""

    __slots__ = ("spelling",)

    def __init__(self, source: Source, name: str, start: int, end: int, spelling: str) -> None:
        super().__init__(source, name, start, start, end)
        self.spelling = spelling

    @property
    def text(self) -> str:
        return self.spelling

    @property
    def kind(self) -> str:
        if self.spelling.startswith('"'):
            return "string"
        return "number" if self.spelling[:1] in "-.0123456789" else "identifier"


def caffe_layer(site: Site, kind: str, name: str, outputs: tuple[str, ...]) -> Layer:
    """The layer of a call `L.Type(bottoms..., settings...)`, its inputs named after it.

    Raises NotProvableError where its settings are not constant, and other errors of Caffe's
    reader where they are no legal layer.
    """
    from upconv.converters.readers.caffe.assemble import lower
    from upconv.converters.readers.caffe.lowering import BottomShapes, CaffeLayer
    from upconv.converters.readers.caffe.written import written_layer

    node = message_of(site, kind)
    bottoms = tuple(f"{name}.input{index or ''}" for index, _ in enumerate(_bottoms(site)))
    if not bottoms:
        raise NotProvableError("its inputs are not written", where=site.span)
    shapes = BottomShapes((None,) * len(bottoms))
    layer = CaffeLayer(name, kind, node, bottoms, outputs, (), None, site.span, shapes)
    one = lower(layer)[0]
    inputs = with_references(one.operator, one.inputs or bottoms)
    origin = Origin(site.span.path, "caffe", kind, site.span, written_layer(node, kind))
    return Layer(name, one.operator, inputs, outputs, one.weights, origin)


def _bottoms(site: Site) -> list[ast.expr]:
    return [one for one in site.node.args if not isinstance(one, ast.Starred)]


def message_of(site: Site, kind: str) -> Message:
    """The `layer { }` of a call; its settings may be flat, as pycaffe allows.

    Raises NotProvableError where one is not constant.
    """
    builder = _Builder(site)
    layer = builder.message("layer", site.node)
    flat = builder.message(PARAMETERS[kind], site.node)
    if any(keyword.arg is None for keyword in site.node.keywords):
        raise NotProvableError("settings may come from **kwargs", where=site.span)
    for keyword in site.node.keywords:
        name = keyword.arg or ""
        whole = name.endswith("_param") or name in LAYER_FIELDS
        if name not in NET_SPEC_FIELDS:
            builder.enter(layer if whole else flat, name, keyword.value, keyword, 0)
    if flat.entries:
        layer.entries.append(flat)
    return layer


class _Builder:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.fragment: Fragment = site.fragment
        self.scope: Scope = site.visit.scope

    def message(self, name: str, node: ast.expr) -> Message:
        span = self.fragment.span(node)
        message = Message(span.source, name, span.start, span.start)
        message.last = span.end
        return message

    def enter(
        self,
        message: Message,
        name: str,
        value: ast.expr,
        written: ast.expr | ast.keyword,
        depth: int,
    ) -> None:
        """Add the field or, of a list, the fields that a value makes."""
        if depth > MAX_DEPTH:
            raise NotProvableError("nested too deeply", where=self.site.span)
        entries = self.entries(value)
        if entries is not None:
            inner = self.message(name, value)
            for key, item in entries:
                self.enter(inner, key, item, item, depth + 1)
            self.add(message, inner, written)
            return
        items = self.items(value)
        if items is not None:
            for item in items:
                self.enter(message, name, item, item, depth + 1)
            return
        self.add(message, self.scalar(name, value), written)

    def add(self, message: Message, value: Scalar | Message, at: ast.expr | ast.keyword) -> None:
        fragment = self.fragment
        span = fragment.keyword_span(at) if isinstance(at, ast.keyword) else fragment.span(at)
        value.named = span.start
        message.entries.append(value)

    def entries(self, value: ast.expr) -> list[tuple[str, ast.expr]] | None:
        """The members of `dict(a=1)` or `{"a": 1}`, also through a name; None of others."""
        value = self.resolved(value)
        if isinstance(value, ast.Dict):
            return [
                (self.key(key), item) for key, item in zip(value.keys, value.values, strict=True)
            ]
        match value:
            case ast.Call(func=ast.Name(id="dict"), args=[], keywords=members):
                return [(self.keyword(one.arg), one.value) for one in members]
        return None

    def items(self, value: ast.expr) -> list[ast.expr] | None:
        value = self.resolved(value)
        return value.elts if isinstance(value, ast.List | ast.Tuple) else None

    def resolved(self, value: ast.expr) -> ast.expr:
        """What a name that is bound once stands for."""
        for _ in range(MAX_DEPTH):
            found = self.scope.lookup(value.id) if isinstance(value, ast.Name) else None
            if found is None or len(found[1]) != 1 or found[1][0].value is None:
                return value
            value = found[1][0].value
        return value

    def key(self, node: ast.expr | None) -> str:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        raise NotProvableError("a key is not constant", where=self.site.span)

    def keyword(self, name: str | None) -> str:
        if name is None:
            raise NotProvableError("settings may come from **kwargs", where=self.site.span)
        return name

    def scalar(self, name: str, value: ast.expr) -> Scalar:
        span = self.fragment.span(value)
        try:
            spelled = _spelled(self.value(value))
        except (NotConstantError, UpconvError) as error:
            raise NotProvableError(f"{name}: {error}", where=self.site.span) from None
        return PythonScalar(span.source, name, span.start, span.end, spelled)

    def value(self, node: ast.expr) -> Any:
        """P.Pooling.MAX and its like are enums, which a prototxt spells by their last name."""
        if isinstance(node, ast.Attribute) and node.attr.isupper():
            return _Enum(node.attr)
        return evaluate(node, self.scope)


class _Enum(str):
    """The name of an enum's value, spelled without quotes."""

    __slots__ = ()


def _spelled(value: Any) -> str:
    if isinstance(value, _Enum):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, int | float):
        return repr(value)
    raise NotConstantError("no value that a field may have")
