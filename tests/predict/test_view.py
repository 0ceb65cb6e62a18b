"""A structure coloured by what each residue adds, as a page shows it: its data, and the page in a real browser."""

import html
import io
import json
import re

import gemmi
import made_up_run
import numpy as np
import pytest
from Bio.PDB import PDBParser

from browser import picture, visit
from foldgraft.errors import FoldgraftError
from foldgraft.predict.matched import match
from foldgraft.predict.page import Beside, page
from foldgraft.predict.scan import Scan
from foldgraft.predict.sequences import Candidate
from foldgraft.predict.variants import substitutions
from foldgraft.predict.view import view, viewer_script
from foldgraft.residues import ATOM_INDEX, ONE_TO_THREE
from foldgraft.viewer.parts import as_json

HOSTILE = "</script><b>&x"
SHAPE = "CHHHHHHHHHHHHHCCCCEEEEEEECCCCEEEEEEECCC"


@pytest.fixture(scope="module")
def chain():
    """A chain of helix and strands, all of it resolved."""
    chain = made_up_run.make_chain("1abc_A", made_up_run.fold(SHAPE, seed=1, tries=20), np.random.default_rng(1))
    assert np.isfinite(chain.coordinates[:, ATOM_INDEX["CA"]]).all()
    return chain


def structure_of(chain, names, absent=(), atoms=("N", "CA", "C", "O", "CB"), extra=0) -> gemmi.Structure:
    """The chain under several names, each 30 angstrom from the last, numbered from 101; `extra` residues before it."""
    structure, model = gemmi.Structure(), gemmi.Model(1)
    for shift, name in enumerate(names):
        made = gemmi.Chain(name)
        for number in range(-extra, len(chain.sequence)):
            if number in absent:
                continue
            residue = gemmi.Residue()
            residue.name = "HIS" if number < 0 else ONE_TO_THREE[chain.sequence[number]]
            residue.seqid = gemmi.SeqId(str(number + 101))
            for atom_name in atoms:
                atom = gemmi.Atom()
                atom.name, atom.element = atom_name, gemmi.Element(atom_name[0])
                x, y, z = map(float, chain.coordinates[max(number, 0), ATOM_INDEX[atom_name]])
                if np.isfinite(x):
                    atom.pos = gemmi.Position(x + 30 * shift + min(number, 0) * 3.8, y, z)
                    residue.add_atom(atom)
            made.add_residue(residue)
        model.add_chain(made)
    structure.add_model(model)
    return structure


def write(structure, path):
    structure.setup_entities()
    structure.make_mmcif_document().write_file(str(path))
    return path


@pytest.mark.parametrize(("absent", "extra"), [((0, 1, 20), 0), ((20,), 2)])
def test_the_backbone_of_every_chain_is_drawn_where_the_protein_has_it(chain, tmp_path, absent, extra):
    path = write(structure_of(chain, ["A", "Bx"], absent, extra=extra), tmp_path / "a.cif")
    values = np.linspace(-0.1, 0.3, len(chain.sequence))
    values[5] = np.nan
    shown = view(match(path, chain.sequence), values)
    content = json.loads(shown.content)
    drawn = PDBParser(QUIET=True).get_structure("x", io.StringIO(content["pdb"]))
    kept = [at for at in range(len(chain.sequence)) if at not in absent]
    for name, shift in (("A", 0), ("B", 30)):
        residues = list(drawn[0][name])
        assert [residue.id[1] - 1 for residue in residues] == kept
        assert all([atom.name for atom in residue] == ["N", "CA", "C", "O"] for residue in residues)
        found = np.array([residue["CA"].coord for residue in residues])
        true = chain.coordinates[kept, ATOM_INDEX["CA"]] + np.array([shift, 0, 0])
        assert np.allclose(found - found[0], true - true[0], atol=2e-3)
    assert content["chains"] == {"A": "A", "B": "Bx"} and shown.chains == ["A", "Bx"]
    assert (shown.resolved, shown.foreign, shown.left_out) == (len(kept), 2 * extra, 0)
    assert content["values"][5] is None and content["values"][-1] == content["top"] == shown.top == 0.3
    last = len(chain.sequence)
    assert shown.up[0] == f"{chain.sequence[-1]}{last} (+0.300)" and shown.down[0] == f"{chain.sequence[0]}1 (−0.100)"


