"""What may be asked of a job, as JSON that is held against its type before anything is kept."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from upconv.converters.ir.errors import UsageError
from upconv.service.jobs.spec import Kind

_STRICT: Final = ConfigDict(extra="forbid")
Word = Annotated[str, Field(max_length=1000)]
Words = Annotated[tuple[Word, ...], Field(max_length=1000)]


@dataclass(frozen=True, slots=True, config=_STRICT)
class ReadingOptions:
    """How a model is read, as on the command line. `weights` is the name of an uploaded file; where
    there is one model and one file of weights, they belong together."""

    weights: Word = ""
    inputs: Words = ()
    phase: Literal["TEST", "TRAIN"] | None = None
    dialect: Word | None = None
    keras_bilinear: Literal["half-pixel", "asymmetric"] | None = None
    keras_backend: Literal["tensorflow", "torch", "jax", "theano"] | None = None


@dataclass(frozen=True, slots=True, config=_STRICT)
class CheckOptions:
    """`paths` are names of uploaded files, all of them where it is empty. `config` is the name of
    an uploaded upconv.toml or pyproject.toml, whose folder paths are relative to then."""

    reading: ReadingOptions = field(default_factory=ReadingOptions)
    paths: Words = ()
    select: Words = ()
    ignore: Words = ()
    exclude: Words = ()
    fail_on: Literal["error", "warning", "info"] | None = None
    show_silenced: bool = False
    config: Word = ""
    targets: Words | None = None


@dataclass(frozen=True, slots=True, config=_STRICT)
class ConvertOptions:
    """`model` is the name of an uploaded file, "" for the only model among them. `proof` "none" is
    the same as no `prove`."""

    reading: ReadingOptions = field(default_factory=ReadingOptions)
    model: Word = ""
    opset: Annotated[int, Field(ge=1, le=100)] | None = None
    bilinear: Literal["conv-transpose", "separable", "matmul", "resize", "auto"] = "conv-transpose"
    fill_missing: Word = ""
    unknown: Literal["refuse", "custom-op"] = "refuse"
    outputs: Word = ""
    inputs: Word = ""
    prove: bool = True
    proof: Literal["full", "sampled", "none"] = "full"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    strict: bool = False
    targets: Words = ()


@dataclass(frozen=True, slots=True, config=_STRICT)
class VerifyOptions:
    """`onnx` is the name of the uploaded ONNX file that is held against `model`; "" where the model
    is one itself, or where there is only one."""

    reading: ReadingOptions = field(default_factory=ReadingOptions)
    model: Word = ""
    onnx: Word = ""
    fill_missing: Word = ""
    outputs: Word = ""
    inputs: Word = ""
    proof: Literal["full", "sampled"] = "full"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0


@dataclass(frozen=True, slots=True, config=_STRICT)
class AuditOptions:
    """`sizes` are those to look at, as on the command line; `against` is the name of an uploaded
    model to compare with, whose weights are `against_weights`. Both models may be named by a folder
    of their own, which their weights are looked for in."""

    reading: ReadingOptions = field(default_factory=ReadingOptions)
    model: Word = ""
    sizes: Word = ""
    against: Word = ""
    against_weights: Word = ""


Options = CheckOptions | ConvertOptions | VerifyOptions | AuditOptions

_TYPES: Final[dict[Kind, TypeAdapter[Any]]] = {
    "check": TypeAdapter(CheckOptions),
    "convert": TypeAdapter(ConvertOptions),
    "verify": TypeAdapter(VerifyOptions),
    "audit": TypeAdapter(AuditOptions),
}


def parse(kind: Kind, text: str) -> Any:
    """The options of a kind of job, with every default filled in.

    Raises UsageError where the text is no JSON, or says what nobody understands.
    """
    try:
        return _TYPES[kind].validate_json(text or "{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        what = f"{where}: {first['msg']}" if where else first["msg"]
        raise UsageError(f"the options of {kind} are not understood: {what}") from None


def canonical(kind: Kind, text: str) -> str:
    """The options in one spelling, so that the same said twice is the same. Raises as `parse`."""
    return _TYPES[kind].dump_json(parse(kind, text)).decode()


def schema(kind: Kind) -> dict[str, Any]:
    """The options of a kind as a JSON schema that stands alone."""
    whole = _TYPES[kind].json_schema()
    parts = whole.pop("$defs", {})
    alone: dict[str, Any] = _inlined(whole, parts)
    return alone


def _inlined(words: Any, parts: dict[str, Any]) -> Any:
    if isinstance(words, dict):
        if "$ref" in words:
            return _inlined(parts[words["$ref"].rpartition("/")[2]], parts)
        return {name: _inlined(one, parts) for name, one in words.items()}
    return [_inlined(one, parts) for one in words] if isinstance(words, list) else words
