"""The models below a folder: which there are, what weights lie beside them, and where what is made
of them goes."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePath

from upconv.converters.ir.errors import UpconvError, UsageError
from upconv.converters.ir.records import record
from upconv.service.work.check_request import CheckRequest, Settings
from upconv.service.work.checking import LOOKED_FOR, discovered, sorted_kinds


@record(frozen=True, slots=True)
class Found:
    """The models below a folder, and the kinds of files that were passed over."""

    folder: str
    models: tuple[str, ...]
    passed: tuple[tuple[str, int], ...]


def is_folder_of_models(path: str) -> bool:
    """Whether it is a folder, and no model itself as TensorFlow's folders are."""
    from upconv.converters.readers.formats import may_hold_model

    return os.path.isdir(path) and not may_hold_model(path)


def models_below(folder: str, rules: CheckRequest, without: str = "", only: str = "") -> Found:
    """What a search finds that has a graph, but for what lies in `without`; of the format `only`,
    unless that is "". Raises UsageError where there is nothing."""
    from upconv.linter.reports.wording import passed_over

    if without and os.path.realpath(without) == os.path.realpath(folder):
        raise UsageError("is the folder that is searched", path=without, hint="name another one")
    passed: Counter[str] = Counter()
    settings = Settings(replace(rules, paths=(folder,)))
    models = []
    for path, _ in discovered((folder,), settings, passed):
        if without and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(without)):
            continue
        if kind := _another(str(path), only):
            passed[kind] += 1
            continue
        models.append(str(path))
    kinds = sorted_kinds(passed)
    if not models:
        over = f" ({passed_over(kinds)})" if kinds else ""
        hint = f"the others are held against a folder of such: upconv verify {folder} FOLDER"
        raise UsageError(
            f"no {f'{only} file' if only else 'model'} was found in {folder}{over}",
            hint=hint if only and kinds else LOOKED_FOR,
        )
    return Found(folder, tuple(models), kinds)


def _another(path: str, only: str) -> str:
    """The format of a file that can be checked only, or is not the wanted one; "" for others."""
    from upconv.converters.readers.formats import FORMATS, identify

    try:
        name = identify(path)
    except UpconvError:  # which its own work says
        return ""
    wanted = (f for f in FORMATS if f.state != "check only" and only in ("", f.name))
    return "" if name in {f.name for f in wanted} else name


def weights_beside(model: str) -> str:
    """The file of weights of the model's own name, or the only one beside the only model; "" where
    there is none, or it is not clear which."""
    from upconv.converters.readers.formats import is_candidate

    folder = os.path.dirname(model) or "."
    names = sorted(os.listdir(folder))
    weights = [name for name in names if _is_weights(os.path.join(folder, name))]
    own = [name for name in weights if _stem(name) == _stem(os.path.basename(model))]
    alone = len([name for name in names if is_candidate(os.path.join(folder, name))]) == 1
    found = own or (weights if alone else [])
    return os.path.join(os.path.dirname(model), found[0]) if len(found) == 1 else ""


def _stem(name: str) -> str:
    return name.removesuffix(".h5").rpartition(".")[0] or name


def _is_weights(path: str) -> bool:
    from upconv.converters.readers.formats import FORMATS, identify

    kinds = {entry.name for entry in FORMATS if entry.state == "--weights"}
    try:
        return os.path.isfile(path) and identify(path) in kinds
    except UpconvError:  # of no known format: it is no weights either
        return False


def targets_for(found: Found, out: str, ending: str) -> dict[str, str]:
    """Model -> its file below `out`, at the same place as in the folder. Raises UsageError where
    two would be one, or one would lie in the other."""
    targets: dict[str, str] = {}
    taken: dict[str, str] = {}
    for model in found.models:
        inner = PurePath(os.path.relpath(model, found.folder)).with_suffix(ending)
        name = inner.as_posix().casefold()  # some file systems take a and A for one
        if name in taken:
            raise UsageError(
                f"{taken[name]} and {model} would both become {PurePath(out, inner)}",
                hint="rename one, or convert it by itself",
            )
        taken[name] = model
        targets[model] = str(PurePath(out, inner))
    for name, model in taken.items():
        above = next((taken[str(up)] for up in map(str, PurePath(name).parents) if up in taken), "")
        if above:
            raise UsageError(f"what {model} becomes would lie in what {above} becomes")
    return targets