def test_a_chain_with_a_blank_name_is_called_so(chain, tmp_path):
    structure_of(chain, [" "]).write_pdb(str(tmp_path / "a.pdb"))
    shown = view(match(tmp_path / "a.pdb", chain.sequence), np.ones(len(chain.sequence)))
    assert shown.chains == ["without a name"] and json.loads(shown.content)["chains"] == {"A": "without a name"}


def test_what_is_not_drawn_is_counted(chain, tmp_path):
    structure = structure_of(chain, [f"c{number}" for number in range(10)])
    other = structure_of(made_up_run.make_chain("x", made_up_run.fold(SHAPE, 2, 5), np.random.default_rng(9)), ["Z"])
    structure[0].add_chain(other[0]["Z"])
    second = structure[0].clone()
    second.num = 2
    structure.add_model(second)
    matched = match(write(structure, tmp_path / "a.cif"), chain.sequence)
    shown = view(matched, np.ones(len(chain.sequence)))
    assert len(shown.chains) == 8 and (shown.left_out, shown.models) == (3, 1)
    text = page(scanned(chain)[0], "solubility", "the head", Beside(structure=matched, viewer="x"))
    assert "Not drawn: 3 other chains of the file." in text and "Not drawn: 1 other model of the file." in text


def test_another_script_is_refused(tmp_path):
    assert viewer_script(None) == ""
    (tmp_path / "a.js").write_text("var x")
    (tmp_path / "b.js").write_bytes(b"\xff\xfe")
    (tmp_path / "package.json").write_text('{"name": "3dmol", "main": "build/3Dmol.js"}')
    (tmp_path / "3Dmol.es6-min.js").write_text(
        "var t={createViewer:1};$3Dmol.x=t;export const createViewer=t.createViewer;"
    )
    for name in ("a.js", "b.js", "none.js", "package.json", "3Dmol.es6-min.js"):
        with pytest.raises(FoldgraftError, match=rf"--viewer: .*{name} is not the script 3Dmol.js; name build/"):
            viewer_script(tmp_path / name)


