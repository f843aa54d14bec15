"""Text to filters. The grammar is read from left to right without recursion, so no text is too deep to be refused."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from google.protobuf.timestamp_pb2 import Timestamp

from vecinity.client._filters.limits import CONDITIONS_MAX, DEPTH_MAX, MESSAGES_MAX, check_size, too_deep
from vecinity.client.errors import InvalidArgumentError
from vecinity.v1 import core_pb2

if TYPE_CHECKING:
    from lark import Lark, Token

CHARS_MAX = 1 << 19

GRAMMAR = r"""
?start: any
?any: all | all (_OR all)+ -> any_of
?all: condition | condition (_AND condition)+ -> all_of
?condition: _NOT condition -> not_
    | "(" any ")"
    | _EXISTS "(" subject ")" -> exists
    | name OPERATOR value -> comparison
    | name _CONTAINS STRING -> contains
    | name _IN list -> one_of
    | name _NOT _IN list -> none_of
list: "[" [value ("," value)*] "]"
?value: STRING -> string
    | NUMBER -> number
    | _TRUE -> true
    | _FALSE -> false
    | _TIMESTAMP "(" STRING ")" -> timestamp
    | _DATE "(" STRING ")" -> day
name: WORD | QUOTED
subject: WORD | QUOTED
OPERATOR: "==" | "!=" | "<=" | ">=" | "<" | ">"
_OR.2: /or(?![\w.-])/
_AND.2: /and(?![\w.-])/
_NOT.2: /not(?![\w.-])/
_EXISTS.2: /exists(?![\w.-])/
_CONTAINS.2: /contains(?![\w.-])/
_IN.2: /in(?![\w.-])/
_TRUE.2: /true(?![\w.-])/
_FALSE.2: /false(?![\w.-])/
_TIMESTAMP.2: /timestamp(?![\w.-])/
_DATE.2: /date(?![\w.-])/
WORD: /[^\W\d][\w.-]*/
QUOTED: /`(?:[^`]|``)+`/
STRING: /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/
NUMBER: /[+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|inf|nan)(?![\w.])/
%ignore /\s+/
"""

_EXPECTED = {
    "WORD": "the name of an attribute",
    "QUOTED": "",
    "OPERATOR": "one of == != < <= > >=",
    "STRING": "a string in quotes",
    "NUMBER": "a number",
    "LPAR": "'('",
    "RPAR": "')'",
    "LSQB": "'['",
    "RSQB": "']'",
    "COMMA": "','",
    "$END": "the end",
}
_OPERATORS = {
    "==": core_pb2.Filter.OPERATOR_EQUAL,
    "!=": core_pb2.Filter.OPERATOR_NOT_EQUAL,
    "<": core_pb2.Filter.OPERATOR_LESS,
    "<=": core_pb2.Filter.OPERATOR_LESS_OR_EQUAL,
    ">": core_pb2.Filter.OPERATOR_GREATER,
    ">=": core_pb2.Filter.OPERATOR_GREATER_OR_EQUAL,
}
_SHOWN_CHARS = 60


class FilterSyntaxError(InvalidArgumentError):
    """A text is no filter; its message shows the place.

    Attributes:
        line: From 1.
        column: From 1.
        expected: What could stand there.
    """

    def __init__(self, text: str, position: int, fault: str, expected: Sequence[str] = ()) -> None:
        before = text[:position]
        self.line = before.count("\n") + 1
        self.column = position - (before.rfind("\n") + 1) + 1
        self.expected = list(expected)
        row = text.split("\n")[self.line - 1]
        first = max(0, self.column - 1 - _SHOWN_CHARS)
        shown = "".join(" " if char.isspace() else char for char in row[first : self.column - 1 + _SHOWN_CHARS])
        hint = f"; expected {_either(self.expected)}" if self.expected else ""
        super().__init__(
            f"filter: line {self.line}, column {self.column}: {fault}{hint}\n"
            f"  {shown}\n  {' ' * (self.column - 1 - first)}^"
        )


def parse_filter(text: str) -> core_pb2.Filter:
    """The filter that a text describes.

    Raises:
        FilterSyntaxError: The text is none.
        InvalidArgumentError: It is too long, too deep, or has too many conditions.
    """
    from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

    if len(text) > CHARS_MAX:
        raise InvalidArgumentError(f"filter: has {len(text)} characters; the limit is {CHARS_MAX}")
    try:
        tree: Any = _parser().parse(text)
    except UnexpectedToken as error:
        at_end = error.token.type == "$END"
        position = len(text.rstrip()) if at_end else int(error.token.start_pos or 0)
        fault = (
            "the filter ends too early"
            if at_end
            else f"{_cut(str(error.token))} can't stand here{_meant(text, position)}"
        )
        raise FilterSyntaxError(text, position, fault, _names(error.accepts or error.expected)) from None
    except UnexpectedCharacters as error:
        position = int(error.pos_in_stream or 0)
        if text[position] in "\"'`":
            raise FilterSyntaxError(text, position, "the quote is not closed") from None
        fault = f"{_cut(text[position:])} can't stand here{_meant(text, position)}"
        raise FilterSyntaxError(text, position, fault, _names(error.allowed or ())) from None
    except UnexpectedInput as error:
        raise FilterSyntaxError(text, error.pos_in_stream or 0, "can't be read") from None
    except _Fault as fault_:
        raise FilterSyntaxError(text, fault_.position, fault_.fault) from None
    message: core_pb2.Filter = tree.message()
    check_size(message)
    return message


