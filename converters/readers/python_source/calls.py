"""Every call in a file that is looked for, with its arguments by name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.origin import Span
from upconv.converters.ir.similar import similar
from upconv.converters.readers.python_source.assumed import Assumptions, Callers
from upconv.converters.readers.python_source.call import Argument, Call
from upconv.converters.readers.python_source.scopes import Scope, dotted_names
from upconv.converters.readers.python_source.signatures import (
    SEQUENTIAL,
    Signature,
    caffe_type,
    canonical,
    signature_of,
)
from upconv.converters.readers.python_source.text import MAX_NODES, Fragment
from upconv.converters.readers.python_source.values import NotConstantError, evaluate
from upconv.converters.readers.python_source.walking import Visit, walk

MAX_CALLS: Final = 20_000
_COMMENT: Final = re.compile(r"#[^\n]*")


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """One call expression where it stands: its scope, its statement and its piece of code."""

    node: ast.Call
    visit: Visit
    fragment: Fragment

    @property
    def span(self) -> Span:
        return self.fragment.span(self.node)

    @property
    def names(self) -> tuple[str, ...]:
        """What is called, as dotted paths."""
        return dotted_names(self.node.func, self.visit.scope)

    @property
    def target(self) -> ast.expr | None:
        """What the call's result, or that of a call of its result, is assigned to."""
        statement = self.visit.statement
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, value = statement.targets[0], statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            target, value = statement.target, statement.value
        else:
            return None
        if isinstance(value, ast.Call) and value.func is self.node:
            return target
        return target if value is self.node else None


@dataclass(slots=True)
class Sites:
    """All calls of a file by their nodes, and those of interest in the order of the text.

    `sized` are the names of what is called with an output size: `self.up(x, output_size=s)`.
    `callers` are the calls of the file's own functions.
    """

    by_node: dict[int, Site] = field(default_factory=dict)
    upsampling: list[tuple[Site, Signature]] = field(default_factory=list)
    sequentials: list[Site] = field(default_factory=list)
    caffe: list[tuple[Site, str]] = field(default_factory=list)
    methods: list[Site] = field(default_factory=list)
    sized: set[str] = field(default_factory=set)
    callers: Callers = field(default_factory=Callers)


def find_calls(fragments: Sequence[Fragment]) -> Sites:
    """The calls in pieces of code that share one module's names.

    Raises UnreadableError where there are more of them than people write.
    """
    module = Scope("module")
    found: list[Site] = []
    nodes = 0
    for fragment in fragments:
        for visit in walk(fragment.tree, module):
            nodes += 1
            if isinstance(visit.node, ast.Call):
                found.append(Site(visit.node, visit, fragment))
            if nodes > MAX_NODES:
                raise UnreadableError(f"more than {MAX_NODES} nodes", path=fragment.source.path)
    sites = Sites({id(site.node): site for site in found})
    for site in found:
        _sort(site, sites)
    return sites


def _sort(site: Site, sites: Sites) -> None:
    sites.callers.enter(site.node, site.visit.scope)
    if isinstance(site.node.func, ast.Attribute) and site.node.func.attr == "add":
        sites.methods.append(site)
    if _tells_size(site.node):
        sites.sized.add(last_name(site.node.func))
    names = site.names
    if not names:
        return
    signature = signature_of(names)
    kind = caffe_type(names)
    if signature is not None and signature.upsamples:
        sites.upsampling.append((site, signature))
    elif kind:
        sites.caffe.append((site, kind))
    elif any(canonical(name) in SEQUENTIAL for name in names):
        sites.sequentials.append(site)
    if len(sites.upsampling) + len(sites.caffe) > MAX_CALLS:
        raise UnreadableError(
            f"more than {MAX_CALLS} upsampling calls", path=site.fragment.source.path
        )


def _tells_size(node: ast.Call) -> bool:
    """Whether a module is called with more than its input."""
    return len(node.args) == 2 or any(one.arg in (None, "output_size") for one in node.keywords)


