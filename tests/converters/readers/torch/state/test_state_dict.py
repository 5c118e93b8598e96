"""Weights beside an exported program: what load_state_dict does is what the model then holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.make_safetensors import write_safetensors
from tests.converters.proof.source.support import compare
from upconv.converters.ir.errors import AmbiguousError, UnreadableError, UnsupportedError
from upconv.converters.ir.model import Model
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.torch.state.state_dict import (
    WRAPPERS,
    StateDict,
    match,
    open_state_dict,
    unwrapped,
)

pytest.importorskip("torch")

import torch

pytestmark = pytest.mark.filterwarnings("ignore")
Save = Callable[[Mapping[str, Any], Path], Path]


def network(seed: int) -> Any:
    """An upsampler, tied to itself in one place, with BatchNorm's buffers."""
    torch.manual_seed(seed)
    net = torch.nn.Sequential()
    net.add_module("up", torch.nn.ConvTranspose2d(3, 4, 3, 2, 1, 1))
    net.add_module("norm", torch.nn.BatchNorm2d(4))
    net.add_module("mix", torch.nn.Conv2d(4, 4, 1))
    net.add_module("again", torch.nn.Conv2d(4, 4, 1))
    net.again.weight = net.mix.weight
    net.norm.running_mean.normal_()
    net.norm.running_var.uniform_(0.5, 2)
    return net.eval()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "net.pt2"
    torch.export.save(torch.export.export(network(0), (torch.zeros(2, 3, 5, 7),)), path)
    return path


def as_checkpoint(state: Mapping[str, Any], folder: Path) -> Path:
    torch.save(dict(state), folder / "net.pth")
    return folder / "net.pth"


def as_old_checkpoint(state: Mapping[str, Any], folder: Path) -> Path:
    torch.save(dict(state), folder / "old.pth", _use_new_zipfile_serialization=False)
    return folder / "old.pth"


def as_safetensors(state: Mapping[str, Any], folder: Path) -> Path:
    """Safetensors keep one name of those that share a tensor."""
    kept = {
        n: v.numpy() for n, v in state.items() if v.dtype == torch.float32 and "again.w" not in n
    }
    return write_safetensors(folder / "net.safetensors", kept)


def with_weights(program: Path, weights: Path) -> Model:
    return open_model(str(program), ReadOptions(weights=str(weights)))


def kinds(model: Model) -> list[tuple[str, bool]]:
    return [(notice.kind, notice.harmless) for notice in model.notices]


@pytest.mark.parametrize("save", [as_checkpoint, as_old_checkpoint, as_safetensors])
def test_the_file_computes_what_the_loaded_module_does(
    save: Save, program: Path, tmp_path: Path
) -> None:
    import onnxruntime

    other = network(1)
    model = with_weights(program, save(other.state_dict(), tmp_path))
    assert kinds(model) == []
    write_onnx(model, tmp_path / "net.onnx")
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 7), np.float32)
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    (got,) = session.run(None, {model.inputs[0].name: x})
    with torch.no_grad():
        np.testing.assert_allclose(got, other(torch.from_numpy(x)).numpy(), rtol=0, atol=1e-5)


def test_the_source_runs_with_the_same_weights(program: Path, tmp_path: Path) -> None:
    options = ReadOptions(weights=str(as_checkpoint(network(1).state_dict(), tmp_path)))
    model = open_model(str(program), options)
    write_onnx(model, tmp_path / "net.onnx")
    assert compare(model, tmp_path / "net.onnx", options).verdict == "pass"
    assert compare(model, tmp_path / "net.onnx").verdict == "fail"


WRAPPINGS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "module.": lambda state: {f"module.{n}": v for n, v in state.items()},
    "state_dict.model.": lambda state: {
        "epoch": 3,
        "state_dict": {f"model.{n}": v for n, v in state.items()},
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}},
    },
    "model_state_dict._orig_mod.module.": lambda state: {
        "model_state_dict": {f"_orig_mod.module.{n}": v for n, v in state.items()}
    },
}


@pytest.mark.parametrize("prefix", WRAPPINGS)
def test_words_of_training_are_taken_off_and_said(
    prefix: str, program: Path, tmp_path: Path
) -> None:
    other = network(1)
    model = with_weights(program, as_checkpoint(WRAPPINGS[prefix](other.state_dict()), tmp_path))
    assert kinds(model) == [("unmatched-weights", True)]
    assert f"'{prefix}' was taken off its names" in str(model.notices[0].error)
    np.testing.assert_array_equal(
        model.layer("up").weights["weight"].array(), other.up.weight.detach()
    )


def test_words_of_the_model_are_taken_off_too(tmp_path: Path) -> None:
    class Wrapped(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = network(0)

        def forward(self, x: Any) -> Any:
            return self.net(x)

    path = tmp_path / "wrapped.pt2"
    torch.export.save(torch.export.export(Wrapped().eval(), (torch.zeros(2, 3, 5, 7),)), path)
    other = network(1)
    model = with_weights(path, as_checkpoint(other.state_dict(), tmp_path))
    assert "'net.' was taken off the model's" in str(model.notices[0].error)
    up = next(layer for layer in model.layers if layer.name.endswith("up"))
    np.testing.assert_array_equal(up.weights["weight"].array(), other.up.weight.detach())


def changed(**changes: Any) -> dict[str, Any]:
    state = dict(network(1).state_dict())
    for name, value in changes.items():
        key = name.replace("__", ".")
        if value is None:
            del state[key]
        else:
            state[key] = value
    return state


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"up__bias": None}, "missing key: up.bias"),
        ({"up__bias": None, "norm__weight": None}, "missing keys: up.bias, norm.weight"),
        (
            {"up__weight": torch.zeros(3, 5, 3, 3)},
            "size mismatch for up.weight: the file has 3x5x3x3, the model 3x4x3x3",
        ),
    ],
)
def test_what_load_state_dict_refuses_is_not_converted(
    changes: dict[str, Any], said: str, program: Path, tmp_path: Path
) -> None:
    state = changed(**changes)
    with pytest.raises(RuntimeError, match=f"(?i){said.split(maxsplit=1)[0]}"):
        network(0).load_state_dict(state)
    model = with_weights(program, as_checkpoint(state, tmp_path))
    assert [(n.kind, n.harmless) for n in model.notices] == [("unreadable-part", False)]
    assert said in str(model.notices[0].error)
    with pytest.raises(UnsupportedError, match=r"another version of this model"):
        write_onnx(model, tmp_path / "net.onnx")