_OF_OTHERS = {"=": "==", "<>": "!=", "&&": "and", "||": "or", "!": "not", "(": "["}
"""What other languages write, and this one."""


def _meant(text: str, position: int) -> str:
    """A hint, where somebody writes SQL or C."""
    rest, before = text[position:], text[:position].split()
    if text[max(position - 1, 0) : position + 1] == "<>":
        return "; did you mean '!='?"
    word = re.match(r"\w+", rest)
    if word and word[0] != word[0].lower() and word[0].lower() in ("and", "or", "not", "in", "contains", "exists"):
        return f"; did you mean {word[0].lower()!r}?"
    for theirs, ours in _OF_OTHERS.items():
        if rest.startswith(theirs) and not rest.startswith("==") and (theirs != "(" or before[-1:] == ["in"]):
            return f"; did you mean {ours!r}?"
    return ""


class _Fault(Exception):
    """A value that the grammar lets pass."""

    def __init__(self, position: int | None, fault: str) -> None:
        super().__init__(fault)
        self.position = position or 0
        self.fault = fault


class _Node:
    """A condition not yet a message: to nest messages copies them, once for each level."""

    __slots__ = ("children", "depth", "kind", "leaf", "messages")

    def __init__(self, kind: str, children: Sequence[_Node] = (), leaf: core_pb2.Filter | None = None) -> None:
        self.kind = kind
        self.children = children
        self.leaf = leaf
        self.depth: int = 1 + max((child.depth for child in children), default=0)
        self.messages: int = (1 if kind == "not" else 2) + max((child.messages for child in children), default=0)
        if self.depth > DEPTH_MAX or self.messages > MESSAGES_MAX:
            raise too_deep()

    def message(self) -> core_pb2.Filter:
        if self.leaf is not None:
            return self.leaf
        message = core_pb2.Filter()
        if self.kind == "not":
            getattr(message, "not").CopyFrom(self.children[0].message())
        else:
            inner = message.all_of if self.kind == "all_of" else message.any_of
            inner.filters.extend(child.message() for child in self.children)
        return message


