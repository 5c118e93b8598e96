"""Reshape, Permute, Flatten and RepeatVector."""

from __future__ import annotations

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import is_constant, multiply
from upconv.converters.readers.assembly.layout import moved_axis, to_channels_last
from upconv.converters.readers.keras.fields import integer, is_int
from upconv.converters.readers.keras.lowering import KerasLayer, Step, Value, lowers


@lowers("Flatten")
def _flatten(layer: KerasLayer, step: Step) -> Value:
    """Always in the order (spatial..., C): with channels_first Keras turns the axes before
    (keras/src/layers/reshaping/flatten.py)."""
    x = layer.x
    rank = step.rank(x)
    if rank == 1:
        return step.add(ops.Reshape((0, 1)), [x])
    if layer.config.get("data_format") == "channels_first" and rank is not None and rank > 2:
        turn = ops.Permute(to_channels_last(range(rank)))
        x = step.add(turn, [step.plain(x)], suffix="to_channels_last", moved=False)
    elif not _one_pixel_or_channel(step, x):
        x = step.plain(x)
    return step.add(ops.Flatten(), [x], moved=False)


def _one_pixel_or_channel(step: Step, x: Value) -> bool:
    """Whether the order of channels and pixels makes no difference."""
    shape = step.shape(x)
    if shape is None or not x.moved:
        return False
    return shape[1] == 1 or multiply(shape[2:]) == 1


@lowers("Reshape")
def _reshape(layer: KerasLayer, step: Step) -> Value:
    target = layer.config.get("target_shape")
    if not isinstance(target, list) or not all(is_int(size) or size is None for size in target):
        raise layer.invalid("target_shape is no list of sizes", "target_shape")
    return reshaped(layer, step, layer.x, [-1 if size is None else size for size in target])


def reshaped(layer: KerasLayer, step: Step, x: Value, target: list[int]) -> Value:
    """The values of each image in the order of Keras, in a new shape (without N).

    Where the last axis, the channels, stays as it is, so do moved channels.
    """
    if target.count(-1) > 1 or any(size < -1 or size == 0 for size in target):
        raise layer.invalid(f"target_shape is {target}", "target_shape")
    shape = step.shape(x)
    keeps = x.moved and shape is not None and len(target) > 1 and target[-1] == shape[1]
    if keeps:
        return step.add(ops.Reshape(tuple(target[:-1]), axis=2), [x])
    return step.add(ops.Reshape(tuple(target), axis=1), [step.plain(x)], moved=False)


@lowers("Permute")
def _permute(layer: KerasLayer, step: Step) -> Value:
    """dims count the axes behind N from 1."""
    dims = layer.config.list("dims")
    if sorted(dims, key=str) != sorted(range(1, len(dims) + 1), key=str):
        raise layer.invalid(f"dims {dims} are no order of axes", "dims")
    return permuted(step, layer.x, (0, *dims))


def permuted(step: Step, x: Value, order: tuple[int, ...]) -> Value:
    """The axes of a value in another order, in Keras's count; the result is plain."""
    rank = len(order)
    axes = tuple(moved_axis(axis, rank) if x.moved and rank > 2 else axis for axis in order)
    return step.add(ops.Permute(axes), [x], moved=False)


@lowers("RepeatVector")
def _repeat_vector(layer: KerasLayer, step: Step) -> Value:
    count = integer(layer, "n")
    row = step.add(ops.Reshape((1, -1), axis=1), [layer.x], suffix="row", moved=False)
    shape = step.shape(layer.x)
    if shape is not None and not is_constant(*shape[1:]):
        raise layer.unsupported("repeats a vector whose size is not fixed")
    return step.add(ops.Tile(1, count), [row])