def scanned(chain) -> tuple[Scan, np.ndarray]:
    """A scan in which the first half of the residues hold the score up and the rest pull it down."""
    length = len(chain.sequence)
    values = np.where(np.arange(length) < length // 2, 0.2, -0.2)
    values[0] = 0.02
    variants = list(substitutions(chain.sequence))
    scores = np.array([[0.5 - values[one.position - 1]] * 2 for one in variants])
    return Scan(Candidate(HOSTILE, chain.sequence, "", HOSTILE), np.array([0.5, 0.5]), variants, scores, []), values


def test_without_the_viewer_a_sentence_says_what_to_give(chain, tmp_path):
    found, _ = scanned(chain)
    matched = match(write(structure_of(chain, ["A"]), tmp_path / "a.cif"), chain.sequence)
    for beside in (Beside(), Beside(structure=matched)):
        text = page(found, "solubility", "the head", beside)
        assert "<code>--viewer</code> (3Dmol.js: build/3Dmol-min.js of the npm package" in text
        assert "<script" not in text and HOSTILE not in text


@pytest.fixture(scope="module")
def visited(program, chain, viewer, root, tmp_path_factory):
    """The page of a structure with hostile names."""
    folder = tmp_path_factory.mktemp("browser")
    found, _ = scanned(chain)
    path = write(structure_of(chain, ["A<b>x</b>"], absent=(30,)), folder / "<b>a&.cif")
    beside = Beside(structure=match(path, chain.sequence), viewer=viewer_script(viewer))
    text = page(found, HOSTILE, HOSTILE, beside)
    look = (root / "tests/predict/look.js").read_text(encoding="utf-8")
    (folder / "index.html").write_text(text.replace("</body>", f"<script>{look}</script></body>"), encoding="utf-8")
    return visit(program("chromium"), folder / "index.html", folder)


@pytest.fixture(scope="module")
def seen(visited):
    found = re.search(r'<output id="seen">(.*?)</output>', visited.dom, re.DOTALL)
    assert found, visited.console
    return json.loads(html.unescape(found[1]))


@pytest.mark.timeout(180)
def test_pointing_at_a_residue_names_it_its_chain_and_what_it_adds(seen, chain):
    _, values = scanned(chain)
    assert seen["silent"] == "Point at a residue in the structure or in the sequence."
    right = 0
    for one in seen["hovered"]:
        if one["said"] == seen["silent"]:  # beside the ribbon
            continue
        told = re.fullmatch(r"([A-Z])(\d+) of chain A<b>x</b>: ([+−])(\d\.\d{4}), (.*)", one["said"])
        assert told, one
        letter, number, sign, value, words = told.groups()
        at = int(number) - 1
        assert letter == chain.sequence[at] and one["marked"] == [at]
        assert float(value) == pytest.approx(abs(values[at]), abs=1e-4) and (sign == "+") == (values[at] > 0)
        assert words == ("holds the score up" if values[at] > 0 else "pulls the score down")
        right += at + 1 == one["resi"]  # another may lie before it
    assert len(seen["hovered"]) == len(chain.sequence) // 3 and right > 0.6 * len(seen["hovered"])
    assert seen["left"] == {"said": seen["silent"], "marked": []}


def test_a_residue_has_the_colour_of_what_it_adds(seen, chain):
    """Where a residue was pointed at and named, blue prevails if it holds the score up and red if it pulls it down."""
    _, values = scanned(chain)
    image = picture(seen["png"])
    scale = image.shape[1] / seen["size"][0]
    asked = 0
    for one in seen["hovered"]:
        if f"{chain.sequence[one['resi'] - 1]}{one['resi']} " in one["said"] and one["resi"] > 1:
            red, _, blue, solid = image[round(one["y"] * scale), round(one["x"] * scale)]
            if solid > 0.9 and abs(blue - red) > 0.05:  # not in shadow
                assert (blue > red) == (values[one["resi"] - 1] > 0), one
                asked += 1
    assert asked > 0.4 * len(seen["hovered"])
    assert image[2, 2, 3] == 0  # the page's own paper is behind it, light or dark


def test_the_sequence_has_the_same_colours_and_can_be_read(seen):
    shades = [shade for shade, _ in seen["letters"]]
    assert shades[1] == "rgb(0, 114, 178)" and shades[-1] == "rgb(178, 24, 43)"
    assert shades[0] == "rgb(192, 207, 218)"  # a tenth of the way from the middle to blue

    def luminance(colour):  # WCAG 2.1, relative luminance
        parts = np.array(re.findall(r"\d+", colour), float) / 255
        return np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    for shade, ink in seen["letters"]:
        light, dark = sorted((luminance(shade), luminance(ink)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) > 4.5


def test_it_zooms_only_after_a_click_and_has_reset_and_keys(seen):
    start, still, zoomed, reset, turned = (
        np.array(seen["views"][name]) for name in ("start", "still", "zoomed", "reset", "turned")
    )
    assert np.array_equal(start, still) and abs(zoomed[3] - start[3]) > 1
    assert np.allclose(reset[:4], start[:4], atol=0.01) and not np.allclose(turned[4:], reset[4:], atol=0.01)


def test_the_sequence_is_walked_by_keys_and_a_residue_is_held(seen, chain):
    assert seen["moved"]["at"] == 11 and seen["moved"]["said"].startswith(f"{chain.sequence[11]}12: ")
    assert seen["entered"] == 7  # Enter holds nothing where nothing is marked
    assert seen["held"] == 11 and seen["free"]["at"] == 20


def test_nothing_breaks_out_and_the_console_and_the_network_are_silent(visited, seen):
    assert seen["elements"] == 4  # 3Dmol.js, the page's own script, its data, and the visitor
    assert visited.console == [] and visited.requested == set()


@pytest.mark.timeout(180)
def test_a_browser_without_webgl_says_so_and_names_residues_of_the_sequence(program, chain, viewer, tmp_path):
    found, _ = scanned(chain)
    matched = match(write(structure_of(chain, ["A"]), tmp_path / "a.cif"), chain.sequence)
    text = page(found, "solubility", "the head", Beside(structure=matched, viewer=viewer_script(viewer)))
    without = "<script>HTMLCanvasElement.prototype.getContext = () => null;</script>"
    point = '<script>document.getElementById("structure").views.point(3);</script>'
    (tmp_path / "index.html").write_text(
        text.replace("<title>", f"{without}<title>").replace("</body>", f"{point}</body>")
    )
    seen = visit(program("chromium"), tmp_path / "index.html", tmp_path).dom
    assert "This browser cannot draw the structure: it has no WebGL." in seen and 'aria-label="Structure; ' in seen
    assert f">{chain.sequence[3]}4: +0.2000, holds the score up</p>" in seen


def test_json_cannot_end_its_element():
    assert "</" not in as_json({"a": "</script><!--"})
    assert json.loads(as_json({"a": "</script><!--"})) == {"a": "</script><!--"}
