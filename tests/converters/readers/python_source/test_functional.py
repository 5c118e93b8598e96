"""Functional Keras code in straight lines is a graph, and what is not decided ends it unsaid."""

from __future__ import annotations

from typing import Any

import pytest

from tests.converters.readers.python_source.support import read
from upconv.converters.ir import operators as ops
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Model
from upconv.converters.ir.origin import Source
from upconv.converters.readers.options import ReadOptions
from upconv.linter.finding import Finding
from upconv.linter.running.engine import CheckOptions, check_source

HEAD = "from tensorflow.keras.layers import *\nfrom tensorflow.keras.models import Model\n"

U_NET = HEAD + (
    "def unet():\n"
    "    inputs = Input(shape=SHAPE, name='image')\n"
    "    c1 = Conv2D(8, 3, padding='same', activation='relu', name='c1')(inputs)\n"
    "    x = MaxPooling2D(name='p1')(c1)\n"
    "    x = c2 = Conv2D(16, (3, 5), padding='same', dilation_rate=2, name='c2')(x)\n"
    "    x = MaxPool2D((2, 2), name='p2')(x)\n"
    "    x = Dropout(0.5)(Activation('relu')(BatchNormalization()(Conv2D(32, 1)(x))))\n"
    "    x = Conv2DTranspose(16, (4, 2), strides=2, padding='same', name='up2')(x)\n"
    "    x = concatenate([x, c2], axis=3, name='join2')  # line 11\n"
    "    x = Conv2D(8, 3, padding='same', name='d2')(x)\n"
    "    x = UpSampling2D(name='up1')(x)\n"
    "    x = Concatenate(name='join1')([c1, x])\n"
    "    return Model(inputs, Conv2D(1, 1, name='out')(x))\n"
)


def merges(code: str) -> list[Finding]:
    options = CheckOptions(ReadOptions(), select=("UP103",))
    return list(check_source(Source("net.py", code), options).findings)


def line(finding: Finding) -> int:
    assert finding.place is not None
    return finding.place.line


def shapes(model: Model) -> dict[str, tuple[Any, ...]]:
    """Layer -> what it makes, as far as it is known, without the batch and with channels last."""
    found = infer(model).shapes
    known = {layer.name: found[layer.outputs[0]] for layer in model.layers}
    return {name: (*one[2:], *one[1:2]) for name, one in known.items() if one is not None}


def joined(model: Model) -> int:
    return sum(isinstance(one.operator, ops.Concat | ops.Eltwise) for one in model.layers)


def test_a_u_net_whose_sizes_do_not_fit() -> None:
    (finding,) = merges(U_NET.replace("SHAPE", "(100, 90, 3)"))
    assert line(finding) == 11
    assert "width differs at the merge: 'up2' is (N)x16x50x44, 'c2' is (N)x16x50x45" in (
        finding.message
    )


def test_a_u_net_whose_sizes_fit() -> None:
    code = U_NET.replace("SHAPE", "(96, 80, 3)")
    model = read(code)
    assert merges(code) == []
    assert infer(model).errors == ()
    assert shapes(model)["out"] == (96, 80, 1)
    assert [layer.inputs for layer in model.layers if layer.name == "join1"] == [("c1", "up1")]


def test_open_sizes_say_what_fits() -> None:
    code = U_NET.replace("SHAPE", "(None, None, 3)")
    options = CheckOptions(ReadOptions(), select=("UP1",))
    found = check_source(Source("net.py", code), options).findings
    (fragile,) = (one for one in found if one.code == "UP112")
    assert "only inputs with H % 4 == 0 and W % 4 == 0 fit" in fragile.message
    assert line(fragile) == 11
    assert merges(code) == []


def test_a_size_that_is_a_default_or_a_constant() -> None:
    code = U_NET.replace("SHAPE", "size")
    (constant,) = merges(code.replace("def unet", "size = (100, 90, 3)\ndef unet"))
    (default,) = merges(code.replace("unet()", "unet(size=(100, 90, 3))"))
    assert (constant.severity, default.severity) == ("error", "warning")
    assert "('size' is (100, 90, 3) by default)" in default.message
    assert merges(code.replace("unet()", "unet(size)")) == []


FIRST = HEAD + (
    "a = Input((3, 10, 13), name='a')\n"
    "p = MaxPooling2D(2, data_format='channels_first', name='p')(a)\n"
    "u = UpSampling2D(2, data_format='channels_first', name='u')(p)\n"
    "z = ZeroPadding2D(((0, 0), (0, 1)), data_format='channels_first', name='z')(u)\n"
    "m = Concatenate(axis=1, name='m')([a, z])\n"
)


def test_channels_first() -> None:
    (short,) = merges(FIRST.replace("(0, 1)", "(0, 0)"))
    assert (line(short), "width differs" in short.message) == (7, True)
    assert merges(FIRST) == []
    assert shapes(read(FIRST))["m"] == (10, 13, 6)
    mixed = FIRST.replace("data_format='channels_first', name='p'", "name='p'")
    assert joined(read(mixed)) == 0
    elsewhere = "from keras import backend as K\nK.set_image_data_format('{}')\n"
    code = U_NET.replace("SHAPE", "(100, 90, 3)")
    assert merges(elsewhere.format("channels_first") + code) == []
    assert len(merges(elsewhere.format("channels_last") + code)) == 1


