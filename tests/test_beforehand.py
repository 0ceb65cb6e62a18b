"""What is wrong with local files is told before any job: one clear message, which names the file and a cure."""

import gzip
import random
import shutil

import pytest
import torch
from safetensors.torch import save_file

from foldgraft import plan
from foldgraft.beforehand import check_inputs
from foldgraft.curate.first_look import FILES, check_any_protein
from foldgraft.errors import FoldgraftError
from foldgraft.launch import arguments
from foldgraft.residues import AMINO_ACIDS

WIDTH = 8
ROWS = 12


def letters(number, alphabet=AMINO_ACIDS, count=40):
    return "".join(random.Random(number).choices(alphabet, k=count))


def table(label=lambda k: k % 2, sequence=letters, separator=","):
    rows = [("id", "sequence", "label"), *((f"p{k}", sequence(k), label(k)) for k in range(ROWS))]
    return "".join(separator.join(map(str, row)) + "\n" for row in rows)


@pytest.fixture
def inputs(tmp_path):
    """A folder of good inputs and the configuration that uses them; each test spoils one thing."""
    (tmp_path / "structures").mkdir()
    (tmp_path / "structures/1abc.cif").write_text("data_1abc\n_entity_poly_seq.mon_id ALA\n")
    (tmp_path / "s.fasta").write_text(f">a\n{letters(1)}\n>b\n{letters(2)}\n")
    (tmp_path / "new.fasta").write_text(f">a\n{letters(3)}\n")
    (tmp_path / "labels.csv").write_text(table())
    (tmp_path / "esm").mkdir()
    (tmp_path / "esm/config.json").write_text(f'{{"model_type": "esm", "hidden_size": {WIDTH}}}')
    save_file({"esm.embeddings.word_embeddings.weight": torch.zeros(33, WIDTH)}, tmp_path / "esm/model.safetensors")
    config = {
        "data": str(tmp_path),
        "structures": {"files": ["structures/*.cif*"]},
        "sequences": {"files": ["s.fasta"]},
        "solubility": {"table": "labels.csv"},
        "trunk": {"checkpoint": "esm"},
        "experiments": {"solubility": {"task": "solubility"}},
        "predict": {"sequences": {"new": "new.fasta"}},
    }
    return tmp_path, config


def written(name, content):
    """Spoil a file by other content."""

    def spoil(folder, config):
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return spoil


def configured(**values):
    """Spoil a key of the configuration; the files that it names are written as well."""

    def spoil(folder, config):
        for name, text in values.pop("files", {}).items():
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        for key, value in values.items():
            config[key] = {**config.get(key, {}), **value}

    return spoil


def beside(**columns):
    """A table with one more column, which the configuration names."""
    ((role, cells),) = columns.items()
    rows = [line + f",{value}" for line, value in zip(table().splitlines(), [role, *cells(ROWS)], strict=True)]
    return configured(
        files={"labels.csv": "\n".join(rows) + "\n"},
        solubility={"columns": {role: role}},
    )


def cut_checkpoint(folder, config):
    path = folder / "esm/model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])


def wider_checkpoint(folder, config):
    path = folder / "esm/config.json"
    path.write_text(path.read_text().replace(str(WIDTH), str(2 * WIDTH)))


def wider_torch_file(folder, config, **saving):
    words = {"esm.embeddings.word_embeddings.weight": torch.zeros(33, WIDTH)}
    torch.save({"esm.first": torch.zeros(3, 5)} | words, folder / "esm/pytorch_model.bin", **saving)
    (folder / "esm/model.safetensors").unlink()
    wider_checkpoint(folder, config)


def cut_torch_file(folder, config):
    torch.save({"a": torch.zeros(500)}, folder / "whole.pt")
    (folder / "cut.pt").write_bytes((folder / "whole.pt").read_bytes()[:-30])
    config["trunk"] = {"checkpoint": "cut.pt"}


