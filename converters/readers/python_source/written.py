"""What rules may ask of a layer that a call makes."""

from __future__ import annotations

from dataclasses import dataclass

from upconv.converters.ir.source import Span
from upconv.converters.ir.written import NOTHING, Block, Written, spelled_otherwise
from upconv.converters.readers.python_source.call import Call


@dataclass(frozen=True, slots=True)
class CallSettings:
    """The arguments of a call, asked for in Caffe's words."""

    call: Call

    @property
    def params(self) -> Block:
        return NOTHING

    def span_of(self, *names: str) -> Span | None:
        return self.call.span_of(*spelled_otherwise(*names))

    def text_of(self, name: str) -> str:
        value = self.call.probably(name)
        return value if isinstance(value, str) else ""


def written_call(call: Call) -> Written:
    """The call, and its arguments as settings."""
    return Written(CallSettings(call), call=call)
