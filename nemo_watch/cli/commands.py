"""How commands describe themselves: no `<bool>` beside a flag, no `<str>` beside an argument.

Pure but for the typer library.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


def _nothing(*_context: Any, **_named: Any) -> str:
    return ""


def _without_types(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""
        elif param.param_type_name == "argument" and hasattr(param, "display_type_rich"):
            param.display_type_rich = _nothing  # its name says it all
    return params


class PlainCommand(TyperCommand):
    """A command whose help shows no types."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Give the options as they are shown."""
        return _without_types(super().get_params(ctx))


class PlainGroup(TyperGroup):
    """The program, the same."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Give the options as they are shown."""
        return _without_types(super().get_params(ctx))
