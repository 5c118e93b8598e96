"""What strangers may send: each is a 4xx or a job that fails, the server goes on, and the like of
it that means no harm passes."""

from __future__ import annotations

import io
import json
import pickle
import socket
import struct
import warnings
import zipfile
from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest

from tests.service.http.server import Server, form
from tests.service.http.test_jobs import SMALL


def zipped(members: Mapping[str, bytes], twice: str = "") -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, data in members.items():
            archive.writestr(name, data)
        if twice:
            archive.writestr(twice, b"other")
    return out.getvalue()


def with_large_claim(archive: bytes, size: int) -> bytes:
    """The archive with another size in its directory, where bombs lie about it."""
    at = archive.rfind(b"PK\x01\x02")
    return archive[: at + 24] + struct.pack("<L", size) + archive[at + 28 :]


NAMES = (
    "../up.prototxt", "/etc/up.prototxt", "a/../../up.prototxt", "C:\\up.prototxt",
    "a//b.prototxt", ".git/config", "a/.GIT/config", "up.prototxt ", "x" * 300, "a/" * 30 + "b",
    "up\x01.prototxt",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_never_leads_out_of_the_job(server: Server, name: str) -> None:
    inside = server.send({"net.zip": zipped({name: SMALL})})
    assert inside.status == 400, inside.body
    assert "refused" in inside.json["error"]
    alone = server.send({name: SMALL})  # of a path with backslashes, a form's reader takes the end
    assert alone.status == 400 or [one["name"] for one in alone.json["files"]] == ["up.prototxt"]


ARCHIVES = {
    "bomb": (zipped({f"{n}.bin": bytes(8_000_000) for n in range(3)}), 413),
    "claims 4 GB": (with_large_claim(zipped({"a.prototxt": SMALL}), 0xFFFFFFF0), 413),
    "claims less": (with_large_claim(zipped({"a.prototxt": SMALL * 100}), 10), 400),
    "twice": (zipped({"a.prototxt": SMALL}, twice="a.prototxt"), 400),
    "file and folder": (zipped({"a": SMALL, "a/b.prototxt": SMALL}), 409),
    "other case": (zipped({"a.prototxt": SMALL, "A.prototxt": SMALL}), 409),
    "corrupt": (
        zipped({"a.prototxt": SMALL}).replace(b"\x00\x00\x00\x00a.", b"\x00\x00\x01\x00a."),
        400,
    ),
    "cut off": (zipped({"a.prototxt": SMALL})[:-30], 400),
    "empty": (zipped({}), 400),
    "no archive": (b"", 400),
    "many": (zipped({f"{n}.txt": b"" for n in range(2001)}), 400),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_is_bounded_and_whole(server: Server, kind: str) -> None:
    data, status = ARCHIVES[kind]
    answer = server.send({"net.zip": data})
    assert answer.status == status, answer.body
    assert answer.json["error"]


def test_an_archive_that_means_no_harm_is_checked(server: Server) -> None:
    files = {"nets/up.prototxt": SMALL, "nets/deep/other.prototxt": SMALL, "notes.txt": b"hello"}
    answer = server.send({"net.zip": zipped(files)})
    report = json.loads(server.artefact(answer.json, "report.json"))
    assert [file["path"] for file in report["files"]] == [
        "nets/up.prototxt",
        "nets/deep/other.prototxt",
    ]


def test_a_broken_member_is_not_clean(server: Server) -> None:
    data = bytearray(zipped({"a.prototxt": SMALL, "b.prototxt": SMALL}))
    data[60] ^= 0xFF
    assert server.send({"net.zip": bytes(data)}).status == 400


class _Runs:
    def __reduce__(self) -> tuple[object, ...]:
        return (open, ("ran-here", "w"))


def test_a_pickle_is_not_run(server: Server) -> None:
    job = server.send({"net.pth": pickle.dumps(_Runs())}, "convert").json
    assert job["result"]["exit_code"] == 2
    assert not list(server.folder.rglob("ran-here"))


def test_a_configuration_does_not_lead_out(server: Server) -> None:
    config = b'baseline = "../../../../../etc/hostname"\ncache-dir = "/tmp/upconv-escaped"\n'
    options = {"config": "upconv.toml"}
    job = server.send({"a.prototxt": SMALL, "upconv.toml": config}, options=options).json
    assert job["result"]["exit_code"] == 2
    kind = server.send({"a.prototxt": SMALL, "upconv.toml": b'ignore = ["UP1"]\n'}, options=options)
    assert kind.json["result"]["exit_code"] == 0


def test_words_that_nobody_understands_are_refused(server: Server) -> None:
    for options, status in (
        ({"opset": 18}, 400),
        ({"select": 3}, 400),
        ({"select": ["UP9999"]}, 200),
    ):
        answer = server.send({"a.prototxt": SMALL}, options=options)
        assert answer.status == status, answer.body
    assert server.send({"a.prototxt": SMALL}, "dance").status == 400
    assert server.send({}).status == 400
    missing = server.send({"a.prototxt": SMALL}, options={"paths": ["../b"]}).json
    assert missing["result"]["exit_code"] == 2
    assert server.get("/v1/jobs/../../etc/passwd").status == 404
    assert server.get(f"/v1/jobs/{'0' * 32}").status == 404


def test_too_much_is_refused_before_and_while_it_comes(server: Server) -> None:
    assert server.send({"a.prototxt": bytes(21_000_000)}).status == 413
    body, type_ = form({}, {"a.prototxt": bytes(21_000_000)})
    pieces = [body[at : at + 10**6] for at in range(0, len(body), 10**6)]
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {type_}\r\n"
    with raw(server) as connection:
        connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        for piece in pieces:
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")
        assert b" 413 " in connection.recv(1 << 16)


def test_a_client_that_goes_away_ends_nothing(server: Server) -> None:
    with raw(server) as connection:
        connection.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999\r\n"
                           b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x")  # fmt: skip
    assert server.get("/health").status == 200
    assert list((server.folder / "data" / "incoming").iterdir()) == []


def test_other_sites_pages_are_refused(server: Server) -> None:
    elsewhere = server.send({"a.prototxt": SMALL}, headers={"Origin": "https://example.org"})
    assert elsewhere.status == 403
    assert server.send({"a.prototxt": SMALL}, headers={"Origin": server.url}).status == 200
    assert server.get("/health", headers={"Host": "rebound.example.org"}).status == 421


def test_browsers_are_told_what_holds(server: Server) -> None:
    for path in ("/health", "/v1/jobs/x"):
        headers = server.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


def raw(server: Server) -> socket.socket:
    where = urlsplit(server.url)
    return socket.create_connection((where.hostname or "", where.port or 0), timeout=60)
