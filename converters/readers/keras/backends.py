"""What computes a model of Keras, and where backends compute another thing of the same layer.

HDF5 files and architectures of Keras 2 record the backend, `.keras` files do not. What is recorded
counts; else what the user says (`--keras-backend`); else TensorFlow, with a notice where another
backend would compute other numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from upconv.converters.ir.errors import AmbiguousError, UnsupportedError
from upconv.converters.ir.origin import Origin
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.keras.lowering import KerasLayer, NotRunnableError, Step
from upconv.converters.readers.keras.version import KerasVersion
from upconv.converters.readers.options import ReadOptions

Meaning = TypeVar("Meaning")

DEFAULT: Final = "tensorflow"
MODERN: Final = (DEFAULT, "torch", "jax")
"""What Keras 3 computes with."""
ALIKE: Final = {"numpy": "jax"}
"""Backends that compute all that is read here as another one does."""
KNOWN: Final = (*MODERN, "theano")
TORCH_MENDED: Final = (3, 15)
"""The first Keras whose transposed convolutions on torch are those of the other backends."""
TORCH_CLAMPS: Final = (3, 13)
"""The first Keras that shortens an output_padding which torch refuses."""
TORCH_IN_ORDER: Final = (3, 9)
"""The first Keras on torch that does not exchange the axes of an even `same` padding."""
TORCH_REPEATS: Final = (3, 7)
"""The first Keras on torch that averages over a repeated border where `same` is uneven."""


class BackendNotice(UnsupportedError):
    """The file does not record the backend, and it matters: the layer is read as TensorFlow's."""


def recorded(version: KerasVersion) -> str:
    """The backend that a file records, "" for none and for one that is not known."""
    name = ALIKE.get(version.backend, version.backend)
    return name if name in KNOWN else ""


def require_known(version: KerasVersion, said: str, work: Workspace, origin: Origin) -> None:
    """Note a recorded backend that is not known, where the user does not say what it is like."""
    if version.backend and not recorded(version) and not said:
        problem = AmbiguousError(
            f"its backend is '{version.backend}', and how that computes is not known",
            hint="say which backend it computes like, as in --keras-backend tensorflow",
        )
        work.refuse(problem, "", origin)


def chosen(version: KerasVersion, options: ReadOptions) -> str:
    """The backend that computes a model, TensorFlow where nobody says."""
    return recorded(version) or options.keras_backend or DEFAULT


def backend_of(layer: KerasLayer) -> str:
    """The backend that computes a layer."""
    return chosen(layer.version, layer.options)


def _is_open(layer: KerasLayer) -> bool:
    said = recorded(layer.version) or layer.options.keras_backend
    return not said and layer.version.is_3


def newer(layer: KerasLayer, numbers: tuple[int, int]) -> bool:
    """Whether the file is of that Keras or a later one; one that does not say is of today's."""
    return (layer.version.numbers or numbers) >= numbers


def agreed(layer: KerasLayer, step: Step, meaning: Callable[[str], Meaning], what: str) -> Meaning:
    """`meaning` of the backend that computes the layer; it raises NotRunnableError where that
    backend fails on it.

    Where the backend is open, a meaning that all backends share which run the layer; else
    TensorFlow's, with a notice that `what` is open.
    """
    if not _is_open(layer):
        return meaning(backend_of(layer))
    found: dict[str, Meaning] = {}
    failed: list[NotRunnableError] = []
    for backend in MODERN:
        try:
            found[backend] = meaning(backend)
        except NotRunnableError as error:
            failed.append(error)
    if not found:
        raise failed[0]
    others = [name for name in found if found[name] != found.get(DEFAULT)]
    if DEFAULT in found and others:
        step.work.refuse(_open(layer, what, others[0]), layer.name, layer.origin)
        return found[DEFAULT]
    first, *rest = found.values()
    if any(one != first for one in rest):
        raise AmbiguousError(_text(layer, what), layer=layer.name, hint=_HINT)
    return first


_HINT: Final = "give --keras-backend tensorflow, torch or jax"


def _text(layer: KerasLayer, what: str) -> str:
    keras = f"Keras {layer.version.text}".rstrip()
    return f"{what} differs between the backends of {keras}, and the file does not record its own"


def _open(layer: KerasLayer, what: str, other: str) -> BackendNotice:
    text = f"{_text(layer, what)}: read as TensorFlow's, which is not what {other} computes"
    return BackendNotice(text, hint=_HINT)
