"""A whole contact experiment on chains whose coevolution was made to tell their contacts."""

import json
import tracemalloc

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from foldgraft.errors import FoldgraftError
from foldgraft.models.feature_pairs import pair_index
from foldgraft.models.head_file import load_head
from foldgraft.records.embeddings import Embeddings
from foldgraft.records.predictions import CONTACT
from foldgraft.records.split import SPLIT
from foldgraft.records.tables import read_frame, write_frame
from foldgraft.records.targets import Contacts, read_contacts
from foldgraft.train import contact, contact_data
from foldgraft.train.contact import Inputs, train, train_member
from foldgraft.train.contact_data import ChainPairs, choose_chains, precision_at_length, sample_pairs
from foldgraft.train.outputs import Outputs
from foldgraft.train.settings import ContactExperiment, Optimizer


def outputs(path) -> Outputs:
    names = ("head.safetensors", "history.csv", "experiment.yaml", "checks.json", "predictions.parquet")
    return Outputs(*(path / name for name in names))


def inputs(folder, **change) -> Inputs:
    given = {
        "split": folder.split,
        "targets": folder.targets,
        "coevolution": folder.coevolution,
        "embeddings": Embeddings(folder.embeddings),
        "trunk": folder.trunk(),
    }
    return Inputs(**{**given, **change})


def run(folder, path, **settings) -> Outputs:
    result = outputs(path)
    train("trial", ContactExperiment(**settings), inputs(folder), result)
    return result


def truth(folder) -> dict[str, Contacts]:
    return {chain.id: chain for shard in folder.targets for chain in read_contacts(shard)}


@pytest.mark.parametrize(
    ("head", "features"),
    [
        ("logistic", ["attention", "coevolution", "separation"]),
        ("pair", ["coevolution", "attention", "separation", "embedding"]),
        ("pair", ["coevolution"]),
    ],
)
def test_planted_contacts_are_found(folder, tmp_path, head, features):
    result = run(folder, tmp_path, head=head, features=features, epochs=10, members=2, optimizer=fast(head))
    chains = truth(folder)
    found = read_frame(result.predictions, CONTACT)
    assert sorted(found["split"]) == ["test"] * 6 + ["valid"] * 6
    expected, observed = [], []
    for _, row in found.iterrows():
        chain = chains[row["id"]]
        index = pair_index(row["length"])
        assert len(row["scores"]) == len(chain.contacts)
        assert not np.delete(row["scores"], index.places).any()
        far = row["scores"][index.places]
        best = np.argsort(-far)[: row["length"]]
        assert chain.contacts[index.places][best].mean() > 0.9
        expected.append(far.mean())
        observed.append(chain.contacts[index.places].mean())
    assert np.mean(expected) == pytest.approx(np.mean(observed), rel=0.1)  # calibrated, though sampled unevenly


def fast(head) -> Optimizer:
    return Optimizer(name="lbfgs", lr=1.0, weight_decay=1e-3) if head == "logistic" else Optimizer(lr=1e-2)


def test_logistic_head_is_scikit_learns(folder):
    """All pairs, no early stopping: the same optimum as an independent solver's."""
    experiment = ContactExperiment(
        features=["attention", "coevolution", "separation"],
        epochs=60,
        patience=60,
        pairs_per_chain=10**6,
        monitor="loss",
    )
    chains, trunk = gathered(folder, experiment)
    head, _, _ = train_member(experiment, chains, chains, 0, trunk)

    features = np.concatenate([chain.features for chain in chains])
    labels = np.concatenate([chain.labels for chain in chains])
    x = (features - features.mean(axis=0)) / np.where(features.std(axis=0) > 1e-6, features.std(axis=0), 1)
    reference = LogisticRegression(C=1 / (experiment.optimizer.weight_decay * len(labels)), tol=1e-8, max_iter=5000)
    reference.fit(x, labels)
    mine = torch.sigmoid(head(torch.from_numpy(features), *2 * [torch.zeros(len(labels), 0)])).detach().numpy()
    assert np.abs(mine - reference.predict_proba(x)[:, 1]).max() < 0.02
    assert np.allclose(head.first.weight.detach().numpy(), reference.coef_, atol=0.03)


