"""Predictions by heads that trained the trunk along, which reads each sequence as a whole."""

import csv

import pytest
import torch
from safetensors.torch import save_file

from foldgraft.models.heads.build import TrunkPart, Widths, build_tuned
from foldgraft.models.heads.settings import Last, LinearSettings, LogisticSettings
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.identity import Identity
from foldgraft.models.trunk.tensors import build_network
from foldgraft.predict.sequences import Candidates
from foldgraft.predict.settings import PredictSettings
from foldgraft.predict.tables import predicted_table
from foldgraft.records.files import file_sha256, write_json
from foldgraft.tasks.calibration import Calibration
from foldgraft.tasks.task import BUILT_IN, SOLUBILITY
from foldgraft.tasks.trained import HeadInfo, MemberInfo, Scale, load_head, save_head

MOST = 28
"""Residues that the trunk reads at once, as ESM-1b reads 1022."""


def tuned(folder, task, head, widths, layers, features=()):
    """A trunk with learnt positions, and a head on disk that trained its last layer along."""
    torch.manual_seed(0)
    shape = Architecture(layers=2, width=24, heads=3, family="ESM-1b", max_tokens=MOST + 2)
    weights, description = folder / "model.safetensors", folder / "trunk.json"
    save_file(build_network(shape).state_dict(), weights)
    write_json(description, {"name": "small", "sha256": file_sha256(weights), "architecture": shape.as_dict()})
    trunk = Trunk.load(weights, description, torch.device("cpu"))
    pairs = widths if task.level == "pair" else None
    part = TrunkPart(trunk.network, layers, Last(last=1), pairs=pairs, attention="attention" in features)
    member = MemberInfo(
        seed=0, test_fold=0, valid_fold=1, best_epoch=1, penalty=None, scales=[Scale()], calibrations=[Calibration()]
    )
    info = HeadInfo(
        name="x", tasks=[task], head=head, widths=widths, layers=layers, unfreeze=part.unfreeze, covariates=[],
        features=list(features), columns=[], members=[member], trunk=Identity.of(trunk), experiment={}, versions={},
    )  # fmt: skip
    save_head(folder / "x.safetensors", [build_tuned(task.level, head, part, [task.target.outputs])], info)
    return trunk, load_head(folder / "x.safetensors", trunk)


@pytest.mark.parametrize(
    ("task", "head", "widths", "layers", "features"),
    [
        (SOLUBILITY, LinearSettings(), Widths(24), [2], ()),
        (BUILT_IN["contact"], LogisticSettings(), Widths(6), [], ("attention",)),
    ],
)
def test_a_sequence_that_the_trunk_cannot_read_as_a_whole_is_rejected_alone(
    tmp_path, task, head, widths, layers, features
):
    trunk, trained = tuned(tmp_path, task, head, widths, layers, features)
    fasta = tmp_path / "new.fasta"
    fasta.write_text(f">long\n{'MKTAYIAK' * 4}\n>whole\n{'MKTAYIA' * 4}\n")
    output = tmp_path / "out.csv"
    tally = predicted_table(output, Candidates(fasta, PredictSettings()), [trained], trunk)
    assert [(one.id, one.reason) for one in tally.rejected] == [
        ("long", "32 residues, more than the 28 that the trunk reads at once")
    ]
    if task is SOLUBILITY:
        rows = list(csv.DictReader(output.open()))
        assert [bool(row["solubility"]) for row in rows] == [False, True]
