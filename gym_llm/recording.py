"""Frames -> GIF and MP4, written as they come: memory does not grow with the length of the recording."""

from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self
from uuid import uuid4

import av
import imageio.v3 as iio
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image, ImageChops, ImageStat

Frame = NDArray[np.uint8]
"""(height, width, 3) RGB."""

_TRANSPARENT = 255
"""The palette entry that means "leave this pixel as it is", which leaves 255 for colours."""
_TOLERANCE = 64.0
"""Mean squared error (about 30 dB) of the redrawn pixels above which a GIF frame brings its own palette."""
_CUBE = np.stack(np.meshgrid(*[np.linspace(0, 255, 5)] * 3), axis=-1).astype(np.uint8).tobytes()
"""5 x 5 x 5 colours spread evenly, as RGB bytes."""
_FITTED = _TRANSPARENT - len(_CUBE) // 3
"""How many colours of the palette are fitted to the first frame."""
_BT709 = 1
"""The number of BT.709 among the matrices, the primaries and the transfer functions alike (ITU-T H.273)."""


class Recorder:
    """Writes frames to a GIF and/or an MP4 as they come.

    Each file appears under its name only when `close` has finished it, so that a reader never sees half a file. Every
    frame is kept, one that equals the frame before it too. As a context manager it closes, or aborts on an exception.
    """

    def __init__(self, *, gif: Path | None = None, video: Path | None = None, fps: int = 30) -> None:
        """
        Args:
            gif: where the GIF goes; it loops forever. Its folder must exist.
            video: where the MP4 goes (H.264, playable while it downloads). Its folder must exist.
            fps: frames per second. A GIF counts in 10 ms: its delays alternate (3, 3, 4 for 30) so that they are right
                on average, but none is below the 20 ms that players honour, so beyond 50 fps a GIF plays slower.

        Raises:
            ValueError: `fps` is not at least 1.
        """
        if fps < 1:
            raise ValueError(f"fps must be at least 1, not {fps}")
        self._fps = fps
        self._targets = [(path, kind) for path, kind in ((gif, _Gif), (video, _Mp4)) if path is not None]
        self._tracks: list[tuple[Path, Path, _Track]] = []
        self._shape: tuple[int, ...] | None = None
        self._closed = False

    def add(self, frame: Frame) -> None:
        """Append one frame; it may be reused by the caller afterwards.

        Raises:
            ValueError: not (height, width, 3) uint8, not of the first frame's size, or the recording is closed.
        """
        if self._closed:
            raise ValueError("the recording is closed")
        check_frame(frame)
        if self._shape not in (None, frame.shape):
            raise ValueError(f"a frame of shape {frame.shape} in a recording of {self._shape}")
        pixels = contiguous(frame)
        try:
            if self._shape is None:
                self._shape = frame.shape
                self._open(frame.shape[0], frame.shape[1])
            for _, _, track in self._tracks:
                track.add(pixels)
        except BaseException:
            self.abort()  # a file with a hole in it must never be finished
            raise

    def close(self) -> None:
        """Finish the files. Without a frame there are none; after `close` or `abort` this does nothing."""
        if self._closed:
            return
        try:
            for _, _, track in self._tracks:
                track.close()
            for target, part, _ in self._tracks:
                part.replace(target)
        except BaseException:
            self.abort()
            raise
        self._closed = True

    def abort(self) -> None:
        """Drop everything written so far; after `close` this does nothing."""
        if self._closed:
            return
        self._closed = True
        for _, part, track in self._tracks:
            with suppress(Exception):  # what broke the recording may well break its end too
                track.close()
            part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None:
            self.close()
        else:
            self.abort()

    def _open(self, height: int, width: int) -> None:
        for target, kind in self._targets:
            part = target.with_name(f".{target.name}.{uuid4().hex}.part")
            self._tracks.append((target, part, kind(part, height, width, self._fps)))


def check_frame(frame: Frame) -> None:
    """Raises ValueError unless `frame` is a picture: (height, width, 3) uint8 with at least one pixel."""
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or frame.size == 0:
        raise ValueError(f"a frame is (height, width, 3) uint8, not {frame.shape} {frame.dtype}")


def png(frame: Frame) -> bytes:
    """`frame` as a PNG file.

    Raises:
        ValueError: not (height, width, 3) uint8.
    """
    check_frame(frame)
    file: bytes = iio.imwrite("<bytes>", frame, extension=".png")
    return file


def contiguous(frame: Frame) -> Frame:
    """`frame` in row order: itself, or a copy if its memory is laid out otherwise."""
    if frame.flags.c_contiguous:
        return frame
    copy = np.empty(frame.shape, np.uint8)
    for channel in range(3):  # on pygame's transposed pixels a third of the time of np.ascontiguousarray
        copy[..., channel] = frame[..., channel]
    return copy