DNA = {"alphabet": "ACGT"}
SIFTS = "PDB,CHAIN,SP_PRIMARY,RES_BEG,RES_END,PDB_BEG,PDB_END,SP_BEG,SP_END\n"
SEGMENT = "1abc,A,P69905,1,9,1,9,1,9\n"


def with_sifts(content):
    return configured(files={"s.csv.gz": content}, structures={"sifts": "s.csv.gz"})


HOSTILE = {
    "fewer sequences than folds": (
        written("labels.csv", "id,sequence,label\na,MKV,1\nb,MKL,0\n"),
        ["2 different", "5 folds"],
    ),
    "one sequence": (written("labels.csv", table(sequence=lambda k: "MKVLAAG")), ["1 different", "5 folds"]),
    "two published folds": (beside(fold=lambda n: [k % 2 for k in range(n)]), ["published folds are 2", "take 3"]),
    "no test role": (beside(split=lambda n: ["train"] * n), ["columns.split", "for test"]),
    "DNA in labels": (
        written("labels.csv", table(sequence=lambda k: letters(k, **DNA))),
        ["row 2 (p0)", "DNA", "translate", f"{ROWS - 5} more rows"],
    ),
    "X alone in labels": (
        written("labels.csv", table(sequence=lambda k: "X" * (k + 9))),
        ["solubility.table", "/labels.csv", "of X alone", "columns.sequence"],
    ),
    "DNA for chains": (
        configured(files={"c.fasta": f">1abc\n{letters(1, **DNA)}\n"}, curate={"sequences": ["c.fasta"]}),
        ["curate.sequences", "c.fasta (1abc)", "DNA", "translate"],
    ),
    "SIFTS cut short": (
        with_sifts(gzip.compress((SIFTS + SEGMENT).encode())[:-9]),
        ["structures.sifts", "s.csv.gz", "cut short"],
    ),
    "SIFTS damaged": (
        with_sifts(gzip.compress((SIFTS + SEGMENT).encode())[:-8] + bytes(8)),
        ["structures.sifts", "s.csv.gz", "damaged", "fetch it anew"],
    ),
    "SIFTS in another encoding": (
        with_sifts((SIFTS + SEGMENT + SEGMENT.replace("A", "Ä")).encode("latin-1")),
        ["structures.sifts", "s.csv.gz", "line 3", "no text in UTF-8"],
    ),
    "another table for SIFTS": (with_sifts(table().encode()), ["structures.sifts", "s.csv.gz", "no column PDB"]),
    "no segments in SIFTS": (
        with_sifts((SIFTS + SEGMENT * 8 + "x,y\n" * 3).encode()),
        ["structures.sifts", "of its first 11 rows 3", "line 10", "pdb_chain_uniprot"],
    ),
    "DNA in sequences": (
        written("s.fasta", "".join(f">a{k}\n{letters(k, **DNA)}\n" for k in range(9))),
        ["s.fasta (a0)", "DNA", "4 more records"],
    ),
    "RNA to predict for": (written("new.fasta", f">a\n{letters(1, 'acgu')}\n"), ["predict.sequences.new", "RNA"]),
    "three-letter codes": (written("labels.csv", table(sequence=lambda k: "MetLysValAla" * 3)), ["three-letter codes"]),
    "one class": (written("labels.csv", table(label=lambda k: 1)), ["every label", "is 1", "/labels.csv"]),
    "one value": (
        configured(labels={"tm": {"table": "tm.csv", "kind": "value"}}, files={"tm.csv": table(label=lambda k: 5.5)}),
        ["labels.tm.table", "is 5.5"],
    ),
    "one state of residues": (
        configured(
            labels={"d": {"table": "d.csv", "level": "residue"}}, files={"d.csv": table(label=lambda k: "0" * 40)}
        ),
        ["labels.d.table", "is 0"],
    ),
    "empty structure": (written("structures/1abc.cif", ""), ["no file holds a protein", "1abc.cif is empty"]),
    "web page": (written("structures/1abc.cif", "<html>503</html>"), ["1abc.cif is a web page"]),
    "DNA structure": (written("structures/1abc.cif", "data_x\n_entity_poly_seq.mon_id DA\n"), ["names no amino acid"]),
    "archive": (written("structures/1abc.cif", b"PK\x03\x04ALA"), ["an archive, which must be unpacked"]),
    "checkpoint cut short": (cut_checkpoint, ["trunk.checkpoint", "model.safetensors", "cut short"]),
    "other width than told": (wider_checkpoint, [f"{WIDTH} wide", f"hidden_size {2 * WIDTH}"]),
    "other width in a torch file": (wider_torch_file, ["bin", f"{WIDTH} wide", f"hidden_size {2 * WIDTH}"]),
    "torch file cut short": (cut_torch_file, ["cut.pt", "cut short"]),
    "text as checkpoint": (
        configured(files={"a.pt": "hello"}, trunk={"checkpoint": "a.pt"}),
        ["a.pt", "no file of tensors"],
    ),
    "bad letters": (written("s.fasta", ">a\nMKV1\n>b\nMKL\n>c\nM$\n>d\n\n"), ["(a)", "'1'", "(c)", "(d)", "empty"]),
    "cut gzip": (
        configured(
            files={"s.fasta.gz": gzip.compress(f">a\n{letters(1, count=999)}\n".encode())[:99]},
            sequences={"files": ["s.fasta.gz"]},
        ),
        ["s.fasta.gz", "gzip data is cut short", "fetch it anew"],
    ),
    "no FASTA": (written("s.fasta", "LOCUS  X\n"), ["s.fasta", "not FASTA"]),
    "no FASTA to predict for": (written("new.fasta", "hello\n"), ["predict.sequences.new", "not FASTA"]),
    "percents": (
        written("labels.csv", table(label=lambda k: 50 + k)),
        ["'50'", "divide percentages by 100", "7 more rows"],
    ),
    "percent signs": (written("labels.csv", table(label=lambda k: f"{k}%")), ["'0%'", "divide them by 100"]),
    "decimal commas": (
        written("labels.csv", table(label=lambda k: '"0,5"')),
        ["'0,5'", "a point for the decimal comma"],
    ),
    "words": (written("labels.csv", table(label=lambda k: "maybe")), ["'maybe'", "name it under `missing`"]),
    "Excel": (written("labels.csv", b"PK\x03\x04"), ["labels.csv", "a workbook", "save the table as CSV"]),
    "old Excel": (written("labels.csv", bytes.fromhex("d0cf11e0a1b11ae1")), ["old Excel", "save the table as CSV"]),
    "UTF-16": (written("labels.csv", table().encode("utf-16")), ["UTF-16", "save the table as CSV"]),
    "Latin-1": (written("labels.csv", table().encode() + b"p,MK,1,\xe4\n"), ["no UTF-8 text; save it as UTF-8"]),
    "blanks for commas": (written("labels.csv", table(separator=" ")), ["parted by commas, tabs or semicolons"]),
    "no header": (written("labels.csv", table().partition("\n")[2]), ["first line must hold the names of the columns"]),
    "other case": (written("labels.csv", table().replace("id,sequence", "ID,Sequence")), ["did you mean 'ID'?"]),
    "empty table": (written("labels.csv", ""), ["labels.csv", "first line is empty"]),
    "short rows": (
        written("labels.csv", table() + "x,MKV\n" * 8),
        ["row 14", "2 fields, fewer than the header's 3", "3 more rows"],
    ),
    "no such table": (configured(solubility={"table": "lables.csv"}), ["solubility.table", "/lables.csv"]),
    "no such folder": (lambda folder, config: config.update(data="nowhere"), ["data", "/nowhere' is not a folder"]),
    "no lock": (
        lambda folder, config: config.update(replay=str(shutil.copy(folder / "s.fasta", folder / "l.parquet"))),
        ["replay", "is no lock"],
    ),
}


