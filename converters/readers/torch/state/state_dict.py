"""Weights beside a definition: a state_dict in a file, and its names held against the model's.

A state_dict is stored bare, or inside of what training saves, and its names begin as the modules
around the network were called when it was saved: by DataParallel (`module.`), torch.compile
(`_orig_mod.`), Lightning (`state_dict`, then `model.` or `net.`), or a training script. Such words
are taken off where that makes names fit, and it is said; nothing else is guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from upconv.converters.ir.errors import AmbiguousError, UnreadableError, UnsupportedError
from upconv.converters.ir.model import Notice
from upconv.converters.readers.files.stored import StoredTensor
from upconv.converters.readers.files.torch_archive import open_archive
from upconv.converters.readers.files.wire import map_file
from upconv.converters.readers.torch.state.checkpoint import DATA, from_archive, from_stream
from upconv.converters.readers.torch.state.globals import notices
from upconv.converters.readers.torch.state.safetensors import read_safetensors
from upconv.converters.readers.torch.state.sniffing import (
    PICKLE,
    SNIFFED,
    ZIP,
    is_archive,
    is_safetensors,
)

# fmt: off
WRAPPERS: Final = frozenset(
    {
        "_orig_mod", "ema", "ema_state_dict", "generator", "model", "model_ema",
        "model_state_dict", "module", "net", "netG", "net_state_dict", "network", "params",
        "params_ema", "state_dict", "state_dict_ema", "weights",
    }
)
# fmt: on
"""What stands before a network's own names in the files that training writes."""

COUNTERS: Final = ".num_batches_tracked"
"""What BatchNorm counts while it trains; older files lack it, and inference never reads it."""

SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class StateDict:
    """The tensors of a file by their dotted names, and what the file would run if it were loaded
    the usual way."""

    path: str
    tensors: Mapping[str, StoredTensor]
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """A model's names and the tensors that are theirs.

    `prefix` stands before the names in the file and `own` before those of the model. `missing` are
    names of the model that the file lacks, `unexpected` those of the file that the model lacks.
    """

    tensors: Mapping[str, StoredTensor]
    prefix: str
    own: str
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]


def is_state_dict(path: str) -> bool:
    """Whether a file is of a kind that may hold a state_dict, by its content.

    Raises UnreadableError where it cannot be opened.
    """
    head = bytes(map_file(path, "file of weights")[:SNIFFED])
    return is_safetensors(head) or head.startswith(PICKLE) or is_archive(head)


def open_state_dict(path: str) -> StateDict:
    """The tensors in a safetensors file, or in a checkpoint, of which nothing is run.

    Raises UnreadableError where the file is neither or corrupt, and UnsupportedError where it is
    an exported program or a TorchScript archive.
    """
    view = map_file(path, "file of weights")
    head = bytes(view[:9])
    if is_safetensors(head):
        return StateDict(path, read_safetensors(path))
    if not head.startswith((ZIP, PICKLE)):
        raise UnreadableError(
            "no weights of PyTorch", path=path, hint="give a safetensors file or a checkpoint"
        )
    return _of_checkpoint(view, path, zipped=head.startswith(ZIP))


def _of_checkpoint(view: memoryview, path: str, *, zipped: bool) -> StateDict:
    if zipped:
        archive = open_archive(path)
        if DATA not in archive or any(name.startswith("code/") for name in archive.names):
            raise UnsupportedError(
                "a program, where weights are wanted",
                path=path,
                hint="give the state_dict, as torch.save or safetensors writes it",
            )
        checkpoint = from_archive(archive)
    else:
        checkpoint = from_stream(view, path)
    told = (replace(notice, harmless=True) for notice in notices(checkpoint.names, path))
    return StateDict(path, checkpoint.tensors(), tuple(told))


def match(wanted: Collection[str], state: StateDict) -> Match:
    """The tensors of a model's names, with words of WRAPPERS taken off where that finds most.

    Raises UnreadableError where the file has none of the names, and AmbiguousError where it has
    them several times.
    """
    counts = {
        (own, prefix): count
        for own in _shared_wrappers(wanted)
        for prefix, count in _prefixes({name[len(own) :] for name in wanted}, state).items()
    }
    if not counts:
        raise _none_found(wanted, state)
    rank = {pair: (count, -_words(*pair)) for pair, count in counts.items()}
    best = [pair for pair in rank if rank[pair] == max(rank.values())]
    if len({prefix for _, prefix in best}) > 1:
        names = " and ".join(sorted(f"'{prefix}'" for _, prefix in best))
        raise AmbiguousError(
            f"it holds the model's weights several times, under {names}",
            path=state.path,
            hint="save those you mean in a file of their own",
        )
    return _matched(wanted, state, *best[0])


def _matched(wanted: Collection[str], state: StateDict, own: str, prefix: str) -> Match:
    keys = {name: prefix + name[len(own) :] for name in wanted}
    taken = set(keys.values())
    return Match(
        {name: state.tensors[key] for name, key in keys.items() if key in state.tensors},
        prefix,
        own,
        tuple(n for n, key in keys.items() if key not in state.tensors and not _counts(n)),
        tuple(
            name
            for name in state.tensors
            if name.startswith(prefix) and name not in taken and not _counts(name)
        ),
    )


def _counts(name: str) -> bool:
    return name.endswith(COUNTERS)


def _words(own: str, prefix: str) -> int:
    return own.count(".") + prefix.count(".")


def _shared_wrappers(names: Collection[str]) -> list[str]:
    """The prefixes made of WRAPPERS that all names begin with, "" among them."""
    first = next(iter(names), "")
    found = (prefix for prefix, _ in unwrapped(first))
    return [prefix for prefix in found if all(name.startswith(prefix) for name in names)]


def _prefixes(core: Collection[str], state: StateDict) -> dict[str, int]:
    """Prefix -> how many of the names the file has behind it."""
    counts: dict[str, int] = {}
    for name in state.tensors:
        for prefix, rest in unwrapped(name):
            if rest in core:
                counts[prefix] = counts.get(prefix, 0) + 1
    return counts


def unwrapped(name: str) -> Iterator[tuple[str, str]]:
    """(prefix, rest) of a name, with ever more words of WRAPPERS in the prefix.

    >>> list(unwrapped("state_dict.module.up.weight"))[1:]
    [('state_dict.', 'module.up.weight'), ('state_dict.module.', 'up.weight')]
    """
    prefix, rest = "", name
    yield prefix, rest
    while True:
        word, dot, behind = rest.partition(".")
        if not dot or word not in WRAPPERS:
            return
        prefix, rest = f"{prefix}{word}.", behind
        yield prefix, rest


def _none_found(wanted: Collection[str], state: StateDict) -> UnreadableError:
    return UnreadableError(
        f"none of its names is one of the model's: it has {listed(state.tensors)}, the model has "
        f"{listed(wanted)}",
        path=state.path,
        hint="these are the weights of another model",
    )


def listed(names: Collection[str]) -> str:
    """Some names, and how many more there are.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    shown = [name for _, name in zip(range(SHOWN), names, strict=False)]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "") if shown else "none"
