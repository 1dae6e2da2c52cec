"""A run as the folder that `run_experiment` writes, in one zip."""

import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path


def write_archive(folder: Path, texts: dict[str, str], files: Iterable[Path]) -> Path:
    """Write a zip of `texts` (name -> content) and `files` into `folder`; deleting it is the caller's."""
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".zip", delete=False) as target:
        with zipfile.ZipFile(target, "w") as archive:
            for name, text in texts.items():
                archive.writestr(name, text, compress_type=zipfile.ZIP_DEFLATED)
            for file in files:
                archive.write(file, file.name, compress_type=zipfile.ZIP_STORED)  # GIF and MP4 are compressed already.
        return Path(target.name)
