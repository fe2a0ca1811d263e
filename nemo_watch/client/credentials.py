"""Who this daemon is at the backend: a token given by its operator, or an anonymous account that is kept.

Touches: the state folder (client id and anonymous token, both 0600), the token file, the environment it is given.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from nemo_watch.client.values import is_token, moment
from nemo_watch.client.wire import AnonymousToken
from nemo_watch.errors import ConfigError, FolderError

Source = Literal["systemd", "file", "environment", "anonymous"]

_CLIENT_ID_CHARS = 64
_READ_MOST_BYTES = 1 << 20


class Credentials:
    """The account in use, looked up in this order: systemd credential, token file, NEMO_TOKEN, anonymous.

    `account` names the backend the anonymous token belongs to: its base URL, or a fixed word for one whose port
    changes at every start. The token file is read again when it changes; a token that was given is never exchanged
    for an anonymous one.
    Source: product.md 5, contract.md 0.4, 3.
    """

    def __init__(self, state_dir: str, *, account: str, env: Mapping[str, str], token_file: str = "") -> None:
        self._state_dir = state_dir
        self._account = account.rstrip("/")
        self._env = env
        self._files: list[tuple[Source, str]] = []
        if env.get("CREDENTIALS_DIRECTORY"):
            path = os.path.join(env["CREDENTIALS_DIRECTORY"], "nemo_token")
            if os.path.exists(path):
                self._files.append(("systemd", path))
        if token_file:
            self._files.append(("file", os.path.expanduser(token_file)))
        self._read: tuple[object, str] = (None, "")
        self._kept: AnonymousToken | None = None
        self._kept_stamp: object = None
        self._learned_user_id = ""

    def __repr__(self) -> str:
        return f"Credentials(source={self.source!r}, user_id={self.user_id!r})"

    @property
    def source(self) -> Source:
        """Say where the token comes from."""
        if self._files:
            return self._files[0][0]
        return "environment" if self._env.get("NEMO_TOKEN", "").strip() else "anonymous"

    @property
    def is_anonymous(self) -> bool:
        """Say whether the account is one that this daemon got for itself."""
        return self.source == "anonymous"

    @property
    def user_id(self) -> str:
        """The user's id as far as the backend has told it, "" if it has not."""
        if self._learned_user_id or not self.is_anonymous:
            return self._learned_user_id
        kept = self._kept
        return kept.user_id if kept else ""

    @property
    def expires_at(self) -> datetime | None:
        """When the anonymous token ends; None for a token that was given, or if there is none yet."""
        kept = self.kept() if self.is_anonymous else None
        return kept.expires_at if kept else None

    def expires_within(self, seconds: float) -> bool:
        """Say whether the token in use ends within that time: no paid step should begin with it then."""
        ends_at = self.expires_at
        return ends_at is not None and ends_at <= datetime.now(UTC) + timedelta(seconds=seconds)

    def learn_user_id(self, user_id: str) -> None:
        """Remember the user's id that a session or a state named, for the registration link."""
        self._learned_user_id = user_id or self._learned_user_id

    # ------------------------------------------------------------ a token that was given

    def given(self) -> str:
        """Give the operator's token as it is now, "" if the account is anonymous.

        Raises: ConfigError if a token was promised and cannot be used.
        """
        if not self._files:
            token = self._env.get("NEMO_TOKEN", "").strip()
            if token and not is_token(token):
                raise _unusable("NEMO_TOKEN")
            return token
        source, path = self._files[0]
        place = f"The token file {path}" if source == "file" else "The systemd credential nemo_token"
        try:
            stat = os.stat(path)
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if self._read[0] != stamp:
                self._read = (stamp, _read_text(path))
        except OSError as error:
            raise ConfigError(
                f"{place} cannot be read: {error.strerror}.",
                hint="Give it to the daemon's user with mode 0600, or take the setting away to work anonymously.",
            ) from None
        if not is_token(self._read[1]):
            raise _unusable(place)
        return self._read[1]

    # ------------------------------------------------------------ the anonymous account

    def client_id(self) -> str:
        """Give the id this machine asks for anonymous tokens with, and make one the first time.

        Raises: FolderError. Effects: writes `client_id` in the state folder. Repeat: safe.
        Source: contract.md 0.4, 1.1.
        """
        told = _as_client_id(self._env.get("NEMO_CLIENT_ID", ""))
        if told:
            return told
        home = self._env.get("HOME", "")
        places = [os.path.join(self._state_dir, "client_id")]
        if home:
            places.append(os.path.join(home, ".config", "nemovideo", "client_id"))
        for path in places:
            with contextlib.suppress(OSError):
                kept = _as_client_id(_read_text(path))
                if kept:
                    return kept
        return self.new_client_id()

    def new_client_id(self) -> str:
        """Make another client id and keep it: only for a backend that did not take the one it was given."""
        fresh = str(uuid.uuid4())
        self._write("client_id", fresh.encode("ascii"))
        return fresh

    def kept(self) -> AnonymousToken | None:
        """Give the anonymous token as it lies in the state folder, another process's newer one included."""
        path = self._path("token.json")
        try:
            stat = os.stat(path)
        except OSError:
            self._kept, self._kept_stamp = None, None
            return None
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if stamp != self._kept_stamp:
            self._kept, self._kept_stamp = _token_of(self._all_kept().get(self._account)), stamp
        return self._kept

    def keep(self, token: AnonymousToken) -> None:
        """Store an anonymous token.

        Raises: FolderError. Effects: writes `token.json`; tokens of other backends that have ended are left out.
        """
        now = datetime.now(UTC)
        others = {
            account: entry
            for account, entry in self._all_kept().items()
            if account != self._account and (other := _token_of(entry)) is not None and other.expires_at > now
        }
        entry = {"token": token.token, "user_id": token.user_id, "expires_at": token.expires_at.isoformat()}
        self._write("token.json", json.dumps({**others, self._account: entry}, indent=1).encode("ascii"))
        self._learned_user_id = token.user_id
        self._kept_stamp = None
        self.kept()

    def _all_kept(self) -> dict[str, object]:
        try:
            entries = json.loads(_read_text(self._path("token.json")) or "{}")
        except (OSError, ValueError, RecursionError):
            # A token that cannot be read is a token that is not there: a new one is asked for.
            return {}
        return entries if isinstance(entries, dict) else {}

    def _path(self, name: str) -> str:
        return os.path.join(self._state_dir, name)

    def _write(self, name: str, content: bytes) -> None:
        path = self._path(name)
        draft = f"{path}.{secrets.token_hex(4)}.tmp"
        try:
            os.makedirs(self._state_dir, mode=0o700, exist_ok=True)
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.fchmod(fd, 0o600)
                with os.fdopen(fd, "wb", closefd=False) as file:
                    file.write(content)
                os.fsync(fd)
            finally:
                os.close(fd)
            os.replace(draft, path)
            folder = os.open(self._state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(draft)
            raise FolderError(
                f"{path} cannot be written: {error.strerror}.",
                code="state_folder",
                hint="Give the daemon's user a state folder it can write to, with some space left.",
            ) from error


def _read_text(path: str) -> str:
    with open(path, "rb") as file:
        return file.read(_READ_MOST_BYTES).decode("utf-8-sig", "replace").strip()


def _as_client_id(text: str) -> str:
    text = text.strip()
    return text if is_token(text) and len(text) <= _CLIENT_ID_CHARS else ""


def _token_of(entry: object) -> AnonymousToken | None:
    if not isinstance(entry, dict):
        return None
    token, user_id, ends_at = entry.get("token"), entry.get("user_id"), moment(entry.get("expires_at"))
    if not isinstance(token, str) or not is_token(token) or ends_at is None:
        return None
    return AnonymousToken(token, user_id if isinstance(user_id, str) else "", ends_at)


def _unusable(place: str) -> ConfigError:
    return ConfigError(
        f"{place} does not hold a token: it is empty, or has characters that no token has.",
        hint="Put the token there as it was given, on one line.",
    )
