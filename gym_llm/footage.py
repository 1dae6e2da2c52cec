"""The pictures of one episode, captioned where that is asked for, on their way into its GIF and its video."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gym_llm.caption import Captioner
from gym_llm.config import AgentConfig, ExperimentConfig
from gym_llm.episode import Step
from gym_llm.recording import Frame, Recorder
from gym_llm.results import GIF, VIDEO, episode_file


def wants_frames(experiment: ExperimentConfig, agent: AgentConfig) -> bool:
    """Whether the environment has to render at all."""
    return experiment.save_gif or experiment.save_video or agent.frames


class Footage:
    """Records the frames of an episode's steps into `folder`, under the names that an experiment's files have."""

    def __init__(self, experiment: ExperimentConfig, action_schema: Any, folder: Path, episode: int, seed: int) -> None:
        self._captions = experiment.caption
        self._action_schema = action_schema
        self._captioner: Captioner | None = None
        self._reflection = ""
        self._recorder = Recorder(
            gif=folder / episode_file(episode, seed, GIF) if experiment.save_gif else None,
            video=folder / episode_file(episode, seed, VIDEO) if experiment.save_video else None,
            fps=experiment.gif_fps,
        )

    def add(self, step: Step) -> Frame | None:
        """Record the frame of a step; returns the picture as it was recorded."""
        if step.frame is None:
            return None
        picture = self._captioned(step, step.frame) if self._captions else step.frame
        self._recorder.add(picture)
        return picture

    def close(self) -> None:
        """Finish the files."""
        self._recorder.close()

    def abort(self) -> None:
        """Leave no files."""
        self._recorder.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        # What was filmed until a failure is worth keeping: it shows the failure.
        self.close()

    def _captioned(self, step: Step, frame: Frame) -> Frame:
        if self._captioner is None:
            self._captioner = Captioner(frame.shape)
        if step.decision.decided:
            self._reflection = step.decision.reflection
        title = f"step {step.step} · {self._action_name(step.decision.action)} · reward {step.reward:+.2f}"
        return self._captioner.draw(frame, title=title, text=self._reflection)

    def _action_name(self, action: Any) -> str:
        effects = self._action_schema if isinstance(self._action_schema, Mapping) else {}
        effect = str(effects.get(action, "")) if isinstance(action, int | str) else ""
        # An action is described as "name: effects" or "name (effects)" or just a name.
        for end in (":", " (", ";", ".", ","):
            effect = effect.split(end, 1)[0]
        return f"{action} {effect}".strip()
