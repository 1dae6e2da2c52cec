import io
import subprocess
import sys
import warnings
from pathlib import Path

import av
import gymnasium as gym
import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from gym_llm.recording import Frame, Recorder, contiguous, png


@pytest.fixture(scope="module")
def landing() -> list[Frame]:
    """An episode of LunarLander flown by gymnasium's own heuristic, as its renderer hands the frames out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing Box2D warns about SWIG's types, and crashes if that is an error
        from gymnasium.envs.box2d.lunar_lander import heuristic

        env = gym.make("LunarLander-v3", render_mode="rgb_array")
    observation, _ = env.reset(seed=0)
    frames = [env.render()]
    over = False
    while not over:
        observation, _, terminated, truncated, _ = env.step(heuristic(env.unwrapped, observation))
        frames.append(env.render())
        over = terminated or truncated
    env.close()
    return frames


def record(frames: list[Frame], *, gif: Path | None = None, video: Path | None = None, fps: int = 30) -> None:
    with Recorder(gif=gif, video=video, fps=fps) as recorder:
        for frame in frames:
            recorder.add(frame)


def read_gif(path: Path) -> tuple[list[Frame], list[int]]:
    """The frames and how long each is shown, in ms."""
    frames, durations = [], []
    with Image.open(path) as image:
        for index in range(image.n_frames):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB")))
            durations.append(image.info["duration"])
    return frames, durations


def read_with_ffmpeg(path: Path) -> list[Frame]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def psnr(one: Frame, other: Frame) -> float:
    error = np.mean(np.square(one.astype(float) - other))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def noise(shape: tuple[int, int], count: int) -> list[Frame]:
    return list(np.random.default_rng(0).integers(0, 256, (count, *shape, 3), np.uint8))


def test_a_landing_is_kept_whole_and_looks_like_it_was(landing: list[Frame], tmp_path: Path) -> None:
    gif, video = tmp_path / "landing.gif", tmp_path / "landing.mp4"
    record(landing, gif=gif, video=video)
    frames, durations = read_gif(gif)
    assert len(frames) == len(landing)
    assert min(psnr(*pair) for pair in zip(frames, landing, strict=True)) > 45
    assert durations[:6] == [30, 30, 40, 30, 30, 40]
    assert abs(sum(durations) - len(landing) * 1000 / 30) < 10
    assert len(iio.imread(gif, plugin="pillow")) == len(landing)
    assert min(psnr(*pair) for pair in zip(read_with_ffmpeg(gif), landing, strict=True)) > 45
    assert min(psnr(*pair) for pair in zip(read_with_ffmpeg(video), landing, strict=True)) > 38
    assert sorted(tmp_path.iterdir()) == [gif, video]


def test_identical_frames_are_kept(landing: list[Frame], tmp_path: Path) -> None:
    still = [landing[0]] * 5 + [landing[1]] * 5
    record(still, gif=tmp_path / "a.gif", video=tmp_path / "a.mp4", fps=10)
    frames, durations = read_gif(tmp_path / "a.gif")
    assert durations == [100] * 10
    assert min(psnr(*pair) for pair in zip(frames, still, strict=True)) > 45
    assert len(iio.imread(tmp_path / "a.gif", plugin="pillow")) == 10
    assert len(read_with_ffmpeg(tmp_path / "a.gif")) == 10
    assert len(read_with_ffmpeg(tmp_path / "a.mp4")) == 10


@pytest.mark.parametrize(
    ("fps", "expected"),
    [(1, [1000] * 6), (24, [40, 40, 40, 40, 40, 50]), (50, [20] * 6), (60, [20] * 6), (1000, [20] * 6)],
)
def test_delays_are_right_on_average_and_never_below_what_players_honour(
    fps: int, expected: list[int], tmp_path: Path
) -> None:
    record(noise((4, 4), 6), gif=tmp_path / "a.gif", fps=fps)
    assert read_gif(tmp_path / "a.gif")[1] == expected


def test_a_gif_loops_forever(tmp_path: Path) -> None:
    record(noise((4, 4), 2), gif=tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info["loop"] == 0


def test_colours_that_the_first_frame_lacks_are_kept(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 256).astype(np.uint8)
    dusk = np.stack([np.tile(ramp, (64, 1)), np.tile(ramp // 3, (64, 1)), np.tile(255 - ramp, (64, 1))], axis=-1)
    black = np.zeros_like(dusk)
    scenes = [black, dusk, black, dusk[:, ::-1], np.full_like(black, 255), black]
    record(scenes, gif=tmp_path / "a.gif")
    frames, _ = read_gif(tmp_path / "a.gif")
    assert min(psnr(*pair) for pair in zip(frames, scenes, strict=True)) > 35
    assert iio.imread(tmp_path / "a.gif", plugin="pillow").shape == (len(scenes), *dusk.shape)
    assert min(psnr(*pair) for pair in zip(read_with_ffmpeg(tmp_path / "a.gif"), scenes, strict=True)) > 35


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (1, 300), (301, 2)])
def test_any_size(size: tuple[int, int], tmp_path: Path) -> None:
    frames = noise(size, 3)
    record(frames, gif=tmp_path / "a.gif", video=tmp_path / "a.mp4")
    assert [frame.shape for frame in read_gif(tmp_path / "a.gif")[0]] == [(*size, 3)] * 3
    even = (size[0] + size[0] % 2, size[1] + size[1] % 2, 3)
    assert [frame.shape for frame in read_with_ffmpeg(tmp_path / "a.mp4")] == [even] * 3


def test_a_video_plays_in_browsers_while_it_downloads(landing: list[Frame], tmp_path: Path) -> None:
    record(landing[:20], video=tmp_path / "a.mp4", fps=25)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.average_rate, stream.frames) == (25, 20)
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_the_caller_may_reuse_its_frame(tmp_path: Path) -> None:
    canvas = np.zeros((20, 30, 3), np.uint8)
    with Recorder(gif=tmp_path / "a.gif") as recorder:
        for shade in (0, 255, 0):
            canvas[:] = shade
            recorder.add(canvas)
    assert [int(frame.mean()) for frame in read_gif(tmp_path / "a.gif")[0]] == [0, 255, 0]


def test_the_file_appears_when_it_is_finished(tmp_path: Path) -> None:
    target = tmp_path / "a.gif"
    target.write_bytes(b"the recording before")
    recorder = Recorder(gif=target)
    for frame in noise((50, 50), 5):
        recorder.add(frame)
        assert target.read_bytes() == b"the recording before"
    recorder.close()
    recorder.close()
    recorder.abort()
    assert len(read_gif(target)[0]) == 5
    assert list(tmp_path.iterdir()) == [target]


def test_no_frames_no_file(tmp_path: Path) -> None:
    record([], gif=tmp_path / "a.gif", video=tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


def test_without_a_target_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record(noise((4, 4), 2))
    assert not list(tmp_path.iterdir())


def test_abort_leaves_nothing(tmp_path: Path) -> None:
    recorder = Recorder(gif=tmp_path / "a.gif", video=tmp_path / "a.mp4")
    recorder.add(noise((20, 20), 1)[0])
    assert list(tmp_path.iterdir())
    recorder.abort()
    recorder.abort()
    recorder.close()
    assert not list(tmp_path.iterdir())


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> None:
        with Recorder(gif=tmp_path / "a.gif", video=tmp_path / "a.mp4") as recorder:
            recorder.add(noise((20, 20), 1)[0])
            raise RuntimeError("the environment broke")

    with pytest.raises(RuntimeError, match="the environment broke"):
        broken()
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    recorder = Recorder(gif=tmp_path / "a.gif", video=tmp_path / "missing" / "a.mp4")
    with pytest.raises(FileNotFoundError):
        recorder.add(noise((20, 20), 1)[0])
    recorder.close()
    assert not list(tmp_path.iterdir())


def test_a_bad_frame_is_refused_and_the_recording_goes_on(tmp_path: Path) -> None:
    good = np.zeros((4, 6, 3), np.uint8)
    with Recorder(gif=tmp_path / "a.gif") as recorder:
        for bad in (good[..., 0], good.astype(np.float32), np.zeros((4, 6, 4), np.uint8), good[:0]):
            with pytest.raises(ValueError, match="a frame is"):
                recorder.add(bad)
        recorder.add(good)
        with pytest.raises(ValueError, match="in a recording of"):
            recorder.add(np.zeros((6, 4, 3), np.uint8))
        recorder.add(good)
    assert len(read_gif(tmp_path / "a.gif")[0]) == 2
    with pytest.raises(ValueError, match="closed"):
        recorder.add(good)


def test_fps_is_at_least_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fps"):
        Recorder(gif=tmp_path / "a.gif", fps=0)


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    program = """
import resource, sys
from pathlib import Path
import numpy as np
from gym_llm.recording import Recorder

folder, frame, peaks = Path(sys.argv[1]), np.zeros((200, 300, 3), np.uint8), []
with Recorder(gif=folder / "a.gif", video=folder / "a.mp4") as recorder:
    for step in range(2000):
        frame[:] = 40
        frame[step % 180 : step % 180 + 20, step % 280 : step % 280 + 20] = (step % 256, 255 - step % 256, 90)
        recorder.add(frame)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(peaks[-1] - peaks[200])
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    kilobytes = int(done.stdout) // (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 16_000  # the frames themselves are 316,000


def test_png_is_lossless() -> None:
    frame = noise((9, 13), 1)[0]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(frame)))), frame)
    with pytest.raises(ValueError, match="a frame is"):
        png(frame[..., 0])


def test_contiguous_keeps_the_pixels_and_copies_only_if_it_must() -> None:
    frame = noise((9, 13), 1)[0]
    assert contiguous(frame) is frame
    turned = frame.transpose(1, 0, 2)
    assert contiguous(turned).flags.c_contiguous
    assert np.array_equal(contiguous(turned), turned)
