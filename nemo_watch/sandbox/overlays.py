"""Images over the picture, read strictly from a draft's further video tracks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from nemo_watch.sandbox.errors import DraftError
from nemo_watch.sandbox.facts import Asset
from nemo_watch.sandbox.fields import frame_at, in_order, label_of, real, span_of, text_of
from nemo_watch.sandbox.timeline import Overlay

MOST_OVERLAYS = 4


def read_overlays(track: Mapping[str, Any], number: int, assets: Mapping[str, Asset], fps: Fraction) -> list[Overlay]:
    """Read a video track that lies over another: images, placed by their "tf".

    Raises: DraftError with a sentence that names track and segment.
    Source: contract.md 11.2 (`tf`: offset of the centre as a fraction, scale, opacity).
    """
    found: list[Overlay] = []
    for segment in in_order(track, number):
        where = label_of(segment, number)
        start_ms, length_ms = span_of(segment, where)
        asset = assets.get(text_of(segment, "src"))
        if asset is None:
            raise DraftError(f"{where} uses a source that is not an upload of this session.")
        if asset.kind != "image":
            raise DraftError(
                f"{where} lays {asset.filename} over another video; "
                "this backend renders more than one video track only with images above the first."
            )
        given = segment.get("tf")
        if given is not None and not isinstance(given, dict):
            raise DraftError(f'{where}: "tf" must be an object.')
        values: Mapping[str, Any] = given or {}
        x, y = (0.5 + real(values, key, where, low=-1, high=1, default=0) for key in ("x", "y"))
        scale = real(values, "sc", where, low=0.01, high=1, default=1)
        opacity = real(values, "op", where, low=0, high=1, default=1)
        begin, end = frame_at(start_ms, fps), frame_at(start_ms + length_ms, fps)
        if end > begin and opacity > 0 and track.get("mu") is not True:
            found.append(Overlay(asset.url, begin, end - begin, x, y, scale, opacity))
    return found
