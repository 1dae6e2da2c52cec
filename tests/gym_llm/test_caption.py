from pathlib import Path

import numpy as np
import pytest

from gym_llm.caption import Captioner
from gym_llm.recording import Frame, Recorder

FRAME = np.random.default_rng(0).integers(0, 256, (400, 600, 3), np.uint8)


def panel(picture: Frame, frame: Frame = FRAME) -> Frame:
    return picture[frame.shape[0] :]


def ink(picture: Frame) -> int:
    """How many pixels of the panel are letters: brighter than its background and its edge."""
    return int((panel(picture).max(axis=2) > 100).sum())


def lines(picture: Frame) -> int:
    """Lines of writing in the panel: runs of rows with ink in them, letters with dots and tails counted once."""
    rows = np.convolve((panel(picture).max(axis=2) > 100).any(axis=1), [1, 1, 1, 1]) > 0
    return int(np.count_nonzero(np.diff(rows.astype(int)) == 1))


def test_the_frame_is_untouched_and_the_panel_is_under_it() -> None:
    captioner = Captioner(FRAME.shape)
    picture = captioner.draw(FRAME, title="step 1 · wait", text="Nothing to do yet.")
    assert picture.shape == captioner.shape
    assert picture.dtype == np.uint8
    assert np.array_equal(picture[:400], FRAME)
    assert picture.shape[1] == 600
    assert panel(picture).mean() < 60
    assert lines(picture) == 2


def test_every_picture_has_the_same_size() -> None:
    captioner = Captioner(FRAME.shape)
    texts = ["", "short", "many words " * 500, "x" * 5000]
    assert {captioner.draw(FRAME, title=text, text=text).shape for text in texts} == {captioner.shape}


def test_text_is_wrapped_and_cut_at_the_last_line() -> None:
    captioner = Captioner(FRAME.shape, lines=3)
    assert lines(captioner.draw(FRAME, title="", text="word " * 20)) == 2
    full = captioner.draw(FRAME, title="", text="word " * 30)
    assert lines(full) == 3
    much_more = captioner.draw(FRAME, title="", text="word " * 1000)
    assert lines(much_more) == 3
    assert np.array_equal(much_more, captioner.draw(FRAME, title="", text="word " * 2000))


def test_writing_stays_inside_the_margins() -> None:
    captioner = Captioner(FRAME.shape)
    for text in ("M" * 3000, "many words " * 500, "i" * 3000):
        picture = panel(captioner.draw(FRAME, title=text, text=text))[8:]
        assert (picture[:, :10] == picture[-1, 0]).all()
        assert (picture[:, -10:] == picture[-1, 0]).all()


def test_title_and_text_change_on_their_own() -> None:
    captioner = Captioner(FRAME.shape)
    first = captioner.draw(FRAME, title="step 1", text="same")
    second = captioner.draw(FRAME, title="step 2", text="same")
    third = captioner.draw(FRAME, title="step 2", text="other")
    changed = np.flatnonzero((first != second).any(axis=(1, 2)))
    below = np.flatnonzero((second != third).any(axis=(1, 2)))
    assert 400 < changed[0] < changed[-1] < below[0]
    again = captioner.draw(FRAME, title="step 1", text="same")
    assert np.array_equal(again, first)


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("two\n\nlines\tand  more", "two lines and more"),
        ("caf\u00e9 na\u00efve \u2192 stra\u00dfe", "cafe naive -> strasse"),
        ("engine \U0001f680\ufe0f on", "engine on"),
        ("bell\x07 and null\x00", "bell and null"),
        ("zero\u200bwidth", "zerowidth"),
        ("half a pair \ud83d", "half a pair"),
        ("\u65e5\u672c", "??"),
        (" \n ", ""),
    ],
)
def test_what_the_font_lacks_is_replaced(text: str, same_as: str) -> None:
    captioner = Captioner(FRAME.shape)
    expected = captioner.draw(FRAME, title="", text=same_as)
    assert np.array_equal(captioner.draw(FRAME, title="", text=text), expected)


def test_empty_words_draw_nothing() -> None:
    assert ink(Captioner(FRAME.shape).draw(FRAME, title="", text="")) == 0


def test_narrow_frames_are_enlarged_by_a_whole_factor() -> None:
    frame = FRAME[:84, :84]
    captioner = Captioner(frame.shape)
    picture = captioner.draw(frame, title="step 3", text="words")
    assert picture.shape[1] == 504
    assert np.array_equal(picture[:504:6, ::6], frame)
    assert np.array_equal(picture[5:504:6, 5::6], frame)


def test_frames_too_tall_to_enlarge_are_centred() -> None:
    frame = FRAME[:300, :3]
    picture = Captioner(frame.shape).draw(frame, title="a", text="b")
    left = (480 - 9) // 2
    assert np.array_equal(picture[:900:3, left : left + 9 : 3], frame)
    assert (picture[:900, :left] == picture[0, 0]).all()


def test_every_picture_is_its_own() -> None:
    captioner = Captioner(FRAME.shape)
    first = captioner.draw(FRAME, title="a", text="b")
    kept = first.copy()
    captioner.draw(255 - FRAME, title="c", text="d")
    assert np.array_equal(first, kept)


def test_wrong_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="no caption"):
        Captioner((400, 600))
    with pytest.raises(ValueError, match="no caption"):
        Captioner(FRAME.shape, lines=0)
    with pytest.raises(ValueError, match="announced"):
        Captioner(FRAME.shape).draw(FRAME[:10], title="", text="")
    with pytest.raises(ValueError, match="uint8"):
        Captioner(FRAME.shape).draw(FRAME.astype(float), title="", text="")


def test_a_missing_font_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"."):
        Captioner(FRAME.shape, font=tmp_path / "none.ttf")


def test_captioned_frames_record(tmp_path: Path) -> None:
    captioner = Captioner((63, 85, 3))
    with Recorder(gif=tmp_path / "a.gif", video=tmp_path / "a.mp4") as recorder:
        for step in range(3):
            recorder.add(captioner.draw(FRAME[:63, :85], title=f"step {step}", text="thinking " * step))
    assert (tmp_path / "a.gif").stat().st_size > 0
    assert (tmp_path / "a.mp4").stat().st_size > 0