def gathered(folder, experiment):
    trunk = folder.trunk()
    layout = contact.Layout(experiment.features, trunk.layers, trunk.heads)
    table = choose_chains(folder.targets, folder.split, experiment)
    ids = set(table.loc[table["fit"] & (table["split"] == "train"), "id"])
    chains = contact.read_chains(folder.targets, folder.coevolution, ids)
    return contact.gather(chains, layout, trunk, None, experiment.pairs_per_chain, 0), trunk


def test_offset_undoes_uneven_sampling(folder):
    """The base rate of the sample is half; with the offset, the logistic head's own mean is that of all pairs."""
    experiment = ContactExperiment(features=["separation"], pairs_per_chain=100, epochs=20, patience=20, monitor="loss")
    chains, trunk = gathered(folder, experiment)
    assert np.mean([chain.labels.mean() for chain in chains]) == pytest.approx(0.5, abs=0.05)
    head, _, _ = train_member(experiment, chains, chains, 0, trunk)
    features = torch.from_numpy(np.concatenate([chain.features for chain in chains]))
    mean = torch.sigmoid(head(features, *2 * [torch.zeros(len(features), 0)])).mean().item()
    assert mean == pytest.approx(sum(c.contacts for c in chains) / sum(c.usable for c in chains), abs=0.02)


