"""Where files of runs are kept, how they are packed, and pictures of what is being played."""

import zipfile
from pathlib import Path
from uuid import uuid4

import numpy as np

from app.artifacts.archive import write_archive
from app.artifacts.frames import LiveFrames
from app.artifacts.store import ArtifactStore


def test_files_belong_to_their_run(tmp_path: Path):
    store = ArtifactStore(tmp_path / "runs")
    one, other = uuid4(), uuid4()
    assert store.find(one, "a.gif") is None
    (store.folder(one) / "a.gif").write_bytes(b"GIF")
    (store.folder(other) / "b.gif").write_bytes(b"GIF")
    found = store.find(one, "a.gif")
    assert found is not None
    assert found.read_bytes() == b"GIF"
    assert store.find(one, "b.gif") is None
    store.delete(one)
    store.delete(one)
    assert store.find(one, "a.gif") is None
    assert store.find(other, "b.gif") is not None


def test_an_archive_holds_texts_and_files(tmp_path: Path):
    picture = tmp_path / "run_0_seed_0.gif"
    picture.write_bytes(b"GIF" * 1000)
    path = write_archive(tmp_path, {"config.yaml": "agent: ä\n"}, [picture])
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["config.yaml", "run_0_seed_0.gif"]
        assert archive.read("config.yaml").decode() == "agent: ä\n"
        assert archive.read("run_0_seed_0.gif") == picture.read_bytes()


def test_live_frames_are_the_newest():
    frames, run = LiveFrames(), uuid4()
    for shade in (1, 2):
        frames.put(run, 0, np.full((2, 2, 3), shade, np.uint8))
    newest = frames.get(run, 0)
    assert newest is not None
    assert newest.max() == 2
    assert frames.get(run, 1) is None
    frames.drop(run, 0)
    frames.drop(run, 0)
    assert frames.get(run, 0) is None
