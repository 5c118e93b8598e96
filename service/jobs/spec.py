"""What a job is: whose, of which kind, on which files, with which options. Its name is a hash of
that, so that the same asked twice is one job."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, get_args

from upconv.converters.ir.records import record

Kind: TypeAlias = Literal["check", "convert", "verify", "audit"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
State: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]
"""A job that is done has an exit code, that of the command line; one that failed has a reason."""

STEPS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "check": ("check",),
    "convert": ("write", "prove"),
    "verify": ("prove",),
    "audit": ("audit",),
}
"""The steps of a job. Each is done once: what it made is kept, and a server that was killed goes on
behind the last one that was finished."""


@record(frozen=True, slots=True)
class Named:
    """A file of a job under its name: the content is in the store."""

    name: str
    sha256: str
    size: int


@record(frozen=True, slots=True)
class JobSpec:
    """What is asked for. `owner` is the name of the token it came with, "" where there are none;
    `options` is JSON that has been looked at, in one spelling; `version` is ours."""

    owner: str
    kind: Kind
    options: str
    files: tuple[Named, ...]
    version: str

    @property
    def id(self) -> str:
        """32 hexadecimal digits that nobody guesses who does not have the files."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:32]

    def as_json(self) -> dict[str, Any]:
        """As the database keeps it; `from_json` reads it back."""
        files = [[file.name, file.sha256, file.size] for file in self.files]
        return {
            "owner": self.owner,
            "kind": self.kind,
            "options": self.options,
            "files": sorted(files),
            "version": self.version,
        }


def from_json(words: Mapping[str, Any]) -> JobSpec:
    """The job that `as_json` wrote."""
    return JobSpec(**{**words, "files": tuple(Named(*file) for file in words["files"])})
