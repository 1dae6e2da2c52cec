"""Where the files of runs are kept: one folder a run, with the names that `run_experiment` uses."""

import shutil
from pathlib import Path
from uuid import UUID


class ArtifactStore:
    """Files of runs in a local folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folder(self, run_id: UUID) -> Path:
        """The folder of a run; it is made where it does not exist yet."""
        folder = self._folder / str(run_id)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def find(self, run_id: UUID, name: str) -> Path | None:
        """A finished file of a run."""
        path = self._folder / str(run_id) / name
        return path if path.is_file() else None

    def delete(self, run_id: UUID) -> None:
        """Delete every file of a run."""
        shutil.rmtree(self._folder / str(run_id), ignore_errors=True)
