"""Reading a pickle of a stranger: it runs nothing, and takes time and memory in proportion to its length.

A pickle is a program, and refusing the names in it is not enough. It can nest tuples millions deep or share them so
that one has 2⁶⁰ leaves, and then any hash, comparison or `repr` of them overflows the C stack or never ends; it can
number a memo entry so high that the C unpickler makes a table of gigabytes; it can call a class again and again with
the same million arguments. So the opcodes are run by the standard library's unpickler in Python, whose memo is a dict,
and the few of them that hash, call or set something check first what they are given.
"""

from __future__ import annotations

import mmap
import pickle  # noqa: TID251 - the format is a pickle; only the restricted reader below is used
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from vecinity.indexer.errors import SHOWN_CHARS_MAX, InputError

_ARGS_MAX = 8
"""Arguments of one call; NumPy's functions take up to 4."""

_OPCODES = (
    *(pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK),
    *(pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.BINFLOAT),
    *(pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1, pickle.LONG4),
    *(pickle.BINSTRING, pickle.SHORT_BINSTRING),
    *(pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8),
    *(pickle.BINBYTES, pickle.SHORT_BINBYTES, pickle.BINBYTES8, pickle.BYTEARRAY8),
    *(pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
    *(pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS),
    *(pickle.EMPTY_DICT, pickle.SETITEM, pickle.SETITEMS),
    *(pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET),
    *(pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE, pickle.BINGET, pickle.LONG_BINGET),
    *(pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.REDUCE, pickle.NEWOBJ, pickle.BUILD),
)
"""What Python writes for data, by protocols 2 to 5."""

_RUN: dict[int, Callable[..., None]] = pickle._Unpickler.dispatch


class StandIn:
    """What stands for a class or function of a pickle: it keeps what it is called with and set to, and does nothing."""

    args: tuple[Any, ...]
    state: Any

    def __new__(cls, *args: Any) -> StandIn:
        self = super().__new__(cls)
        self.args, self.state = args, None
        return self


class RestrictedUnpickler(pickle._Unpickler):
    """Reads a pickle of a file; `find_class`, which every name goes through, is for subclasses to say."""

    path: Path
    stack: list[Any]  # Of what stands since the last mark.

    def find_class(self, module: str, name: str) -> type[StandIn]:
        raise NotImplementedError

    def _refuse(self) -> None:
        raise pickle.UnpicklingError("an instruction that no such file needs")

    def _load_setitem(self) -> None:
        _check_keys(self.stack[-2:-1])
        _RUN[pickle.SETITEM[0]](self)

    def _load_setitems(self) -> None:
        _check_keys(self.stack[::2])  # key, value, key, …
        _RUN[pickle.SETITEMS[0]](self)

    def _load_additems(self) -> None:
        _check_keys(self.stack)
        _RUN[pickle.ADDITEMS[0]](self)

    def _load_frozenset(self) -> None:
        _check_keys(self.stack)
        _RUN[pickle.FROZENSET[0]](self)

    def _load_call(self) -> None:
        args = self.stack.pop()
        called = self.stack[-1]
        if not isinstance(called, type) or type(args) is not tuple or len(args) > _ARGS_MAX:
            raise pickle.UnpicklingError("a call of what is no class, or with too many arguments")
        self.stack[-1] = called(*args)

    def _load_build(self) -> None:
        state = self.stack.pop()
        built = self.stack[-1]
        if not isinstance(built, StandIn):
            raise pickle.UnpicklingError("attributes for what is no object")
        built.state = state

    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        **dict.fromkeys(range(256), _refuse),
        **{opcode[0]: _RUN[opcode[0]] for opcode in _OPCODES},
        pickle.SETITEM[0]: _load_setitem,
        pickle.SETITEMS[0]: _load_setitems,
        pickle.ADDITEMS[0]: _load_additems,
        pickle.FROZENSET[0]: _load_frozenset,
        pickle.REDUCE[0]: _load_call,
        pickle.NEWOBJ[0]: _load_call,
        pickle.BUILD[0]: _load_build,
    }


def load_pickle(path: Path, reader: type[RestrictedUnpickler]) -> Any:
    """What a pickle holds: text, numbers, bytes, containers of them with text as keys, and stand-ins.

    Containers may be nested to any depth and contain themselves: compare, hash or print only what is known to be text
    or a number.

    Raises:
        InputError: No intact pickle, or an instruction, a key or a name in it that is refused.
    """
    try:
        # Mapped, since a file object makes room for as many bytes as a pickle asks for, before it looks for them.
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            unpickler = reader(content, encoding="latin1")
            unpickler.path = path
            return unpickler.load()
    except InputError:
        raise
    except Exception as error:  # A damaged pickle raises almost anything, MemoryError included.
        reason = str(error).splitlines()[0][:SHOWN_CHARS_MAX] if str(error) else type(error).__name__
        raise InputError(f"is no intact pickle of KeyedVectors ({reason})", path=path) from error


def _check_keys(keys: list[Any]) -> None:
    """Text only, also since the hashes of numbers can be chosen to be equal, which makes a dict of n take n² steps."""
    for key in keys:
        if type(key) is not str and type(key) is not bytes:
            raise pickle.UnpicklingError(f"a key is {type(key).__name__}, and must be text")
