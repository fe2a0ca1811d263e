"""Operations to a new draft: what is cut, laid under and written, and the reply that says so with figures. Pure."""

from nemo_watch.sandbox.plan.edit import Edit, edit

__all__ = ["Edit", "edit"]