def test_several_models_keep_apart() -> None:
    code = HEAD + "".join(
        f"x = Input({size}, name='in{n}')\n"
        "y = UpSampling2D()(MaxPooling2D()(x))\n"
        f"net{n} = Model(x, add([x, y], name='m{n}'))\n"
        for n, size in enumerate(("(8, 8, 1)", "(9, 8, 1)", "(None, 8, 1)"))
    )
    (finding,) = merges(code)
    assert (finding.layer, line(finding)) == ("m1", 8)
    two = HEAD + (
        "a, b = 0, 0\n"
        "a = Input((None, None, 3))\n"
        "b = Input((None, None, 3))\n"
        "c = Concatenate()([a, UpSampling2D()(AveragePooling2D(4)(b))])\n"
    )
    assert (joined(read(two)), merges(two)) == (1, [])


def test_a_layer_that_is_kept_and_used_twice() -> None:
    code = HEAD + (
        "up = UpSampling2D(3)\n"
        "a = Input((4, 5, 2))\n"
        "b = Input((12, 14, 2))\n"
        "x = up(a)\n"
        "y = up(x)\n"
        "m = Maximum()([x, b])\n"
    )
    (finding,) = merges(code)
    assert line(finding) == 8
    assert sorted(shapes(read(code)).values())[-1] == (36, 45, 2)


def test_what_is_repeated_fits() -> None:
    code = HEAD + (
        "a = Input((8, 8, 4))\n"
        "s = AveragePooling2D(8)(a)\n"
        "m = multiply([UpSampling2D()(MaxPooling2D()(a)), s])\n"
    )
    model = read(code)
    assert joined(model) == 1
    assert infer(model).errors == ()


BRANCH = "x = Input((9, 9, 1))\ny = UpSampling2D()(MaxPooling2D()(x))\n{}\nm = Add()([x, y])\n"


@pytest.mark.parametrize(
    "between",
    [
        "if flag:\n    y = x",
        "for _ in range(1):\n    y = Conv2D(1, 3)(y)",
        "with strategy.scope():\n    y = crop(y)",
        "try:\n    y = ZeroPadding2D(1)(y)\nexcept ValueError:\n    pass",
        "y = own(y)",
        "y = Lambda(lambda t: t[:, :9, :9])(y)",
        "y += 1",
        "y = (z := y)",
        "y, z = pair(y)",
        "y = Cropping2D(amount)(y)",
        "y = ZeroPadding2D(**options)(y)",
        "y = Conv2D(1, 3, padding='same', strides=step)(y)",
        "def y(): pass",
        "del y",
        "def change():\n    global y\n    y = x",
        "import y",
        "y = Resizing(9, 9)(y)",
        "raise SystemExit",
        "if y.shape != x.shape:\n    sys.exit()",
    ],
)
def test_what_is_not_decided_ends_the_graph_unsaid(between: str) -> None:
    code = HEAD + BRANCH.format(between)
    assert merges(code) == []
    assert not any(one.kind == "unread-calls" for one in read(code).notices)
    assert len(merges(HEAD + BRANCH.format(""))) == 1


def test_names_of_one_function_are_not_those_of_another() -> None:
    code = HEAD + (
        "x = Input((9, 9, 1))\n"
        "y = UpSampling2D()(MaxPooling2D()(x))\n"
        "def f(x):\n"
        "    return Add()([x, y])\n"
        "g = lambda x: Add()([x, y])\n"
    )
    assert merges(code) == []


@pytest.mark.parametrize("shape", ["batch_shape=5", "shape='ab'", "(0, 9, 1)", "shape=((9,), 9)"])
def test_what_is_no_shape_is_none(shape: str) -> None:
    code = HEAD + BRANCH.format("").replace("Input((9, 9, 1))", f"Input({shape})")
    assert (merges(code), joined(read(code))) == ([], 0)


def test_long_and_deep_code_ends() -> None:
    nested = "UpSampling2D(1)(" * 90 + "x" + ")" * 90
    chained = "f" + "(x)" * 2000
    code = HEAD + BRANCH.format(f"z = {nested}\nz = {chained}")
    assert len(merges(code)) == 1


NETS = (
    U_NET.replace("SHAPE", "(96, 80, 3)") + "net = unet()\n",
    HEAD
    + (
        "a = Input((15, 17, 3), name='a')\n"
        "c = Conv2D(4, (3, 2), strides=(2, 3), padding='same', name='c')(a)\n"
        "t = Conv2DTranspose(5, (3, 5), strides=(2, 3), padding='valid', name='t')(c)\n"
        "s = Conv2DTranspose(5, 3, strides=(2, 1), padding='same', output_padding=(1, 0),"
        " name='s')(c)\n"
        "p = AveragePooling2D((3, 2), strides=2, padding='same', name='p')(t)\n"
        "z = ZeroPadding2D(((1, 0), (2, 3)), name='z')(s)\n"
        "k = Cropping2D(((1, 2), (0, 1)), name='k')(z)\n"
        "j = concatenate([p, p], axis=1, name='j')\n"
        "h = concatenate([p, p], axis=-2, name='h')\n"
        "q = average([k, k, k], name='q')\n"
        "net = Model(a, [j, h, q])\n"
    ),
    HEAD
    + (
        "v = Input((6,), name='v')\n"
        "d = Reshape((3, 4, 5), name='d')(Dense(60, name='dense')(v))\n"
        "u = UpSampling2D((2, 3), interpolation='bilinear', name='u')(d)\n"
        "w = subtract([u, Conv2D(5, 1, name='one')(u)], name='w')\n"
        "net = Model(inputs=v, outputs=w)\n"
    ),
)


@pytest.mark.parametrize("code", NETS)
def test_shapes_are_those_of_keras(code: str) -> None:
    pytest.importorskip("tensorflow")
    names: dict[str, Any] = {}
    exec(code, names)
    ours = shapes(read(code))
    assert infer(read(code)).errors == ()
    theirs = {
        one.name: tuple(one.output.shape[1:]) for one in names["net"].layers if one.name in ours
    }
    assert len(theirs) >= 5
    assert theirs == {name: ours[name] for name in theirs}
