"""Variants of one protein, and their page."""

import csv
import io
from base64 import b64decode
from html.parser import HTMLParser

import gemmi
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from foldgraft import alone
from foldgraft.errors import FoldgraftError
from foldgraft.predict.matched import match
from foldgraft.predict.painted import paint
from foldgraft.predict.scan import COLUMNS, scan
from foldgraft.predict.sequences import Candidate, one
from foldgraft.predict.variants import Tag, read_tags, substitutions, tagged, truncations
from foldgraft.tasks.trained import load_head

PROTEIN = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGD"


def test_every_substitution_is_made_once():
    found = list(substitutions(PROTEIN))
    assert len(found) == len({one.sequence for one in found}) == 19 * len(PROTEIN)
    assert all(sum(a != b for a, b in zip(one.sequence, PROTEIN, strict=True)) == 1 for one in found)
    named = {one.name: one.sequence for one in found}
    assert named["K2H"] == "MH" + PROTEIN[2:] and named["D42W"] == PROTEIN[:-1] + "W"


def test_truncations_keep_a_first_methionine():
    found = {one.name: one.sequence for one in truncations(PROTEIN)}
    assert found["2-42"] == "M" + PROTEIN[1:] and found["13-42"] == "M" + PROTEIN[12:]
    assert found["1-41"] == PROTEIN[:-1] and found["1-30"] == PROTEIN[:30]
    assert len(found) == 24 and not list(truncations(PROTEIN[:30]))
    assert {one.name: one.sequence for one in truncations(PROTEIN[1:])}["2-41"] == PROTEIN[2:]


def test_tags_stand_at_their_end():
    found = [one.sequence for one in tagged(PROTEIN, [Tag("a", "N", "MHHS"), Tag("b", "C", "HH")])]
    assert found == ["MHHS" + PROTEIN[1:], PROTEIN + "HH"]


def test_the_tags_of_the_package_are_proteins():
    names = [tag.name for tag in read_tags(alone.TAGS)]
    assert len(names) >= 6 and all(tag.sequence.startswith("M") for tag in read_tags(alone.TAGS) if tag.end == "N")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,end\na,N\n", "the column sequence is missing"),
        ("name,end,sequence\na,X,MKT\n", "line 2: a tag has an end"),
        ("name,end,sequence\na,N,mk1\n", "line 2"),
        ("name,end,sequence\na\n", "line 2"),
    ],
)
def test_a_wrong_table_of_tags_is_refused(tmp_path, text, said):
    (tmp_path / "tags.csv").write_text(text)
    with pytest.raises(FoldgraftError, match=said):
        read_tags(tmp_path / "tags.csv")


