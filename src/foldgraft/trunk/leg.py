"""A pretraining in legs, as long as a machine is at hand: a plateau without an end, and a cool-down when one wants it.

Nobody need know beforehand how many legs there will be: the learning rate rises once and stays where it is (Hägele et
al. 2024, arXiv 2405.18392), and a cool-down over some further leg turns the state of any of them into a finished
trunk, without touching that state.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from foldgraft.errors import FoldgraftError
from foldgraft.trunk.corpus import Corpus
from foldgraft.trunk.examination import Examination
from foldgraft.trunk.pretrain import Budget, describe, digest, learn, new_network
from foldgraft.trunk.settings import PretrainSettings
from foldgraft.trunk.speed import speed
from foldgraft.trunk.state import Learner, read_state, write_state


@dataclass(frozen=True)
class Files:
    """Where legs leave what the next one, or another machine, goes on from.

    Attributes
    ----------
    state
        the plateau: read if it is there, and written.
    final
        asks for a cool-down: the state is only read, and the finished weights written here.
    carry
        a smaller copy of what was written, see `state.write_state`.
    """

    state: Path
    final: Path | None = None
    carry: Path | None = None


def leg(
    train: Corpus,
    valid: Corpus,
    settings: PretrainSettings,
    files: Files,
    steps: int | None,
    minutes: float | None,
    device: torch.device,
) -> dict[str, Any]:
    """Go on for some steps or minutes.

    Parameters
    ----------
    settings
        the same in all legs; its `steps`, `minutes` and `decay` are not used.
    steps, minutes
        of this leg; a cool-down reaches a learning rate of zero at their end.

    Returns
    -------
    How far the pretraining is, with a list of its legs.

    Raises
    ------
    FoldgraftError
        if the state is of other settings or another text, if there is none to cool down from, or if a file has two
        purposes.
    """
    named = [path.resolve() for path in (files.state, files.final, files.carry) if path]
    if len(set(named)) < len(named):
        raise FoldgraftError(f"{files.state}: --state, --final and --carry must be files of their own")
    exam = Examination(valid, settings)
    known = digest(train, valid, settings)
    if files.state.is_file():
        learner = read_state(files.state, settings, device, known)
        if learner is None:
            raise FoldgraftError(
                f"{files.state}: is of other settings or another text; give the same, or a new --state"
            )
    elif files.final:
        raise FoldgraftError(f"{files.state}: there is no such file; a cool-down begins from the state of a leg")
    else:
        learner = Learner.of(new_network(settings, train.frequencies()), settings, device)

    begun = (learner.step, learner.tokens, learner.seconds)
    length = train.mean_length(settings.crop_length)
    learner.legs.append({})

    def keep() -> None:
        spent = {
            "kind": "cool-down" if files.final else "plateau",
            "steps": learner.step - begun[0],
            "tokens": learner.tokens - begun[1],
            "seconds": round(learner.seconds - begun[2], 1),
        }
        learner.legs[-1] = spent | speed(learner.network, length, spent["tokens"], spent["seconds"], device)
        if not files.final:
            write_state(files.state, learner, known)

    budget = Budget(steps, minutes and 60 * minutes, learner.step, learner.seconds)
    learn(learner, train, exam, settings, budget, 1.0 if files.final else 0.0, keep)
    print("leg: " + ", ".join(f"{key} {value}" for key, value in learner.legs[-1].items()), file=sys.stderr)
    if files.final:
        write_state(files.final, learner, known)
    if files.carry:
        write_state(files.carry, learner, known, compact=True)
    return describe(learner, train, exam) | {"legs": learner.legs}