def last_name(node: ast.expr | None) -> str:
    """The last part of a dotted name; "" of what is none."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def call_of(site: Site, signature: Signature, sites: Sites) -> Call:
    """The call with its arguments by the names of a signature's parameters."""
    node, fragment, target = site.node, site.fragment, last_name(site.target)
    assumptions = Assumptions(sites.callers)
    arguments: dict[str, Argument] = {}
    problem = ""
    complete = True
    for name, value, whole, scope in _pairs(site, signature.parameters, assumptions):
        if not name:
            complete = False
        elif name in arguments:
            problem = f"{name} is given twice"
        elif name not in signature.parameters:
            problem = _no_such_argument(name, signature)
        else:
            tensor = name in signature.tensors
            spans = _spans(value, whole, site)
            arguments[name] = _argument(name, spans, (value, scope), tensor, assumptions)
    return Call(
        path=signature.path,
        framework=signature.framework,
        span=fragment.span(node),
        callee=fragment.span(node.func),
        arguments=arguments,
        defaults=signature.defaults,
        complete=complete,
        room=_room(node, fragment),
        node=node,
        scope=site.visit.scope,
        fragment=fragment,
        assumptions=assumptions,
        problem=problem,
        sized=bool(target) and target in sites.sized,
    )


def _no_such_argument(name: str, signature: Signature) -> str:
    close = similar(name, signature.parameters, 1)
    return f"it takes no argument {name}" + (f", did you mean {close[0]}?" if close else "")


_Written = tuple[str, ast.expr, ast.expr | ast.keyword, Scope]


def _pairs(site: Site, parameters: Sequence[str], assumptions: Assumptions) -> Iterator[_Written]:
    """(name, value, what is written, the value's scope) of every argument; the name is "" for `*a`
    and what stands behind it, and for `**k` where nothing says what is in it."""
    node, scope = site.node, site.visit.scope
    scattered = False
    for index, value in enumerate(node.args):
        scattered = scattered or isinstance(value, ast.Starred)
        if scattered:
            yield "", value, value, scope
        else:
            name = parameters[index] if index < len(parameters) else f"number {index + 1}"
            yield name, value, value, scope
    for keyword in node.keywords:
        if keyword.arg is not None:
            yield keyword.arg, keyword.value, keyword, scope
            continue
        try:
            entries = assumptions.entries(keyword.value, scope)
        except NotConstantError:
            yield "", keyword.value, keyword, scope
        else:
            yield from ((name, value, keyword, where) for name, value, where in entries)


def _spans(value: ast.expr, whole: ast.expr | ast.keyword, site: Site) -> tuple[Span, Span]:
    """Where a value is written, and the whole argument; one of `**options` is where these are."""
    fragment = site.fragment
    if isinstance(whole, ast.keyword) and whole.arg is None:
        value = whole.value
        return fragment.span(value), fragment.span(value)
    span = fragment.span(value)
    return span, fragment.keyword_span(whole) if isinstance(whole, ast.keyword) else span


_OF_EACH_CALL: Final = frozenset(
    {"bias", "filters", "groups", "in_channels", "name", "out_channels", "use_bias"}
)
"""What differs from call to call of a block by its nature, so that nothing is assumed of it."""


def _argument(
    name: str,
    spans: tuple[Span, Span],
    placed: tuple[ast.expr, Scope],
    tensor: bool,
    assumptions: Assumptions,
) -> Argument:
    if tensor:
        return Argument(name, *spans, placed[0], None, "a tensor")
    worth = evaluate if name in _OF_EACH_CALL else assumptions.value
    try:
        return Argument(name, *spans, placed[0], worth(*placed))
    except NotConstantError as error:
        return Argument(name, *spans, placed[0], None, str(error))


def _room(node: ast.Call, fragment: Fragment) -> tuple[Span, str]:
    """Where a keyword argument may be inserted, and what must stand before it."""
    end = fragment.code_range(node)[1] - 1
    values = [*node.args, *(keyword.value for keyword in node.keywords)]
    if not values:
        return fragment.span_of(end, end), ""
    last = max(fragment.code_range(value)[1] for value in values)
    between = fragment.code[last:end]
    if ")" not in between and "#" not in between:
        return fragment.span_of(last, last), ", "
    comma = "," in _COMMENT.sub("", between)
    return fragment.span_of(end, end), "" if comma else ", "
