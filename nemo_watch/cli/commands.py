"""How commands describe themselves: an option that takes no value is shown without one.

Pure but for the typer library.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


def _without_types(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""
    return params


class PlainCommand(TyperCommand):
    """A command whose help shows no `<bool>`."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Give the options as they are shown."""
        return _without_types(super().get_params(ctx))


class PlainGroup(TyperGroup):
    """The program, the same."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Give the options as they are shown."""
        return _without_types(super().get_params(ctx))