class Page(HTMLParser):
    """Addresses that a page names, and its text."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for key, value in attrs if key in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def test_a_page_may_go_to_standard_output_but_not_with_its_table(folder, tmp_path, monkeypatch):
    head = folder.head("solubility", {"name": "mlp", "hidden": 8})
    (tmp_path / "one.fasta").write_text(f">x\n{PROTEIN[:12]}\n")
    monkeypatch.chdir(tmp_path)
    words = ["scan", "one.fasta", "-o", "-", "--head", str(head), "--trunk", str(folder.path), "--table"]
    done = CliRunner().invoke(alone.app, [*words, "a.csv"], catch_exceptions=False)
    assert done.stdout.startswith("<!") and len(pd.read_csv("a.csv")) > 19 * 12
    with pytest.raises(FoldgraftError, match="only one of --output and --table"):
        CliRunner().invoke(alone.app, [*words, "-"], catch_exceptions=False)
    assert not (tmp_path / "-").exists()


def test_a_structure_is_named_with_what_is_to_be_made_of_it(folder, tmp_path):
    head = folder.head("solubility", {"name": "mlp", "hidden": 8})
    (tmp_path / "one.fasta").write_text(f">x\n{PROTEIN[:12]}\n")
    model_of({"A": list(enumerate(PROTEIN[:12], start=1))}).write_pdb(str(tmp_path / "in.pdb"))
    words = ["scan", tmp_path / "one.fasta", "-o", tmp_path / "a.html", "--head", head, "--trunk", folder.path]
    for more, said in (
        (["--viewer", "v.js"], "--viewer needs --structure"),
        (["--output-structure", "a.pdb"], "--output-structure needs --structure"),
        (["--structure", "none.pdb", "--viewer", "none.js"], "none.js is not the script"),
        (["--structure", "none.pdb", "--output-structure", "a.pdb"], "none.pdb: cannot be read as a structure"),
        (["--structure", "none.pdb"], "--structure needs --viewer, .* or --output-structure"),
        (["--structure", tmp_path / "in.pdb", "--output-structure", "a.txt"], r"^a\.txt: name a file that ends"),
    ):
        with pytest.raises(FoldgraftError, match=said):
            CliRunner().invoke(alone.app, list(map(str, [*words, *more])), catch_exceptions=False)
    assert not (tmp_path / "a.html").exists()


def test_a_scan_scores_each_variant_as_a_protein(folder, tmp_path):
    head = folder.head("solubility", {"name": "mlp", "hidden": 8})
    (tmp_path / "one.fasta").write_text(f"><b>x</b>\n{PROTEIN}\n")
    (tmp_path / "tags.csv").write_text("name,end,sequence\nHis,N,MHHHHHH\n")
    words = ["scan", tmp_path / "one.fasta", "-o", tmp_path / "a.html", "--table", tmp_path / "a.csv"]
    words += ["--tags", tmp_path / "tags.csv", "--head", head, "--trunk", folder.path]
    said = CliRunner().invoke(alone.app, list(map(str, words)), catch_exceptions=False).stderr
    assert said.startswith(f"{tmp_path / 'one.fasta'}: {19 * 42 + 24 + 1} variants to score\n")
    table = pd.read_csv(tmp_path / "a.csv")
    assert list(table.columns) == COLUMNS and len(table) == 19 * 42 + 24 + 1
    assert table["score"].is_monotonic_decreasing
    some = table.sample(5, random_state=0)
    sequences = {one.name: one.sequence for one in [*substitutions(PROTEIN), *truncations(PROTEIN)]}
    sequences["His at N"] = "MHHHHHH" + PROTEIN[1:]
    (tmp_path / "some.fasta").write_text("".join(f">{n}\n{sequences[n]}\n" for n in some["variant"]))
    words = [tmp_path / "some.fasta", "-o", tmp_path / "some.csv", "--head", head, "--trunk", folder.path]
    CliRunner().invoke(alone.app, list(map(str, words)), catch_exceptions=False)
    alike = pd.read_csv(tmp_path / "some.csv")
    assert np.allclose(alike["solubility"], some["score"], atol=1e-4)
    assert np.allclose(alike["solubility_low"], some["low"], atol=1e-4)

    text = (tmp_path / "a.html").read_text()
    seen = Page(text)
    assert all(address.startswith("data:") for address in seen.addresses) and "<b>x</b>" not in text
    assert "<b>x</b>" in seen.text and "no measurement" in seen.text
    inside = next(address for address in seen.addresses if address.startswith("data:text/csv"))
    assert len(list(csv.reader(io.StringIO(b64decode(inside.partition(",")[2]).decode())))) == len(table) + 1


def test_agreement_is_of_the_members_with_their_mean(folder):
    trunk, head = folder.trunk(), load_head(folder.head("solubility", {"name": "mlp", "hidden": 8}))
    found = scan(Candidate("a", PROTEIN, ""), list(substitutions(PROTEIN))[:30], head, trunk)
    sides = np.sign(found.scores - found.own)
    expected = [(row == np.sign(d)).mean() for row, d in zip(sides, found.differences.mean(axis=1), strict=True)]
    assert found.agreeing == pytest.approx(expected)
    matrix = found.matrix(found.scores.mean(axis=1))
    assert matrix.shape == (20, 42) and np.isfinite(matrix).sum() == 30
    assert found.best(count=3) == np.argsort(-found.scores.mean(axis=1), kind="stable")[:3].tolist()


def test_a_residue_adds_what_its_substitutions_take_away(folder):
    trunk, head = folder.trunk(), load_head(folder.head("solubility", {"name": "mlp", "hidden": 8}))
    variants = [one for one in substitutions(PROTEIN) if one.position in (1, 2)]
    found = scan(Candidate("a", PROTEIN, ""), variants, head, trunk)
    taken = found.own.mean() - found.scores.mean(axis=1)
    assert found.contribution[:2] == pytest.approx([taken[:19].mean(), taken[19:].mean()])
    assert np.isnan(found.contribution[2:]).all() and found.contribution.shape == (len(PROTEIN),)


def model_of(chains: dict[str, list[tuple[int, str]]]) -> gemmi.Structure:
    """CA atoms of chains, by the number and letter of each residue."""
    structure, model = gemmi.Structure(), gemmi.Model(1)
    for name, residues in chains.items():
        chain = gemmi.Chain(name)
        for number, letter in residues:
            residue, atom = gemmi.Residue(), gemmi.Atom()
            residue.name, residue.seqid = (
                gemmi.expand_one_letter(letter, gemmi.ResidueKind.AA),
                gemmi.SeqId(str(number)),
            )
            atom.name, atom.element, atom.b_iso = "CA", gemmi.Element("C"), 33.0
            atom.pos = gemmi.Position(3.8 * number, 0, 0)
            residue.add_atom(atom)
            chain.add_residue(residue)
        model.add_chain(chain)
    structure.add_model(model)
    return structure


@pytest.mark.parametrize("ending", ["pdb", "cif"])
def test_a_structure_is_painted_whatever_of_it_was_resolved(tmp_path, ending):
    resolved = [n for n in range(len(PROTEIN)) if n not in (0, 1, 20, 21, 22)]
    chains = {
        "A": [(n + 101, PROTEIN[n]) for n in resolved],  # numbered otherwise, with a gap
        "B": [(n + 1, letter) for n, letter in enumerate("GSHMLEDPVDAFWWKRTCYNGGPLKWEE")],
    }
    model_of(chains).write_pdb(str(tmp_path / "in.pdb"))
    values = np.linspace(-0.2, 0.21, len(PROTEIN))
    values[5] = np.nan
    assert paint(match(tmp_path / "in.pdb", PROTEIN), tmp_path / f"out.{ending}", values) == ["A"]
    painted = gemmi.read_structure(str(tmp_path / f"out.{ending}"))[0]
    expected = [0.0 if n == 5 else 100 * values[n] for n in resolved]
    assert [residue[0].b_iso for residue in painted["A"]] == pytest.approx(expected, abs=0.006)
    assert {residue[0].b_iso for residue in painted["B"]} == {0.0}


def test_a_peptide_beside_the_protein_is_not_painted(tmp_path):
    """Its letters are those of the protein, in their order, here and there."""
    peptides = {name: list(enumerate(letters, start=1)) for name, letters in (("P", "G"), ("Q", "MTYAQSVHFRLLGE"))}
    model_of({"A": list(enumerate(PROTEIN, start=1)), **peptides}).write_pdb(str(tmp_path / "in.pdb"))
    assert paint(match(tmp_path / "in.pdb", PROTEIN), tmp_path / "out.pdb", np.ones(len(PROTEIN))) == ["A"]
    painted = gemmi.read_structure(str(tmp_path / "out.pdb"))[0]
    assert {atom.b_iso for name in peptides for residue in painted[name] for atom in residue} == {0.0}


def test_a_residue_with_a_label_of_its_own_is_of_the_chain(tmp_path):
    """As the first of PDB entry 2p0r, after which gemmi's polymer ends."""
    structure = model_of({"A": list(enumerate(PROTEIN, start=1))})
    structure.setup_entities()
    document = structure.make_mmcif_document()
    document[0].find_loop("_atom_site.label_asym_id")[0] = "AB"
    document.write_file(str(tmp_path / "in.cif"))
    paint(match(tmp_path / "in.cif", PROTEIN), tmp_path / "out.pdb", np.ones(len(PROTEIN)))
    painted = gemmi.read_structure(str(tmp_path / "out.pdb"))[0]["A"]
    assert [residue[0].b_iso for residue in painted] == [100.0] * len(PROTEIN)


