"""Document events through the genuine runtime."""

from pathlib import Path

from tests.integration.runtime.hosted import eventually


def test_functions_hear_of_documents_that_come_change_and_go(host, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    (folder / "sub").mkdir(parents=True)
    early = folder / "early.md"
    early.write_text("before the start")
    with host("documents", folder) as app:
        first = eventually(app.record)
        assert [(entry["name"], entry["data"]) for entry in first] == [("papers/early.md", "before the start")]
        (folder / "sub" / "a b%20ä.txt").write_text("one")
        second = eventually(lambda: app.record()[1:])[0]
        early.write_text("changed now")
        third = eventually(lambda: app.record()[2:])[0]
        (folder / "sub" / "a b%20ä.txt").unlink()
        gone = eventually(lambda: app.record()[3:])[0]
        assert "failed" not in app.stop()
    assert second == {
        "event": "written",
        "name": "papers/sub/a b%20ä.txt",
        "data": "one",
        "length": 3,
        "uri": "https://laptop.blob.core.windows.net/papers/sub/a%20b%2520%C3%A4.txt",
        "etag": second["etag"],
        "type": "text/plain",
    }
    assert (third["name"], third["data"]) == ("papers/early.md", "changed now")
    assert third["etag"] != first[0]["etag"]
    assert gone == {
        "event": "gone",
        "type": "Microsoft.Storage.BlobDeleted",
        "subject": "/blobServices/default/containers/papers/blobs/sub/a b%20ä.txt",
        "url": "https://laptop.blob.core.windows.net/papers/sub/a%20b%2520%C3%A4.txt",
    }


def test_a_document_that_fails_is_tried_again_then_reported_and_left_alone(host, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "bad.md").write_text("bad")
    (folder / "good.md").write_text("good")
    with host("documents", folder) as app:
        assert eventually(lambda: len(app.record()) == 4)
        (folder / "late.md").write_text("late")
        assert eventually(lambda: "papers/late.md" in [entry["name"] for entry in app.record()])
        errors = app.stop()
        names = [entry["name"] for entry in app.record()]
    assert names.count("papers/bad.md") == 3
    assert names.count("papers/good.md") == 1
    assert "gave up bad.md" in errors
