"""Loss curves of known shape, and what is said of them."""

import numpy as np
import pandas as pd
import pytest

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.diagnosis import diagnose, diagnosis_table

EPOCHS = np.arange(1, 41)
FLAT = 0.4 + 0.6 * np.exp(-EPOCHS / 4)


def names(train, valid) -> list[str]:
    return [finding.name for finding in diagnose(np.arange(1, len(train) + 1), np.array(train), np.array(valid))]


def test_levelled_off():
    assert names(FLAT, FLAT + 0.05) == ["levelled off"]


def test_still_learning():
    falling = 1 - 0.015 * EPOCHS
    assert names(falling, falling + 0.05) == ["still learning"]


def test_overfitting_names_the_best_epoch():
    valid = 0.5 + 0.5 * np.exp(-EPOCHS / 3) + 0.01 * np.maximum(0, EPOCHS - 12)
    train = np.exp(-EPOCHS / 8)
    found = diagnose(EPOCHS, train, valid)[0]
    assert found.name == "overfitting"
    assert f"epoch {EPOCHS[np.argmin(valid)]}" in found.text


@pytest.mark.parametrize(("rise", "said"), [(0.01, "levelled off"), (0.03, "overfitting")])
def test_a_rise_of_less_than_two_percent_is_no_overfitting(rise, said):
    valid = np.concatenate([np.linspace(0.51, 0.5, 20), np.linspace(0.5, 0.5 * (1 + rise), 21)[1:]])
    assert names(np.exp(-EPOCHS / 8), valid)[0] == said


def test_diverging():
    assert names(0.7 * 1.1**EPOCHS, FLAT)[0] == "diverging"
    assert names([0.7, 0.6, np.inf, np.nan, np.nan], [0.7] * 5) == ["diverging"]
    assert names([np.nan] * 6, [np.nan] * 6) == ["diverging"]


def test_jumps_are_named_with_their_epoch():
    train = FLAT.copy()
    train[19] += 0.4
    found = diagnose(EPOCHS, train, FLAT + 0.05)
    assert [finding.name for finding in found] == ["levelled off", "jumps"]
    assert "epoch 20" in found[1].text


def test_noise_alone_is_no_jump():
    noise = np.random.default_rng(0).normal(0, 0.01, len(EPOCHS))
    assert "jumps" not in names(FLAT + noise, FLAT + 0.05)


def test_validation_below_training_is_explained():
    found = diagnose(EPOCHS, FLAT + 0.1, FLAT)
    assert [finding.name for finding in found] == ["levelled off", "validation below training"]
    assert "dropout" in found[1].text


def test_not_learning_and_too_short():
    assert names(np.full(10, 0.693), np.full(10, 0.694)) == ["not learning"]
    assert names([0.7, 0.6], [0.7, 0.6]) == ["too short"]
    assert names([0.7, np.nan, np.nan, 0.5, 0.4], [0.7, 0.6, 0.6, np.nan, 0.4]) == ["too short"]


def test_members_are_read_apart():
    history = pd.DataFrame(
        {"member": np.repeat([0, 1], 40), "epoch": np.tile(EPOCHS, 2), "train_loss": np.tile(FLAT, 2)}
    )
    history["valid_loss"] = history["train_loss"] + 0.05
    table = diagnosis_table({"head": history, "other": history[history["member"] == 0].drop(columns="member")})
    assert table[["experiment", "member", "finding"]].to_numpy().tolist() == [
        ["head", "0", "levelled off"],
        ["head", "1", "levelled off"],
        ["other", "", "levelled off"],
    ]


def test_a_history_without_its_columns_is_named():
    with pytest.raises(FoldgraftError, match="history of head: the columns valid_loss are missing"):
        diagnosis_table({"head": pd.DataFrame({"epoch": [1], "train_loss": [1.0]})})
