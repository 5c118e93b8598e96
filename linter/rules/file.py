"""UP0xx: the file itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from upconv.converters.ir.operators import Unknown
from upconv.linter.facts import words
from upconv.linter.fixing import word_remedies
from upconv.linter.notices import NOTICES
from upconv.linter.rule import Hit, rule
from upconv.linter.running.suppress import ALL

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model, Notice
    from upconv.converters.ir.origin import Span
    from upconv.linter.context import Context, Crash


@rule(
    "UP001",
    "unreadable",
    severity="error",
    source="BVLC/caffe upgrade_proto.cpp",
    stage="closing",
    folds=True,
)
def unreadable(context: Context) -> Iterator[Hit]:
    """The file, or a part of it, cannot be read.

    What it finds:
        Text that is no protobuf text, values of the wrong type, files that hold no net, truncated
        or corrupt weights. All mistakes of a file are reported at once.

    Why it is bad:
        Caffe aborts on it. A file that cannot be read was not checked, and is never "clean":
        neither --select nor --ignore leaves this rule out.

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


@rule(
    "UP002",
    "unknown-field",
    severity="warning",
    source="BVLC/caffe caffe.proto",
    folds=True,
    formats=("caffe",),
)
def unknown_field(context: Context) -> Iterator[Hit]:
    """A layer has a field that neither BVLC's Caffe nor a known fork reads.

    What it finds:
        Field names that no schema has. Where one letter or two make it a known name, the finding
        says which. A field of a layer whose type is not known is not judged: it belongs to a fork.

    Why it is bad:
        Caffe refuses the whole file. Tools that are more tolerant drop the field, and run the layer
        with its default in silence. A field of a layer's parameters may change the numbers, so that
        the net is not converted; where it may change a size, nothing behind it is judged.

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
    foreign = {notice.error.layer for notice in context.noticed("UP003")}
    for notice in context.noticed("UP002"):
        error = notice.error
        if error.layer and error.layer in foreign:
            continue
        yield Hit(
            error.message,
            error.hint or NOTICES[notice.kind].help,
            where=error.where,
            fix=word_remedies.respelt(root, error.where, notice.near) if error.where else None,
            layer_name=error.layer,
        )


@rule(
    "UP003",
    "unknown-layer-type",
    severity="warning",
    source="BVLC/caffe layer_factory.cpp",
    folds=True,
)
def unknown_layer_type(context: Context) -> Iterator[Hit]:
    """A layer's type is not known, or forks disagree about what it means.

    What it finds:
        Types that neither BVLC's Caffe nor a known fork has, and types that need --dialect to be
        understood. A type that a known fork has, and that no operator says, is an info: nothing in
        the file is to be mended. Python layers are UP008's.

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
    for hit in context.notices("UP003"):
        origin = hit.layer.origin if hit.layer is not None else None
        if origin is not None and origin.type.upper() == "PYTHON":
            continue
        known = origin is not None and origin.written.fork_type
        yield replace(hit, severity="info") if known else hit


@rule("UP004", "dangling-or-duplicate-name", severity="error", source="BVLC/caffe net.cpp")
def broken_name(context: Context) -> Iterator[Hit]:
    """A layer reads a blob that nobody writes, or a name is given twice.

    What it finds:
        A bottom that is no top of an earlier layer, a top written by two layers that are not in
        place, and two layers of one phase with the same name. Where a layer of the other phase
        writes the blob it is only an info: the net may be for that phase alone (--phase TRAIN).

    Why it is bad:
        Caffe aborts on a dangling bottom and on a top written twice. Weights are copied by layer
        name, so that of two layers with one name one gets the weights of both, or Caffe aborts at
        their number (a warning: without weights it accepts it; where none of the name has weights
        it is no matter).

    Example:
        layer { name: "relu1" type: "ReLU" bottom: "conv_1" top: "relu1" }   # the blob is "conv1"

    Use instead:
        layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "relu1" }

    Fix safety:
        There is no fix: only the author knows which blob was meant.

    References:
        BVLC/caffe src/caffe/net.cpp, AppendBottom, AppendTop and CopyTrainedLayersFrom
    """
    notices = list(context.noticed("UP004"))
    repeated = any(notice.kind == "repeated-layer-name" for notice in notices)
    weighty = _weighty(context.net) if repeated else {}
    for notice in notices:
        if notice.kind == "repeated-layer-name" and not _have_weights(context, weighty, notice):
            continue
        told = NOTICES[notice.kind]
        yield context.hit_of(notice.error, told.help, told.severity)


