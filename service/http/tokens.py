"""Who may ask: tokens, of which only hashes are kept.

A token has 256 random bits, so that one SHA-256 is enough: there is nothing to guess. The file has
a line for each, its owner's name and the hash.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from typing import Final

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.files import write_whole
from upconv.converters.ir.records import record
from upconv.converters.readers.files.opening import read_regular

PREFIX: Final = "upconv_"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LINE: Final = re.compile(rf"({_NAME.pattern}) ([0-9a-f]{{64}})")


@record(frozen=True, slots=True)
class Tokens:
    """Name and hash of each token; none at all where nobody needs one."""

    hashes: tuple[tuple[str, str], ...] = ()

    def owner(self, token: str) -> str | None:
        """Whose token it is, None where it is nobody's. All are compared, each in constant time,
        so that how long it takes tells nothing."""
        asked, found = _hash(token), None
        for name, known in self.hashes:
            if hmac.compare_digest(asked, known):
                found = name
        return found


def read_tokens(path: str) -> Tokens:
    """The tokens of a file. Raises UsageError where it is none, or holds none."""
    try:
        lines = read_regular(path).decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise UsageError(error.strerror or "cannot be read", path=path) from None
    rows = [_row(path, line) for line in lines if line.strip() and not line.startswith("#")]
    if not rows:
        raise UsageError(
            "holds no token", path=path, hint="upconv serve --tokens F --add-token NAME"
        )
    return Tokens(tuple(rows))


def _row(path: str, line: str) -> tuple[str, str]:
    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise UsageError("a line is no name and SHA-256", path=path)
    return found[1], found[2]


def add_token(path: str, name: str) -> str:
    """A new token for a name, whose hash the file keeps; it replaces the name's older one.

    Raises UsageError for a name or file that is none, and OSError.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"--add-token {name}: a name has letters, digits, '.', '_' and '-'")
    kept = read_tokens(path).hashes if os.path.exists(path) else ()
    token = PREFIX + secrets.token_urlsafe(32)
    rows = [*((who, known) for who, known in kept if who != name), (name, _hash(token))]
    if not os.path.exists(path):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    write_whole(path, "".join(f"{who} {known}\n" for who, known in rows).encode())
    return token


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