@functools.cache
def _parser() -> Lark:
    from lark import Lark, Transformer, v_args

    @v_args(inline=True)
    class Build(Transformer[Any, _Node]):
        """Called by the parser as it goes, from the leaves up."""

        def any_of(self, *conditions: _Node) -> _Node:
            return _Node("any_of", conditions)

        def all_of(self, *conditions: _Node) -> _Node:
            return _Node("all_of", conditions)

        def not_(self, condition: _Node) -> _Node:
            return _Node("not", (condition,))

        def exists(self, name: str) -> _Node:
            return _Node("", (), core_pb2.Filter(exists=name))

        def comparison(self, name: str, operator: Token, value: core_pb2.AttributeValue) -> _Node:
            compared = core_pb2.Filter.Comparison(attribute=name, operator=_OPERATORS[operator], value=value)
            return _Node("", (), core_pb2.Filter(comparison=compared))

        def contains(self, name: str, value: Token) -> _Node:
            inner = core_pb2.Filter.Contains(attribute=name, value=_string(value))
            return _Node("", (), core_pb2.Filter(contains=inner))

        def one_of(self, name: str, values: list[core_pb2.AttributeValue]) -> _Node:
            return _Node("", (), core_pb2.Filter(one_of=core_pb2.Filter.OneOf(attribute=name, values=values)))

        def none_of(self, name: str, values: list[core_pb2.AttributeValue]) -> _Node:
            return _Node("not", (self.one_of(name, values),))

        def list(self, *values: core_pb2.AttributeValue | None) -> list[core_pb2.AttributeValue]:
            if len(values) > CONDITIONS_MAX:
                raise InvalidArgumentError(f"filter: has over {CONDITIONS_MAX} conditions and values")
            return [value for value in values if value is not None]

        def name(self, token: Token) -> str:
            """As it is, without its quotes."""
            return token[1:-1].replace("``", "`") if token.type == "QUOTED" else str(token)

        subject = name

        def string(self, token: Token) -> core_pb2.AttributeValue:
            return core_pb2.AttributeValue(string_value=_string(token))

        def number(self, token: Token) -> core_pb2.AttributeValue:
            return _number(token)

        def true(self) -> core_pb2.AttributeValue:
            return core_pb2.AttributeValue(bool_value=True)

        def false(self) -> core_pb2.AttributeValue:
            return core_pb2.AttributeValue(bool_value=False)

        def timestamp(self, token: Token) -> core_pb2.AttributeValue:
            return _moment(token, datetime.fromisoformat)

        def day(self, token: Token) -> core_pb2.AttributeValue:
            return _moment(token, lambda text: datetime.combine(date.fromisoformat(text), time()))

    return Lark(GRAMMAR, parser="lalr", lexer="contextual", transformer=Build(), maybe_placeholders=True)


def _string(token: Token) -> str:
    inner = token[1:-1]
    if token[0] == "'":  # JSON knows the other quotes only
        inner = re.sub(r"\\.|\"", lambda found: {"\\'": "'", '"': '\\"'}.get(found[0], found[0]), inner)
    try:
        text: str = json.loads(f'"{inner}"', strict=False)
        text.encode()
    except (ValueError, UnicodeEncodeError):
        raise _Fault(token.start_pos, "a string with an escape that JSON does not have") from None
    return text


def _number(token: Token) -> core_pb2.AttributeValue:
    if re.fullmatch(r"[+-]?\d+", token):
        if len(token) <= 20 and -(1 << 63) <= int(token) < 1 << 63:
            return core_pb2.AttributeValue(int64_value=int(token))
        raise _Fault(token.start_pos, "a whole number must be from -2^63 to 2^63 - 1")
    number = float(token)
    if math.isinf(number) and "inf" not in token:
        raise _Fault(token.start_pos, "the number is too large for 64 bits")
    return core_pb2.AttributeValue(double_value=number)


def _moment(token: Token, read: Any) -> core_pb2.AttributeValue:
    try:
        when = read(_string(token))
        moment = Timestamp()
        moment.FromDatetime(when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC))
    except (ValueError, OverflowError):
        raise _Fault(token.start_pos, "is no point in time: write it as 2024-05-31T12:00:00Z or 2024-05-31") from None
    return core_pb2.AttributeValue(timestamp_value=moment)


def _names(terminals: Any) -> list[str]:
    """What people call the grammar's terminals."""
    names = {_EXPECTED.get(terminal, repr(terminal.strip("_").lower())) for terminal in terminals} - {""}
    return sorted(names, key=lambda name: (name[0] == "'", name))


def _either(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _cut(text: str) -> str:
    """What stands at the place, up to a space."""
    return repr(text.split(maxsplit=1)[0][:20] if text.strip() else text[:1])
