"""Bad input stops before any job runs, each with one clear line."""

from pathlib import Path

import pytest

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.checks import check
from foldgraft.fetch.label_settings import SolubilitySettings
from foldgraft.fetch.settings import SequencesSettings, StructuresSettings


def check_structures(data, **values):
    check(StructuresSettings.model_validate(values), None, {}, data)


def check_fasta(data, text):
    (data / "s.fasta").write_text(text)
    check(None, SequencesSettings(files=["s.fasta"]), {}, data)


def check_table(data, text, **columns):
    (data / "t.csv").write_text(text)
    table = SolubilitySettings.model_validate({"table": "t.csv", "columns": columns})
    check(None, None, {"solubility": table}, data)


def test_good_input_passes(tmp_path):
    (tmp_path / "a.cif").touch()
    (tmp_path / "s.fasta").write_text(">a\nMKV*\n>b x\nmkv\n>a\nMKV\n")
    (tmp_path / "t.csv").write_text("id,sequence,label\np1,MKVUXBZO,0.25\np2,mkv*,1\n")
    check(
        StructuresSettings.model_validate({"files": ["*.cif"], "rcsb": {"ids": ["1ubq"]}}),
        SequencesSettings(files=["*.fasta"]),
        {"solubility": SolubilitySettings(table="t.csv")},
        tmp_path,
    )


def test_two_files_of_one_entry(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1ubq.cif").touch()
    with pytest.raises(FoldgraftError, match=r"x/1ubq\.cif and .*y/1ubq\.cif are both entry 1ubq"):
        check_structures(tmp_path, files=["*/*.cif"])


def test_one_entry_in_two_spellings(tmp_path):
    with pytest.raises(FoldgraftError, match="both entry 1ubq"):
        check_structures(tmp_path, rcsb={"ids": ["1UBQ", "pdb_00001ubq"]})


def test_one_entry_as_a_file_and_by_id(tmp_path):
    (tmp_path / "1UBQ.cif").touch()
    with pytest.raises(FoldgraftError, match="both entry 1ubq"):
        check_structures(tmp_path, files=["*.cif"], rcsb={"ids": ["1ubq"]})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rcsb": {"ids": ["ubiquitin"]}}, r"structures\.rcsb\.ids: 'ubiquitin' is no PDB id"),
        ({"alphafold": {"accessions": ["P53_HUMAN"]}}, r"alphafold\.accessions: 'P53_HUMAN' is no UniProt accession"),
        ({"files": ["nothing/*.cif"]}, "matches no file"),
    ],
)
def test_bad_structures(tmp_path, values, message):
    with pytest.raises(FoldgraftError, match=message):
        check_structures(tmp_path, **values)


def test_a_file_name_that_cannot_be_an_id(tmp_path):
    (tmp_path / "my protein.cif").touch()
    with pytest.raises(FoldgraftError, match="'my protein' cannot be an id"):
        check_structures(tmp_path, files=["*.cif"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (">a\nMKV\n>b\n>c\nMKV\n", r"record 2 \(b\): the sequence is empty"),
        (">a\nMKV\n>a\nMKL\n", "'a' stands for two different sequences"),
        (">a\nMK-V\n", r"\(a\): the sequence holds '-'"),
        (">a\nMK*V\n", r"\(a\): the sequence holds '\*'"),
        (">a\n*\n", r"\(a\): the sequence is empty"),
        ("MKV\n", "not FASTA"),
        ("", "no FASTA record"),
    ],
)
def test_bad_fasta(tmp_path, text, message):
    with pytest.raises(FoldgraftError, match=message):
        check_fasta(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("sid,fasta,y\na,MKV,1\n", {}, r"solubility\.columns\.id: .* no column 'id'; it has: sid, fasta, y"),
        ("id,sequence,label\na,MKV,yes\n", {}, r"row 2 \(a\): the label 'yes' is neither"),
        ("id,sequence,label\na,MKV,1\nb,MKV,1.5\n", {}, r"row 3 \(b\): the label '1\.5'"),
        ("id,sequence,label\na,MKV,87\n", {}, "the label '87' is neither 0 or 1 nor .*; divide percentages by 100"),
        ("id,sequence,label\na,MKV,\nb,MKV,-999\n", {}, r"solubility\.table: .*all 2 rows are without a label"),
        ("id,sequence,label\na,M1V,1\n", {}, r"row 2 \(a\): the sequence holds '1'"),
        ("id,sequence,label\na,,1\n", {}, "the sequence is empty"),
        ("id,sequence,label\na,MKV,1\na,MKL,1\n", {}, r"row 3 \(a\): the id 'a' has come before with another sequence"),
        ("id,sequence,label\n" + "a,MKV,2\n" * 9, {}, r"row 6 \(a\).*\n\.\.\. and 4 more rows"),
        ("id,sequence,label\n<b>,MKV,1\n", {}, "'<b>' cannot be an id"),
        ("id,sequence,label\na,MKV\n", {}, "2 fields, fewer than the header"),
        ("id,sequence,label,f\na,MKV,1,x\n", {"fold": "f"}, "the fold 'x' is no whole number"),
        ("id,sequence,label\n", {}, "the table has no rows"),
        ("", {}, "its first line is empty"),
    ],
)
def test_bad_tables(tmp_path, text, columns, message):
    with pytest.raises(FoldgraftError, match=message):
        check_table(tmp_path, text, **columns)


def test_a_missing_table(tmp_path):
    with pytest.raises(FoldgraftError, match=r"solubility\.table: there is no file"):
        check(None, None, {"solubility": SolubilitySettings(table="t.csv")}, tmp_path)


def test_a_table_that_is_no_text(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\x1f\x8bnot gzip at all")
    with pytest.raises(FoldgraftError, match=r"t\.csv: cannot be read as a table"):
        check(None, None, {"solubility": SolubilitySettings(table="t.csv")}, tmp_path)


def test_every_problem_is_told_at_once(tmp_path):
    with pytest.raises(FoldgraftError) as error:
        check(
            StructuresSettings(files=["*.cif"]),
            SequencesSettings.model_validate({"uniprot": {"accessions": ["P69905", "p69905"]}}),
            {"solubility": SolubilitySettings(table="t.csv")},
            tmp_path,
        )
    lines = str(error.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "structures.files",
        "sequences.uniprot.accessions",
        "solubility.table",
    ]


def test_one_class_is_told_before_any_job(tmp_path):
    (tmp_path / "t.csv").write_text("id,sequence,label\na,MKV,1\nb,MKL,1\n")
    table = SolubilitySettings(table="t.csv")
    with pytest.raises(FoldgraftError, match=r"solubility\.table: every label of .*t\.csv is 1, .*columns\.label"):
        check(None, None, {"solubility": table}, tmp_path)


def test_a_pattern_without_a_file_names_the_folder_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FoldgraftError, match=f"'s/\\*' matches no file below {tmp_path}"):
        check(StructuresSettings(files=["s/*"]), None, {}, Path())
