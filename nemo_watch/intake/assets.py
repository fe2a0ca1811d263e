"""Which files the TOML sidecars of an inbox name as their assets: those are never drops. Pure."""

from __future__ import annotations

from nemo_watch.intake.names import name_key


class NamedAssets:
    """An index in both directions; files go by their folded paths from the inbox on."""

    def __init__(self) -> None:
        self._named: dict[str, frozenset[str]] = {}
        self._namers: dict[str, tuple[str, ...]] = {}

    def name(self, sidecar_rel: str, keys: frozenset[str]) -> None:
        """Take in what a sidecar names now, in place of what it named before."""
        for key in self._named.pop(sidecar_rel, frozenset()):
            left = tuple(rel for rel in self._namers.get(key, ()) if rel != sidecar_rel)
            if left:
                self._namers[key] = left
            else:
                self._namers.pop(key, None)
        if keys:
            self._named[sidecar_rel] = keys
            for key in keys:
                self._namers[key] = (*self._namers.get(key, ()), sidecar_rel)

    def let_go(self, sidecar_rel: str) -> list[str]:
        """Forget a sidecar; gives what nobody names any more."""
        keys = self._named.get(sidecar_rel, frozenset())
        self.name(sidecar_rel, frozenset())
        return [key for key in keys if key not in self._namers]

    def namer(self, rel: str) -> str:
        """Give the sidecar that names a file, "" if none does."""
        return self._namers.get(name_key(rel), ("",))[0] if self._namers else ""
