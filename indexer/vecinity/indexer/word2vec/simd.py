"""Vectors of `LANES` float32 for numba, so that a kernel says which numbers stay in registers.

LLVM vectorises a plain loop over one row well, but not the exchange of several context rows with several target rows:
it cannot know that they do not overlap, so it stores and reloads after every product. Here a kernel loads, multiplies
and stores whole vectors by address. LLVM turns a vector into the registers that the CPU has: one of AVX-512, one of
AVX2, or several shorter ones of SSE and NEON, always with the same result up to rounding.

An address keeps no array alive: numba frees an array after its last use *as an array*. So arrays whose addresses are
taken are arguments of the kernel, which its caller holds.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, config, types
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic, models, register_model

LANES = 16 if "+avx512f" in (config.CPU_FEATURES or get_host_cpu_features()) else 8
"""float32 in one vector, for the CPU that numba compiles for."""
VECTOR_BYTES = 4 * LANES

_FLOAT = ir.FloatType()
_INT32 = ir.IntType(32)
_BYTES = ir.IntType(8).as_pointer()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_UNDEFINED = ir.Constant(_VECTOR, ir.Undefined)
_ALL_FROM_FIRST = ir.Constant(ir.VectorType(_INT32, LANES), [0] * LANES)


class _VectorType(types.Type):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


vector = _VectorType()


@register_model(_VectorType)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _call(builder: Any, name: str, result: Any, kinds: list[Any], arguments: Any, **flags: Any) -> Any:
    """A call of LLVM's own function `name`."""
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, kinds), name)
    return builder.call(function, arguments, **flags)


def _splat(builder: Any, number: Any) -> Any:
    first = builder.insert_element(_UNDEFINED, number, ir.Constant(_INT32, 0))
    return builder.shuffle_vector(first, _UNDEFINED, _ALL_FROM_FIRST)


@intrinsic  # type: ignore[untyped-decorator]
def address(typing: Any, array: Any) -> Any:
    """Where a C-contiguous array (or the memory of a `pointer`) begins, int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start = arguments[0]
        if isinstance(signature.args[0], types.Array):
            start = cgutils.create_struct_proxy(signature.args[0])(context, builder, start).data
        return builder.ptrtoint(start, ir.IntType(64))

    return types.int64(array), generate


@intrinsic  # type: ignore[untyped-decorator]
def pointer(typing: Any, array: Any) -> Any:
    """A C-contiguous array as plain memory: read and written as `p[i]`, flat, without bounds.

    numba counts the references of an array wherever one is passed on or taken out of a tuple, also in functions that
    are merged into one: many times for each word, which costs more than the arithmetic.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return cgutils.create_struct_proxy(signature.args[0])(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), generate


@intrinsic  # type: ignore[untyped-decorator]
def load(typing: Any, at: Any) -> Any:
    """The `LANES` float32 that begin at the address `at`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded = builder.load(builder.inttoptr(arguments[0], _VECTOR.as_pointer()))
        loaded.align = 4
        return loaded

    return vector(types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def store(typing: Any, at: Any, values: Any) -> Any:
    """Write a vector to the address `at`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[1], builder.inttoptr(arguments[0], _VECTOR.as_pointer())).align = 4
        return context.get_dummy_value()

    return types.void(types.int64, vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def splat(typing: Any, number: Any) -> Any:
    """A float32 in every lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _splat(builder, arguments[0])

    return vector(types.float32), generate


@intrinsic  # type: ignore[untyped-decorator]
def splat_at(typing: Any, at: Any) -> Any:
    """The float32 at the address `at` in every lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = builder.load(builder.inttoptr(arguments[0], _FLOAT.as_pointer()))
        number.align = 4
        return _splat(builder, number)

    return vector(types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def multiply_add(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a · b + c in each lane, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _call(builder, f"llvm.fma.v{LANES}f32", _VECTOR, [_VECTOR] * 3, arguments)

    return vector(vector, vector, vector), generate


def _of_two(operation: str) -> Any:
    """An instruction on two vectors."""

    @intrinsic  # type: ignore[untyped-decorator]
    def instruction(typing: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, operation)(*arguments)

        return vector(vector, vector), generate

    return instruction


add = _of_two("fadd")
subtract = _of_two("fsub")
multiply = _of_two("fmul")
divide = _of_two("fdiv")


@intrinsic  # type: ignore[untyped-decorator]
def clip(typing: Any, values: Any, lowest: Any, highest: Any) -> Any:
    """Each lane, but at least `lowest` and at most `highest`; NaN becomes one of the two."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, lowest, highest = arguments
        kinds = [_VECTOR] * 2
        values = _call(builder, f"llvm.maxnum.v{LANES}f32", _VECTOR, kinds, [values, lowest])
        return _call(builder, f"llvm.minnum.v{LANES}f32", _VECTOR, kinds, [values, highest])

    return vector(vector, vector, vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def total(typing: Any, values: Any) -> Any:
    """The sum of the lanes, float32, pair by pair."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start = ir.Constant(_FLOAT, 0.0)
        name = f"llvm.vector.reduce.fadd.v{LANES}f32"
        return _call(builder, name, _FLOAT, [_FLOAT, _VECTOR], [start, arguments[0]], fastmath=("reassoc",))

    return types.float32(vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(typing: Any, at: Any) -> Any:
    """Ask for the cache line at the address `at`, for reading and writing soon."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], _BYTES)
        # Read, keep in every cache level, data.
        how = [ir.Constant(_INT32, value) for value in (0, 3, 1)]
        _call(builder, "llvm.prefetch.p0", ir.VoidType(), [_BYTES, _INT32, _INT32, _INT32], [pointer, *how])
        return context.get_dummy_value()

    return types.void(types.int64), generate
