"""Legs: as good as one long one, a cool-down that leaves its plateau alone, and a trunk packaged from it."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk
from foldgraft.records.files import write_json
from foldgraft.trunk.card import Evidence
from foldgraft.trunk.command import app
from foldgraft.trunk.corpus import Corpus
from foldgraft.trunk.leg import Files, leg
from foldgraft.trunk.package import package
from foldgraft.trunk.pretrain import digest
from foldgraft.trunk.settings import PretrainSettings
from foldgraft.trunk.state import read_state, write_state

CPU = torch.device("cpu")
SETTINGS = PretrainSettings(
    layers=2, width=32, heads=2, batch_tokens=512, crop_length=48, valid_every=10, learning_rate=5e-3, warmup_steps=5
)


def repeats(count: int, seed: int) -> list[str]:
    """Sequences that repeat a random pair of letters: easy to guess from context, hopeless from frequencies."""
    generator = np.random.default_rng(seed)
    return ["".join(generator.choice(list("ACDEFGHIKL"), 2)) * 24 for _ in range(count)]


TRAIN, VALID = Corpus.of(repeats(100, 0)), Corpus.of(repeats(20, 1))


def run(state, steps, final=None, carry=None, settings=SETTINGS):
    return leg(TRAIN, VALID, settings, Files(state, final, carry), steps, None, CPU)


def weights(path) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in load_file(path).items() if name.startswith("weights.")}


def test_three_legs_are_one_long_one(tmp_path):
    whole = run(tmp_path / "whole", 30)
    for _ in range(3):
        parts = run(tmp_path / "parts", 10)
    assert (tmp_path / "whole").read_bytes() != (tmp_path / "parts").read_bytes()  # the legs are told in it
    a, b = load_file(tmp_path / "whole"), load_file(tmp_path / "parts")
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    assert [(row["steps"], row["kind"]) for row in parts["legs"]] == [(10, "plateau")] * 3
    assert whole["tokens"] == parts["tokens"] == sum(row["tokens"] for row in parts["legs"])
    assert whole["valid_perplexity"] == parts["valid_perplexity"] < whole["first_perplexity"]
    assert {row["learning_rate"] for row in parts["history"][1:]} == {5e-3}


def test_what_is_carried_is_half_as_large_and_does_no_harm(tmp_path):
    run(tmp_path / "whole", 60)
    run(tmp_path / "first", 60, carry=tmp_path / "carried")
    assert (tmp_path / "carried").stat().st_size < 0.6 * (tmp_path / "first").stat().st_size
    assert all(
        torch.equal(a, b)
        for a, b in zip(weights(tmp_path / "first").values(), weights(tmp_path / "carried").values(), strict=True)
    )
    exact, carried = run(tmp_path / "first", 60), run(tmp_path / "carried", 60)
    assert carried["steps"] == exact["steps"] == 120
    before = exact["history"][-7]["valid_perplexity"]
    assert carried["valid_perplexity"] < before
    assert np.log(carried["valid_perplexity"]) == pytest.approx(np.log(exact["valid_perplexity"]), rel=0.05)


def test_a_cool_down_ends_at_rate_zero_and_leaves_the_plateau(tmp_path):
    run(tmp_path / "state", 20)
    plateau = (tmp_path / "state").read_bytes()
    cooled = run(tmp_path / "state", 20, final=tmp_path / "final")
    assert (tmp_path / "state").read_bytes() == plateau
    assert [row["kind"] for row in cooled["legs"]] == ["plateau", "cool-down"]
    rates = [row["learning_rate"] for row in cooled["history"] if row["step"] > 20]
    assert rates == pytest.approx([5e-3 * 11 / 20, 5e-3 * 1 / 20])


def test_a_leg_of_other_settings_is_refused(tmp_path):
    run(tmp_path / "state", 1)
    before = (tmp_path / "state").read_bytes()
    with pytest.raises(FoldgraftError, match="other settings or another text; give the same"):
        run(tmp_path / "state", 1, settings=SETTINGS.model_copy(update={"seed": 1}))
    assert (tmp_path / "state").read_bytes() == before
    with pytest.raises(FoldgraftError, match="must be files of their own"):
        run(tmp_path / "state", 1, final=tmp_path / "state")
    assert (tmp_path / "state").read_bytes() == before
    with pytest.raises(FoldgraftError, match="a cool-down begins from the state of a leg"):
        run(tmp_path / "none", 1, final=tmp_path / "final")
    (tmp_path / "junk").write_bytes(b"junk")
    with pytest.raises(FoldgraftError, match="junk: cannot be read as the state"):
        run(tmp_path / "junk", 1)


def test_a_leg_that_was_killed_is_told_as_far_as_it_was_kept(tmp_path, monkeypatch):
    kept = []

    def killed(*call):
        write_state(*call)
        kept.append(call)
        if len(kept) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("foldgraft.trunk.leg.write_state", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "state", 10, settings=SETTINGS.model_copy(update={"save_seconds": 0}))
    about = run(tmp_path / "state", 10)
    assert [row["steps"] for row in about["legs"]] == [3, 10] and about["steps"] == 13
    assert sum(row["tokens"] for row in about["legs"]) == about["tokens"]


def test_a_state_is_not_overwritten_by_weights_that_are_no_numbers(tmp_path):
    run(tmp_path / "state", 1)
    altered(tmp_path / "state", math.nan)
    before = (tmp_path / "state").read_bytes()
    with pytest.raises(FoldgraftError, match="no finite number at step 2"):
        run(tmp_path / "state", 5, settings=SETTINGS.model_copy(update={"save_seconds": 0}))
    assert (tmp_path / "state").read_bytes() == before


def test_weights_too_large_for_float16_are_not_packaged(tmp_path):
    run(tmp_path / "state", 1)
    run(tmp_path / "state", 1, final=tmp_path / "final")
    altered(tmp_path / "final", 1e5)
    with pytest.raises(FoldgraftError, match="has weights beyond 65504, too large for float16"):
        package(tmp_path / "final", TRAIN, VALID, SETTINGS, "mini", Evidence({}), tmp_path / "mini")
    assert not (tmp_path / "mini").exists()


def altered(state, value: float) -> None:
    """Put another number into the weights of a state."""
    learner = read_state(state, SETTINGS, CPU, digest(TRAIN, VALID, SETTINGS))
    with torch.no_grad():
        learner.network.lm_head.bias[5] = value
    write_state(state, learner, digest(TRAIN, VALID, SETTINGS))


def door(*words) -> str:
    """What a trunk command says; it must end well."""
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_from_text_to_packaged_trunk(tmp_path):
    (tmp_path / "raw.txt").write_text("".join(f"{s}\n" for s in repeats(100, 0)))
    (tmp_path / "valid.txt").write_text("".join(f"{s}\n" for s in repeats(20, 1)))
    (tmp_path / "away.fasta").write_text(">a\n" + "MKTAYIAKQR" * 5 + "\n")
    settings = ("--settings", json.dumps({"pretrain": json.loads(SETTINGS.model_dump_json())}))
    text = ("--text", tmp_path / "text.txt.xz")
    both = (*text, "--valid", tmp_path / "valid.txt", *settings)
    described = ("--summary", tmp_path / "text.json")
    away = ("--away", tmp_path / "away.fasta")
    door("corpus", "--text", tmp_path / "raw.txt", "--output", text[1], *described, *away, *settings)
    door("leg", *both, "--state", tmp_path / "state", "--steps", 20)
    door("leg", *both, "--state", tmp_path / "state", "--steps", 20, "--final", tmp_path / "final")
    (tmp_path / "manifest.csv").write_text("licence,sequences_in_corpus\nMIT,60\n,30\nMIT,10\n")
    evaluated = tmp_path / "runs/real/evaluate"
    evaluated.mkdir(parents=True)
    row = {"task": "solubility", "experiment": "mlp", "split": "test", "metric": "roc_auc", "n": 50}
    figures = {"ci_low": 0.6, "ci_high": 0.8}
    pd.DataFrame([row | figures | {"value": 0.71}]).to_csv(evaluated / "metrics.csv")
    row |= {"baseline": "baseline_composition", "difference": -0.02}
    pd.DataFrame([row | figures]).to_csv(evaluated / "comparison.csv")
    words = ("package", *both, "--name", "mini", "--folder", tmp_path / "mini", *described)
    door(
        *words,
        "--state",
        tmp_path / "final",
        "--manifest",
        tmp_path / "manifest.csv",
        "--run",
        tmp_path / "runs/real",
    )

    about = json.loads((tmp_path / "mini/trunk.json").read_text(), parse_constant=pytest.fail)  # no NaN
    learnt = about["pretraining"]
    trunk = Trunk.load(tmp_path / "mini/model.safetensors", tmp_path / "mini/trunk.json", CPU)
    assert trunk.name == "mini" and trunk.layers == 2
    stored = load_file(tmp_path / "mini/model.safetensors")
    final = weights(tmp_path / "final")
    assert all(torch.equal(tensor, final[f"weights.{name}"].half()) for name, tensor in stored.items())
    assert len(stored) == len(final)
    assert learnt["float16"]["valid_perplexity"] == pytest.approx(learnt["valid_perplexity"], rel=1e-2)
    assert 0 < learnt["float16"]["relative_rms_error"] < 1e-2
    train, valid = set(repeats(100, 0)), set(repeats(20, 1))
    assert learnt["corpus"]["kept_sequences"] == len(train) and learnt["train_sequences"] == len(train - valid)
    assert len(learnt["history"]) >= 5 and [row["kind"] for row in learnt["legs"]] == ["plateau", "cool-down"]
    assert learnt["settings"]["crop_length"] == 48 and "minutes" not in learnt["settings"]  # legs have their own
    card = (tmp_path / "mini/README.md").read_text()
    assert "| MIT | 70 |" in card and "| none stated | 30 |" in card
    assert "| mlp | roc_auc | 0.710 | 0.600 to 0.800 | 50 |" in card
    assert "| mlp | baseline_composition | roc_auc | -0.020 | 0.600 to 0.800 | 50 |" in card
    assert f"**{learnt['valid_perplexity']:.3f}**" in card
    used = ("--weights", tmp_path / "used.safetensors", "--description", tmp_path / "used.json")
    door("convert", "--checkpoint", tmp_path / "mini", *used)
    assert np.allclose(*(next(t.embed(["MKTAY"])) for t in (trunk, Trunk.load(used[1], used[3], CPU))))
    with pytest.raises(FoldgraftError, match="is the state of a plateau; cool it down first"):
        door(*words, "--state", tmp_path / "state")
    write_json(tmp_path / "text.json", learnt["corpus"] | {"sha256": "of another text"})
    with pytest.raises(FoldgraftError, match=r"text\.json: does not describe .*text\.txt\.xz"):
        door(*words, "--state", tmp_path / "final")


@pytest.mark.parametrize("budget", [(), ("--minutes", 0, "--steps", 5), ("--minutes", "nan"), ("--minutes", "inf")])
def test_a_leg_without_a_bound_is_refused(tmp_path, budget):
    write_json(tmp_path / "s.json", {"pretrain": {}})
    with pytest.raises(FoldgraftError, match="give --minutes or --steps of the leg, above 0"):
        words = ("--text", "a", "--valid", "b", "--state", "c", "--settings", f"@{tmp_path}/s.json")
        door("leg", *words, *budget)
