"""What a process that works on a stranger's model may do, kept by the system and not by us.

Memory, processor time, the size of files and their number are limits of POSIX (setrlimit). Sockets
are refused by a filter of system calls (seccomp, Linux on x86-64 and ARM64), which needs no
privileges, holds for the children of the process too, and cannot be taken back. `Held` says what
of it the system has. What a process may read of the disk is not limited.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from upconv.converters.ir.records import record
from upconv.service.work.limits import GIGABYTE, bound_memory


@record(frozen=True, slots=True)
class Confinement:
    """The most that a process may have: bytes of memory beyond what it begins with, seconds of
    processor time, bytes of a file that it writes, and files open at once."""

    memory: int = 4 * GIGABYTE
    cpu_seconds: int = 1800
    file_bytes: int = 8 * GIGABYTE
    files: int = 256


@record(frozen=True, slots=True)
class Held:
    """What of a confinement the system keeps."""

    limits: bool
    sockets: bool


def confine(wanted: Confinement) -> Held:
    """Confine this process, and all that it starts, for good. Needs to be called by its only
    thread."""
    limits = _bound(wanted)
    bound_memory(wanted.memory)
    return Held(limits, _refuse_sockets())


def probe(request: Confinement, progress: Callable[[str], None]) -> Held:
    """`confine`, as the work of a child process: what this system can keep."""
    return confine(request)


def _bound(wanted: Confinement) -> bool:
    try:
        import resource
    except ImportError:
        return False
    for kind, most, last in (
        (
            resource.RLIMIT_CPU,
            wanted.cpu_seconds,
            wanted.cpu_seconds + 1,
        ),  # it is told, then killed
        (resource.RLIMIT_FSIZE, wanted.file_bytes, wanted.file_bytes),
        (resource.RLIMIT_NOFILE, wanted.files, wanted.files),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        known = hard != resource.RLIM_INFINITY
        resource.setrlimit(kind, (min(most, hard), min(last, hard)) if known else (most, last))
    return True


@record(frozen=True, slots=True)
class _Machine:
    """The numbers of system calls on a kind of processor; `foreign` is where those of another
    interface begin, which would come past the filter."""

    audit: int
    refused: tuple[int, ...]
    foreign: int


# Numbers: asm/unistd_64.h and asm-generic/unistd.h; AUDIT_ARCH_*: linux/audit.h. In this order:
# socket, io_uring_setup (which can open sockets), and what reaches into another process of ours:
# ptrace, process_vm_readv, process_vm_writev, pidfd_getfd.
_MACHINES: Final = {
    "x86_64": _Machine(0xC000003E, (41, 425, 101, 310, 311, 438), 0x40000000),
    "aarch64": _Machine(0xC00000B7, (198, 425, 117, 270, 271, 438), 0x40000000),
}

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # linux/filter.h
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000  # linux/seccomp.h; 1 is EPERM
_ARCHITECTURE, _NUMBER = 4, 0  # offsets in struct seccomp_data
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER, _DEATH_SIGNAL = 38, 22, 2, 1  # linux/prctl.h


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("then", ctypes.c_uint8),
        ("other", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("first", ctypes.POINTER(_Instruction)))


def _refuse_sockets() -> bool:
    """Let no system call of this process open a socket; whether the system took the filter."""
    machine = _MACHINES.get(platform.machine())
    if machine is None or not sys.platform.startswith("linux"):
        return False
    rows = list(_rows(machine))
    program = _Program(len(rows), (_Instruction * len(rows))(*(_Instruction(*row) for row in rows)))
    if not _prctl(_NO_NEW_PRIVILEGES, 1):
        return False
    return _prctl(_SECCOMP, _FILTER, ctypes.byref(program))


def _rows(machine: _Machine) -> Iterable[tuple[int, int, int, int]]:
    """The filter: (code, jump where true, jump where false, value) of each instruction."""
    yield _LOAD, 0, 0, _ARCHITECTURE
    yield _EQUAL, 1, 0, machine.audit
    yield _RETURN, 0, 0, _KILL
    yield _LOAD, 0, 0, _NUMBER
    left = len(machine.refused)
    yield _AT_LEAST, left + 1, 0, machine.foreign
    for index, number in enumerate(machine.refused):
        yield _EQUAL, left - index, 0, number
    yield _RETURN, 0, 0, _ALLOW
    yield _RETURN, 0, 0, _REFUSE


def die_with(parent: int) -> None:
    """Let the system end this process when the thread of the parent that started it is gone, so
    that a server that was killed leaves no work behind; Linux only."""
    if sys.platform.startswith("linux"):
        _prctl(_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # it went before we asked
            os.kill(os.getpid(), signal.SIGKILL)


def _prctl(*arguments: object) -> bool:
    with suppress(OSError, AttributeError):
        words = [ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments]
        words += [ctypes.c_ulong(0)] * (5 - len(words))
        return bool(ctypes.CDLL(None).prctl(*words) == 0)
    return False
