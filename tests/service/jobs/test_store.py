"""The store: by content, whole or not at all, swept of what nobody speaks of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from upconv.converters.ir.errors import UsageError
from upconv.service.jobs.artefacts import final_artefacts
from upconv.service.jobs.names import require_tree, safe_name
from upconv.service.jobs.options import canonical
from upconv.service.jobs.remote import Remote
from upconv.service.jobs.spec import JobSpec, Named, from_json
from upconv.service.jobs.store import Store, TooLargeError


def test_the_same_twice_is_one_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    first, again = store.put([b"ab", b"c"], 3), store.put([b"abc"], 3)
    assert first == again
    assert store.path(first.sha256).read_bytes() == b"abc"
    assert list(store.sizes()) == [3]


def test_what_is_cut_short_or_too_large_leaves_nothing(tmp_path: Path) -> None:
    def cut() -> Iterator[bytes]:
        yield b"abc"
        raise ConnectionError

    store = Store(tmp_path)
    with pytest.raises(ConnectionError):
        store.put(cut(), 10)
    with pytest.raises(TooLargeError, match="more than 2 bytes"):
        store.put([b"abc"], 2)
    assert list(store.sizes()) == []


def test_a_sweep_keeps_what_is_spoken_of_and_what_is_new(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept, gone = (store.put([text], 9) for text in (b"kept", b"gone"))
    assert store.sweep({kept.sha256}, 60) == 0
    assert store.sweep({kept.sha256}, -1) == 1
    assert store.path(kept.sha256).exists()
    assert not store.path(gone.sha256).exists()


@pytest.mark.parametrize("text", ["../a", "0" * 63, "G" * 64, "", "/" * 64])
def test_only_a_hash_is_a_place(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        Store(tmp_path).path(text)


def test_names_are_plain_or_refused() -> None:
    for name in ("a", "nets/fcn.prototxt", "ünï/模型.onnx", ".hidden", "variables/variables.index"):
        assert safe_name(name) == name
    for name in ("", ".", "..", "a/..", "/a", "a/", "con\x00", "a\\b", "c:", "a ", "a./b"):
        with pytest.raises(UsageError, match="refused"):
            safe_name(name)
    for names in (("a", "a"), ("a", "A"), ("a/b", "a")):
        with pytest.raises(UsageError, match="refused"):
            require_tree(names)
    require_tree(("a/b", "a/c", "d"))


def test_a_job_is_named_by_all_that_it_depends_on() -> None:
    files = (Named("a", "0" * 64, 1), Named("b", "1" * 64, 2))
    spec = JobSpec("ann", "check", canonical("check", ""), files, "1")
    assert from_json(spec.as_json()).id == spec.id
    assert JobSpec("ann", "check", canonical("check", "{}"), files[::-1], "1").id == spec.id
    others = (
        JobSpec("bob", "check", spec.options, files, "1"),
        JobSpec("ann", "convert", spec.options, files, "1"),
        JobSpec("ann", "check", canonical("check", '{"select": ["UP1"]}'), files, "1"),
        JobSpec("ann", "check", spec.options, files[:1], "1"),
        JobSpec("ann", "check", spec.options, files, "2"),
    )
    assert len({spec.id, *(other.id for other in others)}) == 6


def test_an_onnx_file_without_a_verdict_is_no_artefact() -> None:
    write = {"exit_code": 0, "artefacts": [["model.onnx", "0", 1], ["findings.json", "1", 2]]}
    names = [
        [one[0] for one in final_artefacts([write, last])["artefacts"]]
        for last in (
            {"exit_code": 0, "artefacts": []},
            {"exit_code": 2, "reason": "ended"},
            {"exit_code": 1, "artefacts": [["model.onnx.failed", "2", 1]]},
        )
    ]
    assert names == [["model.onnx"], [], ["model.onnx.failed"]]


def test_what_is_kept_elsewhere_is_fetched_whole(tmp_path: Path) -> None:
    there = tmp_path / "there"
    store = Store(tmp_path / "here", Remote(f"file://{there}"))
    blob = store.put([b"abc"], 10)
    other = Store(tmp_path / "other", Remote(f"file://{there}"))
    assert other.local(blob.sha256).read_bytes() == b"abc"
    assert list(other.sizes()) == [3]
    copy = there / blob.sha256[:2] / blob.sha256[2:]
    copy.write_bytes(b"ab")  # cut short
    third = Store(tmp_path / "third", Remote(f"file://{there}"))
    with pytest.raises(FileNotFoundError):
        third.local(blob.sha256)
    assert [path for path in (tmp_path / "third").rglob("*") if path.is_file()] == []
    store.put([b"abc"], 10)
    assert third.local(blob.sha256).read_bytes() == b"abc"
    with pytest.raises(FileNotFoundError):
        third.local("0" * 64)
    store.sweep((), -1)
    assert not copy.exists()


def test_a_url_that_nothing_understands_is_one_line() -> None:
    with pytest.raises(UsageError, match="--artefacts nonsense://x"):
        Remote("nonsense://x")


def test_it_is_kept_in_s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Amazon's interface, as moto serves it."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in (
            ("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"),
            ("AWS_DEFAULT_REGION", "us-east-1"), ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
            ("no_proxy", "*"),
        ):  # fmt: skip
            monkeypatch.setenv(name, value)
        import s3fs

        s3fs.S3FileSystem().mkdir("models")
        store = Store(tmp_path / "here", Remote("s3://models/upconv"))
        blob = store.put([b"a" * 3_000_000], 10**7)
        other = Store(tmp_path / "other", Remote("s3://models/upconv"))
        assert other.local(blob.sha256).read_bytes() == b"a" * 3_000_000
        assert list(other.sizes()) == [3_000_000]
        with pytest.raises(FileNotFoundError):
            other.local("0" * 64)
        store.sweep((), -10)
        assert list(other.sizes()) == []
    finally:
        server.stop()
