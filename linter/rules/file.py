"""UP0xx: the file itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from upconv.linter.fixing import word_remedies
from upconv.linter.notices import NOTICES
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context


@rule(
    "UP001", "unreadable", severity="error", source="BVLC/caffe upgrade_proto.cpp", stage="closing"
)
def unreadable(context: Context) -> Iterator[Hit]:
    """The file, or a part of it, cannot be read.

    What it finds:
        Text that is no protobuf text, values of the wrong type, files that hold no net, truncated
        or corrupt weights. All mistakes of a file are reported at once.

    Why it is bad:
        Caffe aborts on it. A file that cannot be read was not checked, and is never "clean".

    Example:
        layer { name: "up" type: "Deconvolution" convolution_param { kernel_size: four } }

    Use instead:
        layer { name: "up" type: "Deconvolution" convolution_param { kernel_size: 4 } }

    Fix safety:
        There is no fix: only the author knows what was meant.

    References:
        protobuf's text format; BVLC/caffe src/caffe/util/upgrade_proto.cpp
    """
    yield from context.notices("UP001")
    for error in context.failures:
        yield context.hit_of(error, "nothing in it was checked: mend it, or leave it out")


@rule("UP002", "unknown-field", severity="warning", source="BVLC/caffe caffe.proto")
def unknown_field(context: Context) -> Iterator[Hit]:
    """A layer has a field that neither BVLC's Caffe nor a known fork reads.

    What it finds:
        Field names that no schema has. Where one letter or two make it a known name, the finding
        says which.

    Why it is bad:
        Caffe refuses the whole file. Tools that are more tolerant drop the field, and run the layer
        with its default in silence.

    Example:
        convolution_param { num_ouput: 21 kernel_size: 4 }

    Use instead:
        convolution_param { num_output: 21 kernel_size: 4 }

    Fix safety:
        Safe where one wrong, missing, extra or swapped letter makes it one known name: Caffe does
        not load the file otherwise. Unsafe where the name is further off. There is none where the
        block has the field already, or where it belongs into another block.

    References:
        BVLC/caffe src/caffe/proto/caffe.proto
    """
    root = context.net.origin.written.block
    for notice in context.noticed("UP002"):
        error = notice.error
        yield Hit(
            error.message,
            error.hint or NOTICES[notice.kind].help,
            where=error.where,
            fix=word_remedies.respelt(root, error.where, notice.near) if error.where else None,
            layer_name=error.layer,
        )


@rule("UP003", "unknown-layer-type", severity="warning", source="BVLC/caffe layer_factory.cpp")
def unknown_layer_type(context: Context) -> Iterator[Hit]:
    """A layer's type is not known, or forks disagree about what it means.

    What it finds:
        Types that neither BVLC's Caffe nor a known fork has (custom and Python layers among them),
        and types that need --dialect to be understood.

    Why it is bad:
        Sizes behind the layer are unknown, so that nothing behind it is checked, and the net cannot
        be converted.

    Example:
        layer { name: "up" type: "Deconvolutoin" bottom: "x" top: "up" }

    Use instead:
        layer { name: "up" type: "Deconvolution" bottom: "x" top: "up" }

    Fix safety:
        There is no fix: a type decides what is computed.

    References:
        BVLC/caffe src/caffe/layer_factory.cpp
    """
    yield from context.notices("UP003")


@rule("UP004", "dangling-or-duplicate-name", severity="error", source="BVLC/caffe net.cpp")
def broken_name(context: Context) -> Iterator[Hit]:
    """A layer reads a blob that nobody writes, or a name is given twice.

    What it finds:
        A bottom that is no top of an earlier layer, a top written by two layers that are not in
        place, and two layers of one phase with the same name. Where a layer of the other phase
        writes the blob it is only an info: the net may be for that phase alone (--phase TRAIN).

    Why it is bad:
        Caffe aborts on a dangling bottom and on a top written twice. Weights are copied by layer
        name, so that of two layers with one name both get the same weights (a warning: Caffe
        accepts it).

    Example:
        layer { name: "relu1" type: "ReLU" bottom: "conv_1" top: "relu1" }   # the blob is "conv1"

    Use instead:
        layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "relu1" }

    Fix safety:
        There is no fix: only the author knows which blob was meant.

    References:
        BVLC/caffe src/caffe/net.cpp, AppendBottom, AppendTop and CopyTrainedLayersFrom
    """
    yield from context.notices("UP004")


@rule(
    "UP005",
    "unused-ignore",
    severity="warning",
    source="ruff RUF100, ESLint --report-unused-disable-directives",
    stage="closing",
)
def unused_ignore(context: Context) -> Iterator[Hit]:
    """A comment silences a code that finds nothing there.

    What it finds:
        `# upconv: ignore[...]` comments, and single codes in them, that silenced no finding.

    Why it is bad:
        It hides the next real finding of that code.

    Example:
        # upconv: ignore[UP202] the crop behind it compensates
        layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }

    Use instead:
        layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }

    Fix safety:
        Unsafe: the comment, or the code in it, goes. It may be of use where other weights or
        another phase are given.

    References:
        ESLint --report-unused-disable-directives; ruff RUF100
    """
    for comment, code in context.unused:
        yield Hit(
            f"'{code}' silences nothing here",
            "delete it",
            where=comment.span,
            fix=word_remedies.drop_ignore(comment, code),
        )


@rule("UP006", "rule-crashed", severity="error", source="linter/running/engine.py", stage="closing")
def rule_crashed(context: Context) -> Iterator[Hit]:
    """A rule of this linter failed on the file.

    What it finds:
        A defect of ours. Other rules ran as usual.

    Why it is bad:
        What that rule looks for was not checked here. The exit code is 2.

    Example:
        (none: every example is mended and becomes a test)

    Use instead:
        Report it with the file, and ignore the crashed rule until then.

    Fix safety:
        There is no fix.

    References:
        linter/running/engine.py
    """
    for crash in context.crashes:
        reason = f"{type(crash.error).__name__}: {crash.error}"
        yield Hit(
            f"rule {crash.code} ({crash.name}) crashed: {reason}",
            f"report it with this file; until then, --ignore {crash.code}",
        )


@rule("UP007", "obsolete-format", severity="info", source="BVLC/caffe upgrade_proto.cpp")
def obsolete_format(context: Context) -> Iterator[Hit]:
    """The net is written in Caffe's V0 or V1 format, or mixes formats.

    What it finds:
        `layers` entries with types in capitals (V1) and nested `layers { layer {` (V0).

    Why it is bad:
        Caffe upgrades them at every start; other tools refuse them. New layers and fields (the
        bilinear filler's, a Crop's axis) cannot be written in them.

    Example:
        layers { name: "up" type: DECONVOLUTION bottom: "x" top: "up" blobs_lr: 0 }

    Use instead:
        layer { name: "up" type: "Deconvolution" bottom: "x" top: "up" param { lr_mult: 0 } }

    Fix safety:
        There is no fix; Caffe's tools upgrade_net_proto_text does it.

    References:
        BVLC/caffe tools/upgrade_net_proto_text.cpp
    """
    yield from context.notices("UP007")
