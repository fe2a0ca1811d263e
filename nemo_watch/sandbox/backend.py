"""Everything behind the routes: memory, turns and renders under way, shapes of replies. Touches: the store folder."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request

from nemo_watch.sandbox.assets import Assets
from nemo_watch.sandbox.fetching import Fetcher
from nemo_watch.sandbox.keeper import Keeper
from nemo_watch.sandbox.settings import Settings
from nemo_watch.sandbox.store import Store
from nemo_watch.sandbox.studio import Studio
from nemo_watch.sandbox.turns import Turns
from nemo_watch.sandbox.workshop import Workshop


class Backend:
    """Lives on one loop, from `start` to `stop`."""

    def __init__(self, store: Store, settings: Settings, *, cdn_url: str) -> None:
        self.store = store
        self.settings = settings
        self.wire = settings.profile
        self._cdn_url = cdn_url
        self.db = Keeper(store)
        self.assets = Assets(store.root, speech_model=settings.speech_model)
        self.fetcher = Fetcher(settings.fetches_from, total_s=settings.fetch_s, stall_s=settings.fetch_stall_s)
        self.turns = Turns(self.db, self.assets, settings, Studio(self.db, self.assets, self.file_url))
        self.workshop = Workshop(self.db, self.assets, settings)

    def file_url(self, secret: str, filename: str) -> str:
        """Make the address of a file on the CDN port: it cannot be guessed without its secret part."""
        return f"{self._cdn_url}/v/{secret}/{quote(filename, safe='')}"

    async def start(self) -> None:
        """Go on with whatever was accepted and not finished."""
        await self.turns.resume()
        await self.workshop.start()

    async def stop(self) -> None:
        """Stop working; what is not finished goes on at the next start."""
        await self.turns.stop()
        await self.workshop.stop()


def backend_of(request: Request) -> Backend:
    """Get at the backend from a route."""
    backend = request.app.state.backend
    assert isinstance(backend, Backend)  # noqa: S101 - for the type checker: the app is always built with one
    return backend