def test_good_inputs_pass(inputs):
    check_inputs(plan.load(inputs[1]))


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_wrong_is_told_with_a_cure(inputs, kind):
    folder, config = inputs
    spoil, words = HOSTILE[kind]
    spoil(folder, config)
    with pytest.raises(FoldgraftError) as raised:
        plan.make(plan.configure(config, check=True))
    assert all(word in str(raised.value) for word in words), str(raised.value)


def test_a_checkpoint_in_an_old_file_of_torch_is_left_to_the_run(inputs):
    folder, config = inputs
    wider_torch_file(folder, config, _use_new_zipfile_serialization=False)
    check_inputs(plan.load(config))


def test_a_good_table_of_sifts_and_nucleic_chains_among_proteins_stop_nothing(inputs):
    folder, config = inputs
    (folder / "s.csv").write_text(SIFTS + SEGMENT * 9 + "x,y\n")
    config["structures"]["sifts"] = "s.csv"
    (folder / "c.fasta").write_text(f">1abc_A\n{letters(1)}\n>1abc_B\n{letters(1, **DNA)}\n")
    check_inputs(plan.load(config | {"curate": {"sequences": ["c.fasta"]}}))


def test_a_record_of_dna_or_a_peptide_of_its_letters_stops_nothing(inputs):
    folder, config = inputs
    wrong = letters(1, **DNA), "GATCNGATNC", "ALAALAALAALA"
    (folder / "labels.csv").write_text(table() + "".join(f"x{k},{text},1\n" for k, text in enumerate(wrong)))
    (folder / "s.fasta").write_text(
        "".join(f">x{k}\n{text}\n" for k, text in enumerate([*wrong, *map(letters, range(3))]))
    )
    check_inputs(plan.load(config))


