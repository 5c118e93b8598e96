"""The weights of a file in the place of an exported program's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from upconv.converters.ir.errors import UnreadableError, UpconvError
from upconv.converters.ir.model import Notice
from upconv.converters.readers.files.stored import StoredTensor
from upconv.converters.readers.torch.state.state_dict import Match, listed, match, open_state_dict


@dataclass(frozen=True, slots=True)
class Given:
    """The tensors to use, by the names of the program's parameters and buffers, and what is to be
    said of them."""

    tensors: Mapping[str, StoredTensor]
    notices: tuple[Notice, ...] = ()


def given_weights(own: Mapping[str, StoredTensor], path: str) -> Given:
    """A program's weights with those of a file in their place; its own where no file is named.

    What load_state_dict would refuse (missing keys, other sizes) becomes a notice that keeps the
    model from being converted, and the program's own tensor stays.
    """
    if not path:
        return Given(own)
    try:
        state = open_state_dict(path)
        found = match(own.keys(), state)
    except UpconvError as error:
        return Given(own, (Notice("unreadable-part", error),))
    tied = {id(own[name]): tensor for name, tensor in found.tensors.items()}
    missing = tuple(name for name in found.missing if id(own[name]) not in tied)
    fitting = {name: tied.get(id(tensor), tensor) for name, tensor in own.items()}
    fitting |= found.tensors
    wrong = {name for name, tensor in own.items() if fitting[name].shape != tensor.shape}
    tensors = {name: own[name] if name in wrong else fitting[name] for name in own}
    told = (*_problems(found, missing, path), *_mismatches(own, fitting, wrong, path))
    return Given(tensors, (*state.notices, *told))


def _problems(found: Match, missing: tuple[str, ...], path: str) -> Iterator[Notice]:
    if missing:
        text = f"missing key{'s' * (len(missing) > 1)}: {listed(missing)}"
        hint = "these are the weights of another version of this model"
        yield Notice("unreadable-part", UnreadableError(text, path=path, hint=hint))
    if found.prefix or found.own:
        parts = (
            f"'{found.prefix}' was taken off its names" if found.prefix else "",
            f"'{found.own}' was taken off the model's" if found.own else "",
        )
        yield _remark(" and ".join(filter(None, parts)), path, "is this the model you mean?")
    if found.unexpected:
        plural = "s" * (len(found.unexpected) > 1)
        text = f"unexpected key{plural}, which the model does not have: {listed(found.unexpected)}"
        yield _remark(text, path, "is this a file of this model?")


def _mismatches(
    own: Mapping[str, StoredTensor],
    given: Mapping[str, StoredTensor],
    wrong: set[str],
    path: str,
) -> Iterator[Notice]:
    for name in sorted(wrong):
        text = (
            f"size mismatch for {name}: the file has {shape_text(given[name].shape)}, the model "
            f"{shape_text(own[name].shape)}"
        )
        hint = "these are the weights of another version of this model"
        yield Notice("unreadable-part", UnreadableError(text, path=path, hint=hint))


def _remark(text: str, path: str, hint: str) -> Notice:
    return Notice("unmatched-weights", UpconvError(text, path=path, hint=hint), harmless=True)


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape as people write it, 3x4x5x5."""
    return "x".join(map(str, shape)) or "a single value"