def test_features_of_validation_pairs_wait_on_disk(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(contact_data, "COLUMNS", 4)  # so that 19 columns come in five blocks
    trunk = folder.trunk()
    layout = contact.Layout(["coevolution", "attention", "separation"], trunk.layers, trunk.heads)
    wanted = set(truth(folder))
    chains = list(contact.read_chains(folder.targets, folder.coevolution, wanted))
    with (tmp_path / "spool").open("w+b") as spool:
        tracemalloc.start()
        stored = contact.gather_all(iter(chains), layout, trunk, None, spool)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert held < 30 * sum(len(chain.labels) for chain in stored) < (tmp_path / "spool").stat().st_size
        for (chain, coevolution), pairs in zip(chains, stored, strict=True):
            index = pair_index(len(chain.sequence))
            places = index.places[chain.pair_mask[index.places]]
            exact = layout.gather(trunk, chain.sequence, places, coevolution)
            blocks = list(pairs.blocks())
            assert [start for start, _ in blocks] == [0, 4, 8, 12, 16]
            np.testing.assert_array_equal(np.concatenate([values for _, values in blocks]).T, exact.astype(np.float16))
            assert (pairs.labels == chain.contacts[places]).all()
            i, j = np.triu_indices(len(chain.sequence), k=1)
            assert (pairs.i == i[places]).all() and (pairs.j == j[places]).all()


def test_sampled_pairs_are_usable_ones():
    rng = np.random.default_rng(0)
    length = 30
    pairs = length * (length - 1) // 2
    chain = Contacts("c", "A" * length, "", rng.random(pairs) < 0.2, rng.random(pairs) < 0.9)
    places, offset, contacts, usable = sample_pairs(chain, 40, rng)
    i, j = (numbers[places] for numbers in np.triu_indices(length, k=1))
    assert (j - i >= 6).all() and chain.pair_mask[places].all() and len(set(places)) == 40
    assert chain.contacts[places].sum() == 20
    far = pair_index(length).places
    far = far[chain.pair_mask[far]]
    assert (contacts, usable) == (chain.contacts[far].sum(), len(far))
    assert offset == pytest.approx(np.log(20 / contacts) - np.log(20 / (usable - contacts)))
    everything, offset, *_ = sample_pairs(chain, 10**6, rng)
    assert (everything == far).all() and offset == 0


def test_chains_too_short_have_no_pairs():
    chain = Contacts("c", "AAAAAA", "", np.ones(15, bool), np.ones(15, bool))
    assert len(sample_pairs(chain, 10, np.random.default_rng(0))[0]) == 0


def test_precision_counts_the_length_not_the_contacts():
    i, j = np.triu_indices(20, k=1)
    far = j - i >= 6
    labels = (j - i == 15)[far]  # 5 contacts
    chain = ChainPairs(np.empty(0), i[far], j[far], labels, 0.0, np.empty((20, 0)), 5, int(far.sum()))
    assert precision_at_length(labels.astype(float), chain) == 5 / 20


def test_same_seed_same_results(folder, tmp_path):
    first, second = (
        run(folder, tmp_path / name, head="pair", features=["coevolution", "separation"], epochs=2) for name in "ab"
    )
    assert first.head.read_bytes() == second.head.read_bytes()
    assert first.predictions.read_bytes() == second.predictions.read_bytes()


def test_what_is_written(folder, tmp_path):
    result = run(folder, tmp_path, epochs=2, max_predicted=2)
    info = load_head(result.head).info
    assert info.columns[:4] == ["attention.0.0", "attention.0.1", "attention.0.2", "attention.1.0"]
    assert info.shape.width == len(info.columns) == 6 + 11
    checks = json.loads(result.checks.read_text())
    assert all(check["passed"] for check in checks["checks"])
    assert checks["trunk"]["before"] == checks["trunk"]["after"] == folder.trunk().state_sha256()
    assert len(read_frame(result.predictions, CONTACT)) == 4


def test_chosen_chains_keep_to_their_split(folder):
    experiment = ContactExperiment(max_chains=5, valid_chains=2, max_predicted=3)
    table = choose_chains(folder.targets, folder.split, experiment)
    assert table.groupby("split")["fit"].sum().to_dict() == {"train": 5, "valid": 2, "test": 0}
    assert table.groupby("split")["predicted"].sum().to_dict() == {"train": 0, "valid": 3, "test": 3}
    assert table.equals(choose_chains(folder.targets, folder.split, experiment))


def test_chains_beyond_the_longest_allowed_are_left_out_and_counted(folder, capsys):
    lengths = {chain.id: len(chain.sequence) for chain in truth(folder).values()}
    table = choose_chains(folder.targets, folder.split, ContactExperiment(max_length=55))
    assert set(table["id"]) == {name for name, length in lengths.items() if length <= 55}
    assert f"{len(lengths) - len(table)} chains left out, longer than 55" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "features", "message"),
    [
        ({"coevolution": []}, ["coevolution"], "needs the msa stage"),
        ({"embeddings": None}, ["separation", "embedding"], "needs the embed stage"),
    ],
)
def test_missing_inputs_are_named(folder, tmp_path, change, features, message):
    experiment = ContactExperiment(head="pair", features=features)
    with pytest.raises(FoldgraftError, match=message):
        train("trial", experiment, inputs(folder, **change), outputs(tmp_path))


def test_a_missing_shard_of_coevolution_is_named(folder, tmp_path):
    experiment = ContactExperiment(features=["coevolution"])
    with pytest.raises(FoldgraftError, match=r"files-00001\.parquet: there are no coevolution scores"):
        train("trial", experiment, inputs(folder, coevolution=folder.coevolution[:1]), outputs(tmp_path))


def test_no_validation_chain_is_refused(folder, tmp_path):
    split = read_frame(folder.split, SPLIT)
    alone = tmp_path / "split.parquet"
    write_frame(alone, split[split["split"] == "train"], SPLIT)
    with pytest.raises(FoldgraftError, match="no chain with targets in the valid set"):
        train("trial", ContactExperiment(), inputs(folder, split=alone), outputs(tmp_path))