class _Track(Protocol):
    def add(self, frame: Frame) -> None: ...
    def close(self) -> None: ...


class _Gif:
    """Each frame redraws only the pixels that changed, in a palette made from the first frame.

    Half of that palette fits the first frame, half is an even cube of colours for what comes later (sparks, another
    scene). Where that is still too far off, the frame brings a palette of its own.
    """

    def __init__(self, path: Path, height: int, width: int, fps: int) -> None:
        self._file = path.open("xb")
        self._size = (width, height)
        self._fps = fps
        self._count = 0
        self._last: Frame | None = None
        self._palette = Image.new("P", (1, 1))

    def add(self, frame: Frame) -> None:
        if self._last is None:
            self._start(frame)
            self._last = ~frame  # differs from the first frame in every pixel, so all of it is drawn
        where, changed = _difference(frame, self._last)
        image, own_palette = self._quantize(Image.fromarray(frame[where]), Image.fromarray(changed))
        image.paste(_TRANSPARENT, mask=Image.fromarray(~changed))
        start, end = (count * 100 // self._fps for count in (self._count, self._count + 1))
        self._file.writelines(
            GifImagePlugin.getdata(
                image,
                (where[1].start, where[0].start),
                duration=max(2, end - start) * 10,
                disposal=1,
                # Readers that see a transparent entry in the first frame take the whole GIF for RGBA.
                transparency=_TRANSPARENT if self._count else None,
                include_color_table=own_palette,
            )
        )
        self._count += 1
        self._last[where] = frame[where]

    def close(self) -> None:
        if not self._file.closed:
            self._file.write(b";")
            self._file.close()

    def _start(self, frame: Frame) -> None:
        fitted = Image.fromarray(frame).quantize(_FITTED, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        colours = bytes(fitted.getpalette("RGB") or b"") + _CUBE
        self._palette.putpalette(colours)
        canvas = Image.new("P", self._size)
        canvas.putpalette(colours.ljust(768, b"\0"))
        header, _ = GifImagePlugin.getheader(canvas, info={"loop": 0})
        self._file.writelines(header)

    def _quantize(self, image: Image.Image, changed: Image.Image) -> tuple[Image.Image, bool]:
        """`image` in the shared palette or, where its `changed` pixels need it, in one of its own; and which it was."""
        shared = image.quantize(palette=self._palette, dither=Image.Dither.NONE)
        error = ImageStat.Stat(ImageChops.difference(image, shared.convert("RGB")), changed)
        if sum(error.sum2) <= _TOLERANCE * sum(error.count):
            return shared, False
        own = image.quantize(_TRANSPARENT, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        own.putpalette(bytes(own.getpalette("RGB") or b"").ljust(768, b"\0"))
        return own, True


def _difference(frame: Frame, last: Frame) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """The smallest rectangle around all changed pixels (one pixel if there are none), and which changed in it."""
    differs = frame != last
    rows = np.flatnonzero(differs.reshape(len(frame), -1).any(axis=1))
    if not len(rows):
        return (slice(0, 1), slice(0, 1)), np.zeros((1, 1), np.bool_)
    height = slice(int(rows[0]), int(rows[-1]) + 1)
    red, green, blue = np.moveaxis(differs[height], -1, 0)
    changed = red | green | blue
    columns = np.flatnonzero(changed.any(axis=0))
    width = slice(int(columns[0]), int(columns[-1]) + 1)
    return (height, width), changed[:, width]


class _Mp4:
    """H.264 in yuv420p, which every browser plays. It takes even sizes only: an odd edge is repeated."""

    def __init__(self, path: Path, height: int, width: int, fps: int) -> None:
        self._odd = (height % 2, width % 2)
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        # Measured on LunarLander: "veryfast" is a third of the size of "ultrafast" for 0.6 ms more a frame.
        stream = self._container.add_stream("libx264", rate=fps, options={"preset": "veryfast", "crf": "18"})
        stream.height, stream.width = height + self._odd[0], width + self._odd[1]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        stream.color_range = ColorRange.MPEG
        stream.colorspace = stream.color_primaries = stream.color_trc = _BT709
        self._container.start_encoding()  # opens the file now; left alone it would only fail many frames later
        self._stream = stream
        self._time_base = Fraction(1, fps)
        self._count = 0
        self._closed = False

    def add(self, frame: Frame) -> None:
        if any(self._odd):
            frame = np.pad(frame, ((0, self._odd[0]), (0, self._odd[1]), (0, 0)), mode="edge")
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        picture.pts, picture.time_base = self._count, self._time_base
        self._count += 1
        self._container.mux(self._stream.encode(picture))

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            try:
                self._container.mux(self._stream.encode())
            finally:
                self._container.close()
