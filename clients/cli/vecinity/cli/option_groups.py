"""Options that stand together: declared once, as the parameters of a function, for commands to take."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any


class OptionGroup:
    """Some options.

    Args:
        declaration: Is never called: its parameters are the options.

    Attributes:
        parameters: What Typer makes options of.
    """

    def __init__(self, declaration: Callable[..., None]) -> None:
        self.parameters = tuple(
            option.replace(kind=option.KEYWORD_ONLY)
            for option in inspect.signature(declaration, eval_str=True).parameters.values()
        )
        self.names = tuple(option.name for option in self.parameters)

    def of(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What was given for these options, among others."""
        return {name: given[name] for name in self.names}


def takes(*groups: OptionGroup) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options: they arrive in the dictionary that ends its parameters, ``**options``."""
    options = [option for group in groups for option in group.parameters]

    def given_to(command: Callable[..., None]) -> Callable[..., None]:
        *own, _ = inspect.signature(command, eval_str=True).parameters.values()
        # Typer goes by the signature and the annotations.
        command.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
        command.__annotations__ |= {option.name: option.annotation for option in options}
        return command

    return given_to