def _weighty(net: Model) -> dict[str | Span | None, bool]:
    """Name as the file gives it, or place -> whether a layer of it has weights, or may have some.
    Caffe then aborts as it copies trained ones: it takes the first of the name for each, and counts
    its blobs."""
    found: dict[str | Span | None, bool] = {}
    for layer in net.layers:
        has = bool(layer.weights) or isinstance(layer.operator, Unknown)
        for key in ("".join(words.node_of(layer).texts("name")[-1:]), layer.origin.span):
            found[key] = has or found.get(key, False)
    return found


def _have_weights(
    context: Context, weighty: Mapping[str | Span | None, bool], notice: Notice
) -> bool:
    """Whether a layer of a repeated name has weights, or may have some. Readers drop losses and
    sources of data, which have none."""
    keys = [key for key in (notice.error.layer, notice.error.where) if key in weighty]
    return any(weighty[key] for key in keys) if keys else not context.blocks


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
            "this comment silences nothing" if code == ALL else f"'{code}' silences nothing here",
            "delete it",
            where=comment.span,
            fix=word_remedies.drop_ignore(comment, code),
        )


@rule("UP006", "rule-crashed", severity="error", source="linter/running/engine.py", stage="closing")
def rule_crashed(context: Context) -> Iterator[Hit]:
    """A reader or a rule of this linter failed on the file.

    What it finds:
        A defect of ours. Other rules ran as usual where only one failed, and other files were
        checked in any case, also where a file ended the process that checked it, for want of
        memory or by a crash of a native library. UPCONV_DEBUG=1 shows the traceback. Neither
        --select, --ignore nor a comment leaves it out.

    Why it is bad:
        What that rule looks for, or the file, was not checked here. The exit code is 2.

    Example:
        (none: every example is mended and becomes a test)

    Use instead:
        Report it with the file, and ignore the crashed rule until then.

    Fix safety:
        There is no fix.

    References:
        linter/running/engine.py
    """
    defects: dict[tuple[str, str], list[Crash]] = {}
    for crash in sorted(context.crashes, key=lambda crash: crash.code):
        defects.setdefault(crash.defect, []).append(crash)
    for first, *others in defects.values():
        yield _crash(first, [first.code, *(crash.code for crash in others)])


def _crash(crash: Crash, codes: Sequence[str]) -> Hit:
    """One defect, and the codes of the rules that it stopped."""
    if not crash.code:
        message = f"{crash.name} failed: {crash.reason}; nothing in this file was checked"
        return Hit(message, "report it with this file; UPCONV_DEBUG=1 shows where it failed")
    others = f", and so did {', '.join(codes[1:])}" if codes[1:] else ""
    return Hit(
        f"rule {crash.code} ({crash.name}) crashed{others}: {crash.reason}",
        f"report it with this file; until then, --ignore {','.join(codes)}",
    )


@rule(
    "UP007",
    "obsolete-format",
    severity="info",
    source="BVLC/caffe upgrade_proto.cpp",
    formats=("caffe",),
)
def obsolete_format(context: Context) -> Iterator[Hit]:
    """The net is written in Caffe's V0 or V1 format, mixes formats, or is a file of Keras 1.

    What it finds:
        `layers` entries with types in capitals (V1) and nested `layers { layer {` (V0). Files whose
        `keras_version` is 1, or whose layers have Keras 1's words (`nb_filter`).

    Why it is bad:
        Caffe upgrades them at every start; other tools refuse them. New layers and fields (the
        bilinear filler's, a Crop's axis) cannot be written in them. No Keras from 2.3 on loads what
        Keras 1 saved.

    Example:
        layers { name: "up" type: DECONVOLUTION bottom: "x" top: "up" blobs_lr: 0 }

    Use instead:
        layer { name: "up" type: "Deconvolution" bottom: "x" top: "up" param { lr_mult: 0 } }

    Fix safety:
        There is no fix; Caffe's tools upgrade_net_proto_text does it, and for Keras 1 loading the
        file with Keras 2.0 to 2.2 and saving it again.

    References:
        BVLC/caffe tools/upgrade_net_proto_text.cpp
    """
    yield from context.notices("UP007")
