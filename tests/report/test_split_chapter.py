"""The chapter on data says of each set what its proteins served as."""

from dataclasses import replace

from foldgraft.report.data import section
from foldgraft.report.page import Figure, Table
from foldgraft.report.run import Run


def test_all_proteins_of_a_table_on_which_heads_are_only_tried_are_tested(run_folder):
    """The structures, from which heads learn, keep their three parts."""
    run = Run(run_folder)
    run.tasks = [replace(task, experiments=()) if task.name == "solubility" else task for task in run.tasks]
    blocks = section(run).blocks
    (rows,) = (block.rows for block in blocks if isinstance(block, Table) and tuple(block.head)[:2] == ("set", "part"))
    tried = run.split[run.split["set"] == "solubility"]
    expected = ("solubility", "test, of heads of other tables", f"{len(tried)}", f"{tried['cluster'].nunique()}")
    assert [row for row in rows if row[0] == "solubility"] == [expected]
    assert [row[1] for row in rows if row[0] == "structures"] == ["train", "valid", "test"]
    near = run.leakage[run.leakage["set"] == "structures"]
    (figure,) = (block for block in blocks if isinstance(block, Figure) and "nearest training protein" in block.alt)
    assert f"Scatter of {near['identity'].notna().sum()} test proteins" in figure.alt


def test_a_table_that_heads_learn_from_keeps_its_three_parts(run_folder):
    tables = [block for block in section(Run(run_folder)).blocks if isinstance(block, Table)]
    (rows,) = (table.rows for table in tables if tuple(table.head)[:2] == ("set", "part"))
    assert [row[:2] for row in rows if row[0] == "solubility"] == [
        ("solubility", kind) for kind in ("train", "valid", "test")
    ]
