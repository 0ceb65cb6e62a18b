"""Structure files written atom by atom, small enough to know by heart."""

import hashlib
from types import SimpleNamespace

import pytest

from foldgraft.curate.chains import protein_chains
from foldgraft.curate.settings import CurateSettings
from foldgraft.curate.structure_file import Extra, curate_file, read_entry
from foldgraft.residues import ONE_TO_THREE

TAGS = (
    "group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id", "label_asym_id",
    "label_entity_id", "label_seq_id", "pdbx_PDB_ins_code", "Cartn_x", "Cartn_y", "Cartn_z", "occupancy",
    "B_iso_or_equiv", "auth_seq_id", "auth_asym_id", "pdbx_PDB_model_num",
)  # fmt: skip


def atom(name, comp, seq, xyz=None, **more):
    """One atom; its place follows from its residue and name unless it is given."""
    if xyz is None:
        xyz = (3.8 * int(seq), float(len(name)), float(sum(map(ord, name)) % 7))
    usual = {"alt": ".", "asym": "A", "entity": "1", "occ": 1.0, "b": 20.0, "auth": seq, "ins": "?", "model": 1}
    values = usual | {"chain": more.get("asym", "A")} | more
    return SimpleNamespace(name=name, comp=comp, seq=seq, xyz=xyz, **values)


def backbone(comp, seq, **more):
    """N, CA, C, O, and CB unless it is glycine, in an extended chain along x."""
    x = 3.8 * int(seq)
    places = {"N": (x - 1.2, 0.5, 0), "CA": (x, 0, 0), "C": (x + 1.3, 0.6, 0), "O": (x + 1.4, 1.8, 0), "CB": (x, -1, 1)}
    return [atom(n, comp, seq, xyz, **more) for n, xyz in places.items() if not (n == "CB" and comp == "GLY")]


def chain(sequence, **more):
    """A whole chain of a one-letter sequence."""
    return [a for k, one in enumerate(sequence, start=1) for a in backbone(ONE_TO_THREE[one], k, **more)]


def write_mmcif(atoms, seqres=None, *, types=None, extra="", aligned=True, asyms=None):
    """An mmCIF file; `seqres` maps entities to three-letter names (or lists of alternatives)."""
    lines = ["data_TEST", "#"]
    if seqres:
        lines += ["loop_", "_entity_poly.entity_id", "_entity_poly.type"]
        lines += [f"{entity} '{(types or {}).get(entity, 'polypeptide(L)')}'" for entity in seqres]
        lines += ["#", "loop_", *(f"_entity_poly_seq.{tag}" for tag in ("entity_id", "num", "mon_id", "hetero"))]
        for entity, monomers in seqres.items():
            for number, monomer in enumerate(monomers, start=1):
                for one in [monomer] if isinstance(monomer, str) else monomer:
                    lines.append(f"{entity} {number} {one} {'n' if isinstance(monomer, str) else 'y'}")
        lines += ["#", "loop_", "_struct_asym.id", "_struct_asym.entity_id"]
        lines += [*(f"{k} {v}" for k, v in (asyms or {a.asym: a.entity for a in atoms}).items()), "#"]
    lines += [extra] if extra else []
    lines += ["loop_", *(f"_atom_site.{tag}" for tag in TAGS)]
    rows = [_row(number, a) for number, a in enumerate(atoms, start=1)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if aligned and rows else [0] * len(TAGS)
    lines += [" ".join(v.ljust(w) for v, w in zip(row, widths, strict=True)) + " " for row in rows]
    return ("\n".join(lines) + "\n#\n").encode()


def _row(number, a):
    name = f'"{a.name}"' if "'" in a.name else a.name
    xyz = [v if isinstance(v, str) else f"{v:.3f}" for v in a.xyz]
    row = ("ATOM", number, a.name[0], name, a.alt, a.comp, a.asym, a.entity, a.seq, a.ins, *xyz)
    return [str(value) for value in (*row, f"{a.occ:.2f}", f"{a.b:.2f}", a.auth, a.chain, a.model)]


def write_pdb(atoms, seqres=None, head="", ter=True):
    """A PDB file; `seqres` maps chains to three-letter names."""
    lines = head.splitlines()
    for name, monomers in (seqres or {}).items():
        for k in range(0, len(monomers), 13):
            part = " ".join(monomers[k : k + 13])
            lines.append(f"SEQRES {k // 13 + 1:>3} {name} {len(monomers):>4}  {part}")
    for number, a in enumerate(atoms, start=1):
        alt, ins = a.alt.replace(".", " "), a.ins.replace("?", " ")
        xyz = "".join(v.rjust(8) if isinstance(v, str) else f"{v:8.3f}" for v in a.xyz)
        name = f" {a.name:<3}" if len(a.name) < 4 else a.name
        place = f"{a.comp:>3} {a.chain}{a.auth:>4}{ins}   {xyz}{a.occ:6.2f}{a.b:6.2f}"
        lines.append(f"ATOM  {number:>5} {name}{alt}{place}          {a.name[0]:>2}")
    return ("\n".join([*lines, *(["TER"] if ter else []), "END"]) + "\n").encode()


@pytest.fixture
def make():
    """The builders above, by name."""
    return SimpleNamespace(atom=atom, backbone=backbone, chain=chain, mmcif=write_mmcif, pdb=write_pdb)


@pytest.fixture
def read():
    """Chains of a file's bytes, by their label."""

    def chains(content):
        found = protein_chains("test", read_entry(content, 10**8), "files")
        return {built.chain.label_asym_id: built.chain for built in found}

    return chains


@pytest.fixture
def curate_bytes(tmp_path):
    """What a file's bytes come to when nothing is filtered but by the settings given."""

    def curate(content, extra=Extra(), **settings):
        path = tmp_path / "file"
        path.write_bytes(content)
        row = {"id": "x", "source": "files", "sha256": hashlib.sha256(content).hexdigest()}
        open_to_all = {"min_length": 1, "max_length": 100_000, "min_resolved": 0}
        return curate_file(path, row, CurateSettings.model_validate(open_to_all | settings), extra)

    return curate
