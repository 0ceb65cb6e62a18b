"""Configuration files: what is wrong is told with file and line, unknown keys with those that are known."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.config import load
from foldgraft.config_files import read_config_file
from foldgraft.errors import FoldgraftError
from foldgraft.manual import merged

KEYS = st.text("abc", min_size=1, max_size=3)
VALUES = st.recursive(st.none() | st.booleans() | st.integers() | KEYS, lambda inner: st.dictionaries(KEYS, inner))


@given(values=st.dictionaries(KEYS, VALUES, min_size=1))
def test_a_good_file_reads_as_yaml_does(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("c") / "c.yaml"
    path.write_text(yaml.safe_dump(values))
    assert read_config_file(path) == yaml.safe_load(path.read_text())


def test_anchors_and_merges_serve(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("a: &x {p: 1}\nb:\n  <<: *x\n  q: 2\nc: *x\n")
    assert read_config_file(path) == {"a": {"p": 1}, "b": {"p": 1, "q": 2}, "c": {"p": 1}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run: a\nsynth: {families: 4}\nrun: b\n", r"c\.yaml, line 3: the key 'run' stands on line 1 already"),
        ("a:\n  b: 1\n  b: 2\n", r"c\.yaml, line 3: the key 'b' stands on line 2 already"),
        ("run: a\nfiles: [x\n", r"c\.yaml, line 3, column 1: "),
        ("run: a\n\tb: 1\n", r"c\.yaml, line 2, column 1: .*indent with blanks"),
        ("- a\n", r"c\.yaml: it holds no keys"),
        ("", r"c\.yaml: it holds no keys"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(FoldgraftError, match=message):
        read_config_file(tmp_path / "c.yaml")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FoldgraftError, match=r"gone\.yaml: cannot be read"):
        read_config_file(tmp_path / "gone.yaml")


def test_later_files_add_to_sections():
    assert merged({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 3}, "d": [2]}) == {"a": {"b": 3, "c": 2}, "d": [2]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"structres": {}}, r"structres: no such key; did you mean structures\? \(keys: cluster, .*trunk\)"),
        ({"structures": {"rcsb": {"id": []}}}, r"structures\.rcsb\.id: .* did you mean ids\? \(keys: ids, query\)"),
        ({"labels": {"a": {"tabel": "x"}}}, r"labels\.a\.tabel: .* did you mean table\?"),
        ({"fetch": {"retries": "many"}}, r"fetch\.retries: it must be a whole number \(given: 'many'\)"),
        ({"fetch": {"retries": 99}}, r"fetch\.retries: it must be 20 or less \(given: 99\)"),
        ({"structures": 3}, r"structures: it must be a section of keys and values \(given: 3\)"),
        ({"solubility": {}}, r"solubility\.table: it must be given"),
    ],
)
def test_messages_are_our_own_and_say_what_may_be(values, message):
    with pytest.raises(FoldgraftError, match=message):
        load(values)