TRIED = {
    "one class": table(label=lambda k: 1),
    "fewer sequences than folds": "id,sequence,label,role\na,MKV,1,test\nb,MKL,0,test\n",
    "all for test": "\n".join(f"{line},{'test' if k else 'role'}" for k, line in enumerate(table().splitlines())),
}


@pytest.mark.parametrize("kind", TRIED)
def test_a_table_from_which_no_head_learns_may_be_of_any_kind(inputs, kind):
    folder, config = inputs
    (folder / "trial.csv").write_text(TRIED[kind])
    columns = {"columns": {"split": "role"}} if "role" in TRIED[kind] else {}
    config |= {"labels": {"trial": {"table": "trial.csv", **columns}}}
    with pytest.raises(FoldgraftError, match=r"labels\.trial"):
        check_inputs(plan.load(config))
    check_inputs(plan.load(config | {"evaluate": {"external": {"trial": ["solubility"]}}}))


def test_semicolons_and_decimal_commas_are_read(inputs):
    folder, config = inputs
    (folder / "labels.csv").write_text(table(label=lambda k: ("0,5", "1")[k % 2], separator=";"))
    check_inputs(plan.load(config))


def test_one_protein_among_structures_is_enough_and_many_files_are_left_to_the_run(tmp_path):
    paths = [tmp_path / f"{k}.cif" for k in range(FILES + 1)]
    for path in paths:
        path.write_text("nothing")
    check_any_protein(paths)
    paths[1].write_bytes(gzip.compress(b"ATOM      1  N   ALA A   1"))
    check_any_protein(paths[:2])
    with pytest.raises(FoldgraftError, match="and so on, 4 files"):
        check_any_protein(paths[2:6])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("run: a\nrun: b\n", ["line 2", "'run'"]),
        ("run: a\nstructures: {files: [a\nlabels: x\n", ["line 3"]),
        ("run: a\nstructures:\n\tfiles: [a]\n", ["line 3", "indent with blanks"]),
        ("run: a\nsolubility: table: labels.csv\n", ["line 2"]),
        ("- a\n", ["holds no keys"]),
        ("", ["holds no keys"]),
    ],
)
def test_a_configuration_that_is_no_yaml_is_told_with_its_line_before_snakemake_reads_it(tmp_path, text, words):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(FoldgraftError) as raised:
        arguments([], [str(path)], "2", None)
    assert all(word in str(raised.value) for word in [str(path), *words]), str(raised.value)
