"""Heads on disk: what is written is read, and what is no head is refused by name."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from foldgraft.errors import FoldgraftError
from foldgraft.models.heads.build import Widths, build
from foldgraft.models.heads.settings import ConvolutionSettings, MLPSettings, ResidualSettings
from foldgraft.models.trunk.identity import Identity
from foldgraft.records import origin
from foldgraft.tasks.calibration import Calibration
from foldgraft.tasks.task import BUILT_IN, SOLUBILITY, Task
from foldgraft.tasks.trained import HeadInfo, MemberInfo, Scale, load_head, save_head

VALUE = Task(name="fitness", level="protein", kind="value", unit="kcal/mol")


def info(tasks, head, members=2, **change) -> HeadInfo:
    values = {
        "name": "trial",
        "tasks": tasks,
        "head": head,
        "widths": (6, 4 if tasks[0].level == "pair" else 0),
        "layers": [1, 2],
        "covariates": [],
        "features": [],
        "columns": [],
        "members": [
            MemberInfo(
                seed=n,
                test_fold=0,
                valid_fold=n,
                best_epoch=1,
                penalty=None,
                scales=[Scale(mean=10.0, scale=2.0) for _ in tasks],
                calibrations=[Calibration(temperature=1.0 + n) for _ in tasks],
            )
            for n in range(members)
        ],
        "trunk": Identity(name="small", sha256="0" * 64, fingerprint=[[0.0, 1.0]]),
        "experiment": {},
        "versions": {},
    }
    return HeadInfo(**{**values, **change})


def heads(about):
    torch.manual_seed(0)
    widths = [task.target.outputs for task in about.tasks]
    return [build(about.level, about.head, about.widths, widths, len(about.covariates)) for _ in about.members]


@pytest.mark.parametrize(
    ("tasks", "head"),
    [
        ([SOLUBILITY], MLPSettings(name="mlp", hidden=5)),
        ([BUILT_IN["ss3"], BUILT_IN["torsions"]], ConvolutionSettings(name="convolution", hidden=4, window=3)),
        ([BUILT_IN["distogram"]], ResidualSettings(name="residual", hidden=4, blocks=2, rank=2)),
    ],
)
def test_heads_come_back(tmp_path, tasks, head):
    path, about = tmp_path / "head.safetensors", info(tasks, head)
    written = heads(about)
    save_head(path, written, about)
    trained = load_head(path)
    assert trained.info == about and len(trained.members) == 2
    for one, other in zip(written, trained.members, strict=True):
        assert not other.training
        assert all((other.state_dict()[name] == tensor).all() for name, tensor in one.state_dict().items())


def test_members_are_read_with_their_own_calibration_and_scale(tmp_path):
    path = tmp_path / "head.safetensors"
    for task, expected in ((SOLUBILITY, [1 / (1 + 2.718281828**-2), 1 / (1 + 2.718281828**-1)]), (VALUE, [14.0, 14.0])):
        about = info([task], MLPSettings(name="mlp", hidden=5))
        save_head(path, heads(about), about)
        outputs = torch.full((2, 1, 1), 2.0)
        assert load_head(path).predict(0, outputs).flatten().tolist() == pytest.approx(expected)


def test_what_is_no_head_is_refused(tmp_path):
    path = tmp_path / "head.safetensors"
    with pytest.raises(FoldgraftError, match="cannot be read as a trained head"):
        load_head(path)
    path.write_bytes(b"no safetensors")
    with pytest.raises(FoldgraftError, match="cannot be read as a trained head: it is no file of tensors"):
        load_head(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(FoldgraftError, match="is no trained head"):
        load_head(path)


def test_no_flipped_bit_is_taken_for_a_head(tmp_path):
    path, about = tmp_path / "head.safetensors", info([SOLUBILITY], MLPSettings(name="mlp", hidden=5), members=1)
    written = heads(about)
    save_head(path, written, about)
    whole = path.read_bytes()
    for bit in range(0, 8 * len(whole), 41):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            found = load_head(path)
        except FoldgraftError as error:
            assert "head.safetensors" in str(error)
            continue
        assert found.info == about, f"bit {bit}"
        for name, tensor in written[0].state_dict().items():
            assert torch.equal(found.members[0].state_dict()[name], tensor), f"bit {bit}"


def test_a_head_of_another_run_is_refused_by_a_job(tmp_path):
    path, about = tmp_path / "head.safetensors", info([SOLUBILITY], MLPSettings(name="mlp", hidden=5))
    try:
        origin.begin("train", "1" * 16)
        save_head(path, heads(about), about)
        origin.begin("predict", f"{'3' * 16}@2:{'2' * origin.SHORT}")
        with pytest.raises(FoldgraftError, match="was made by another run"):
            load_head(path)
    finally:
        origin.begin("")
    assert load_head(path).info == about


def test_one_experiments_head_is_not_anothers(tmp_path):
    about = info([SOLUBILITY], MLPSettings(name="mlp", hidden=5))
    try:
        origin.begin("train", "1" * 16)
        for name in ("trial", "other"):
            save_head(tmp_path / name / "head.safetensors", heads(about), about)
        origin.begin("predict", f"{'3' * 16}@2:{'1' * origin.SHORT}")
        assert load_head(tmp_path / "trial/head.safetensors").info == about
        with pytest.raises(FoldgraftError, match="holds the head of the experiment trial"):
            load_head(tmp_path / "other/head.safetensors")
    finally:
        origin.begin("")


@pytest.mark.parametrize(
    "change", [{"head": {"name": "transformer"}}, {"members": []}, {"surprise": 1}, {"trunk": None}, {"widths": "wide"}]
)
def test_a_header_of_another_kind_is_refused(tmp_path, change):
    path, about = tmp_path / "head.safetensors", info([SOLUBILITY], MLPSettings(name="mlp", hidden=5))
    save_head(path, heads(about), about)
    header = json.loads(about.model_dump_json()) | change
    text = json.dumps({"head": header, "sha256": "", "made_from": ""})
    save_file(load_file(path), path, metadata={"foldgraft": text})
    with pytest.raises(FoldgraftError, match="is no trained head"):
        load_head(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head": ResidualSettings(name="residual")}, "no head 'residual'"),
        ({"widths": Widths(1 << 40)}, "of this size"),
        ({"widths": Widths(6, mixed=4)}, "of this size"),
        ({"widths": Widths(7)}, "the tensors do not fit the head 'mlp'"),
        ({"widths": Widths(6, mixed=2)}, "the tensors do not fit the head 'mlp'"),
    ],
)
def test_a_header_that_does_not_fit_the_tensors_is_refused(tmp_path, change, message):
    path, about = tmp_path / "head.safetensors", info([SOLUBILITY], MLPSettings(name="mlp", hidden=5))
    save_head(path, heads(about), about.model_copy(update=change))
    with pytest.raises(FoldgraftError, match=message):
        load_head(path)
