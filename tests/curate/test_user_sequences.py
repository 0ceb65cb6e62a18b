"""Sequences supplied for files without SEQRES: the observed residues find their places."""

import gzip

import numpy as np
import pytest

from foldgraft.curate.alignment import align
from foldgraft.curate.chains import protein_chains
from foldgraft.curate.settings import CurateSettings
from foldgraft.curate.structure_file import read_entry
from foldgraft.curate.supplied_files import check_supplied, read_supplied
from foldgraft.curate.user_sequences import with_supplied
from foldgraft.errors import FoldgraftError

LONGEST = CurateSettings().max_length


@pytest.mark.parametrize(
    ("observed", "steps", "sequence", "places"),
    [
        ("MKV", (1, 1), "AAMKVAA", (2, 3, 4)),
        ("AAA", (1, 4), "AAAAAAAA", (0, 1, 5)),  # the numbers say how wide the gap is
        ("MKLAGW", (1, 1, 2, 1, 1), "MKLVVVAGW", (0, 1, 2, 6, 7, 8)),  # the numbers are wrong, the letters are not
        ("GSMKV", (1, 1, 1, 1), "MKV", (-1, -1, 0, 1, 2)),  # a tag that the sequence lacks
    ],
)
def test_places_worked_by_hand(observed, steps, sequence, places):
    assert align(observed, np.array(steps), sequence).tolist() == list(places)


def placed(content, sequences):
    supplied = with_supplied("e", read_entry(content, 10**8), sequences, LONGEST)
    disagreeing = {polymer.strand.label_asym_id: same for polymer, same in supplied.disagreeing}
    return {built.chain.id: built.chain for built in protein_chains("e", supplied.entry, "files")}, disagreeing


def test_the_supplied_sequence_is_that_of_the_chain(make):
    atoms = [a for a in make.chain("AMKVAGLW") if a.seq not in (1, 5, 6)]
    for key in ("e_A", "e"):
        chains, disagreeing = placed(make.pdb(atoms), {key: "HHAMKVAGLWHH", "other": "MMM"})
        chain = chains["e_A"]
        assert (chain.sequence, disagreeing) == ("HHAMKVAGLWHH", {})
        assert np.flatnonzero(chain.resolved).tolist() == [3, 4, 5, 8, 9]
        assert chain.auth_seq_id == ["", "", "", "2", "3", "4", "", "", "7", "8", "", ""]


def test_the_id_of_the_chain_goes_before_that_of_the_entry(make):
    atoms = [*make.chain("MKVAG"), *make.chain("GAGAW", asym="B", entity="2")]
    chains, _ = placed(make.mmcif(atoms), {"e": "HMKVAG", "e_B": "GAGAWC"})
    assert {name: chain.sequence for name, chain in chains.items()} == {"e_A": "HMKVAG", "e_B": "GAGAWC"}


def test_seqres_needs_no_supplied_sequence(make):
    chains, _ = placed(make.mmcif(make.chain("MKV"), {"1": ["MET", "LYS", "VAL"]}), {"e": "GGGMKV"})
    assert chains["e_A"].sequence == "MKV"


def test_a_few_residues_may_differ_and_the_models_letter_stands(make):
    chains, _ = placed(make.pdb(make.chain("MKVAGLWMKVAGLWMKVAGLW")), {"e": "MKVAGLWMKVAGLWMKVAGLF" + "C"})
    assert chains["e_A"].sequence == "MKVAGLWMKVAGLWMKVAGLWC"


@pytest.mark.parametrize(
    ("sequence", "same"),
    [("MKVAGLWCCCMKVAGLW", 14 / 17), ("MKVAG", 0.0), ("WWWWWWWWWWWWWWWWWWW", None)],
)
def test_a_chain_that_disagrees_is_named_with_its_identity(make, sequence, same):
    chains, disagreeing = placed(make.pdb(make.chain("MKVAGLWAAAMKVAGLW")), {"e_A": sequence})
    assert not chains
    assert disagreeing["A"] < 0.9
    if same is not None:
        assert disagreeing["A"] == pytest.approx(same)


def test_only_the_sequences_of_the_shard_are_kept(tmp_path):
    path = tmp_path / "s.fasta.gz"
    path.write_bytes(gzip.compress(b">a_A\nmkv*\n>b\nMKL\n>c_x_B\nMKW\n>d\nMMM\n"))
    assert read_supplied([path], ["a", "b", "c_x"]) == {"a_A": "MKV", "b": "MKL", "c_x_B": "MKW"}


def test_a_bad_file_or_a_second_sequence_is_an_error(tmp_path):
    (tmp_path / "one.fasta").write_text(">a_A\nMKV\n")
    (tmp_path / "two.fasta").write_text(">a_A\nMKL\n")
    check_supplied(["one.fasta"], tmp_path)
    with pytest.raises(FoldgraftError, match=r"curate\.sequences: .*two\.fasta has a second sequence called a_A"):
        check_supplied(["*.fasta"], tmp_path)
    with pytest.raises(FoldgraftError, match=r"curate\.sequences: 'none\*' matches no file"):
        check_supplied(["none*"], tmp_path)
    (tmp_path / "bad.fasta").write_text("MKV\n")
    with pytest.raises(FoldgraftError, match=r"bad\.fasta: not FASTA"):
        check_supplied(["bad.fasta"], tmp_path)
    (tmp_path / "aligned.fasta").write_text(">a\nMK--V\n")
    with pytest.raises(FoldgraftError, match=r"curate\.sequences: .*aligned\.fasta \(a\): letters alone, without gaps"):
        check_supplied(["aligned.fasta"], tmp_path)