def test_names_that_the_model_lacks_are_said(program: Path, tmp_path: Path) -> None:
    state = changed(head__weight=torch.zeros(3))
    model = with_weights(program, as_checkpoint(state, tmp_path))
    assert kinds(model) == [("unmatched-weights", True)]
    assert "unexpected key, which the model does not have: head.weight" in str(
        model.notices[0].error
    )
    write_onnx(model, tmp_path / "net.onnx")


def test_counters_of_batch_norm_are_not_asked_for(program: Path, tmp_path: Path) -> None:
    state = changed(norm__num_batches_tracked=None)
    assert kinds(with_weights(program, as_checkpoint(state, tmp_path))) == []


def test_weights_that_are_there_twice_are_not_chosen(program: Path, tmp_path: Path) -> None:
    state = {"params": network(1).state_dict(), "params_ema": network(2).state_dict()}
    path = as_checkpoint(state, tmp_path)
    (notice,) = with_weights(program, path).notices
    assert isinstance(notice.error, AmbiguousError)
    assert "under 'params.' and 'params_ema.'" in str(notice.error)


def test_a_plain_copy_is_taken_before_an_averaged_one(program: Path, tmp_path: Path) -> None:
    """Names without a word before them are the model's own."""
    other = network(1)
    state = {**other.state_dict(), "ema": network(2).state_dict()}
    model = with_weights(program, as_checkpoint(state, tmp_path))
    np.testing.assert_array_equal(
        model.layer("up").weights["weight"].array(), other.up.weight.detach()
    )


def test_weights_of_another_model(program: Path, tmp_path: Path) -> None:
    (notice,) = with_weights(program, as_checkpoint({"a.weight": torch.zeros(2)}, tmp_path)).notices
    assert "none of its names is one of the model's" in str(notice.error)


def test_a_checkpoint_runs_nothing(program: Path, tmp_path: Path) -> None:
    """What it would run is said, and its tensors are taken."""

    class Hostile:
        def __reduce__(self) -> Any:
            return (open, (str(tmp_path / "ran"), "w"))

    path = as_checkpoint({"state_dict": network(1).state_dict(), "x": Hostile()}, tmp_path)
    (tmp_path / "ran").unlink(missing_ok=True)
    model = with_weights(program, path)
    assert ("executable-code", True) in kinds(model)
    assert not (tmp_path / "ran").exists()
    write_onnx(model, tmp_path / "net.onnx")


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"\x80", b"hello world", b"\x08\0\0\0\0\0\0\0{}"]
)
def test_files_that_hold_no_weights(data: bytes, program: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.pth"
    path.write_bytes(data)
    (notice,) = with_weights(program, path).notices
    assert notice.kind == "unreadable-part"
    assert not notice.harmless
    assert str(notice.error).startswith(str(path))


def test_a_file_that_is_not_there(program: Path, tmp_path: Path) -> None:
    (notice,) = with_weights(program, tmp_path / "none.pth").notices
    assert isinstance(notice.error, UnreadableError)


def test_a_program_is_no_state_dict(program: Path) -> None:
    with pytest.raises(UnsupportedError, match="a program, where weights are wanted"):
        open_state_dict(str(program))


NAMES = st.sets(
    st.from_regex(r"(?:enc|dec|[0-9])\.up[0-9]\.(?:weight|bias)", fullmatch=True), min_size=1
)
WORDS = st.lists(st.sampled_from(sorted(WRAPPERS)), max_size=3).map(
    lambda words: "".join(f"{w}." for w in words)
)


@given(NAMES, WORDS, WORDS, st.data())
def test_any_words_around_are_taken_off(
    names: set[str], own: str, prefix: str, data: st.DataObject
) -> None:
    """Every name finds its tensor, whatever stands before either, and what is left is told."""
    absent = data.draw(st.sets(st.sampled_from(sorted(names)), max_size=len(names) - 1))
    stored: dict[str, Any] = {f"{prefix}{name}": name for name in names - absent}
    extra = data.draw(NAMES) - names
    state = StateDict("net.pth", stored | {f"{prefix}{name}": name for name in extra})
    found = match([own + name for name in names], state)
    wanted: dict[str, Any] = {own + name: name for name in names - absent}
    assert found.tensors == wanted
    assert {*found.missing} == {own + name for name in absent}
    assert {*found.unexpected} == {prefix + name for name in extra}


def test_only_known_words_are_taken_off() -> None:
    assert [prefix for prefix, _ in unwrapped("module.backbone.up.weight")] == ["", "module."]
    assert [prefix for prefix, _ in unwrapped("module")] == [""]