def test_modified_residues_are_those_they_were_made_of_and_each_conformer_is_painted(tmp_path):
    protein = "MAKMLEMGDMRTWMKYFMC"
    structure = model_of({"A": list(enumerate(protein, start=1))})
    for residue in structure[0]["A"]:
        residue.name = "MSE" if residue.name == "MET" else residue.name
    other = structure[0]["A"][4].clone()
    structure[0]["A"][4][0].altloc, other[0].altloc, other.name = "A", "B", "VAL"
    structure[0]["A"].add_residue(other, 5)
    structure.write_pdb(str(tmp_path / "in.pdb"))
    paint(match(tmp_path / "in.pdb", protein), tmp_path / "out.pdb", np.arange(len(protein)) / 10)
    painted = gemmi.read_structure(str(tmp_path / "out.pdb"))[0]["A"]
    assert [residue[0].b_iso for residue in painted] == [
        10 * n for n in range(len(protein)) for _ in range(1 + (n == 4))
    ]


def test_what_cannot_be_painted_is_said(tmp_path):
    model_of({"B": [(1, "G"), (2, "S"), (3, "W"), (4, "W"), (5, "P")]}).write_pdb(str(tmp_path / "other.pdb"))
    (tmp_path / "no.pdb").write_bytes(b"\x00\x01")
    (tmp_path / "no.json").write_text("{}")
    text = (tmp_path / "other.pdb").read_bytes().replace(b" B ", b" \xe9 ")
    (tmp_path / "latin.pdb").write_bytes(text)
    for source, said in (
        ("other.pdb", "no chain of it is the protein of 42 residues"),
        ("no.pdb", "no chain of it|cannot be read as a structure"),
        ("none.pdb", "cannot be read as a structure"),
        ("no.json", "cannot be read as a structure"),
        ("latin.pdb", "cannot be read as a structure"),
        ("\udce9.pdb", "cannot be read as a structure"),
    ):
        with pytest.raises(FoldgraftError, match=said):
            match(tmp_path / source, PROTEIN)
    model_of({"A": list(enumerate(PROTEIN))}).write_pdb(str(tmp_path / "in.pdb"))
    matched = match(tmp_path / "in.pdb", PROTEIN)
    for target, value, said in (("out.txt", 0.0, "ends in .pdb or .cif"), ("out.pdb", 10.0, "ends in .cif")):
        with pytest.raises(FoldgraftError, match=said):
            paint(matched, tmp_path / target, np.full(len(PROTEIN), value))
        assert not (tmp_path / target).exists()
    matched.structure[0]["A"].name = "Heavy"
    with pytest.raises(FoldgraftError, match=r"does not fit into a PDB file .*name a file that ends in .cif"):
        paint(matched, tmp_path / "out.pdb", np.zeros(len(PROTEIN)))


def test_what_cannot_be_scanned_is_said(folder, tmp_path):
    trunk = folder.trunk()
    ss3 = load_head(folder.head("ss3", {"name": "convolution", "hidden": 8}))
    with pytest.raises(FoldgraftError, match="gives each protein a number"):
        scan(Candidate("a", PROTEIN, ""), [], ss3, trunk)
    (tmp_path / "two.fasta").write_text(f">a\n{PROTEIN}\n>b\n{PROTEIN}\n")
    with pytest.raises(FoldgraftError, match="more than one record"):
        one(tmp_path / "two.fasta")
    (tmp_path / "dna.fasta").write_text(f">a\n{'GATTACA' * 5}\n")
    with pytest.raises(FoldgraftError, match="letters of DNA"):
        one(tmp_path / "dna.fasta")
