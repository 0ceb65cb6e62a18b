"""Amino acids, their heavy atoms and their torsions: the constants that every stage agrees on.

Atom names follow the wwPDB chemical component dictionary; the 37 atom types and their order are those of AlphaFold 2
(Jumper et al. 2021, supplementary table 2), so that arrays are interchangeable with other tools.
"""

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
BASES, CODES_OF_BASES = "ACGTU", set("ACGTURYSWKMBDHVN")
"""Letters of DNA and RNA, and those with the codes for a base that is not known (IUPAC-IUB 1984)."""
SHARE_OF_BASES = 0.9
"""Least share of bases among the letters of a nucleic acid, N left aside."""
TELLING = 30
"""Letters from which a sequence that looks like no protein is none; a shorter one may be a peptide."""
NUCLEIC = "letters of DNA or RNA alone; translate it first"
"""What is said of a sequence that `is_nucleic`."""

THREE_TO_ONE = {
    "ALA": "A", "CYS": "C", "ASP": "D", "GLU": "E", "PHE": "F", "GLY": "G", "HIS": "H", "ILE": "I", "LYS": "K",
    "LEU": "L", "MET": "M", "ASN": "N", "PRO": "P", "GLN": "Q", "ARG": "R", "SER": "S", "THR": "T", "VAL": "V",
    "TRP": "W", "TYR": "Y",
}  # fmt: skip
ONE_TO_THREE = {one: three for three, one in THREE_TO_ONE.items()}

ATOMS = (
    "N", "CA", "C", "CB", "O", "CG", "CG1", "CG2", "OG", "OG1", "SG", "CD", "CD1", "CD2", "ND1", "ND2", "OD1", "OD2",
    "SD", "CE", "CE1", "CE2", "CE3", "NE", "NE1", "NE2", "OE1", "OE2", "CH2", "NH1", "NH2", "OH", "CZ", "CZ2", "CZ3",
    "NZ", "OXT",
)  # fmt: skip
ATOM_INDEX = {name: index for index, name in enumerate(ATOMS)}

SIDE_CHAIN = {
    "A": "CB", "C": "CB SG", "D": "CB CG OD1 OD2", "E": "CB CG CD OE1 OE2", "F": "CB CG CD1 CD2 CE1 CE2 CZ", "G": "",
    "H": "CB CG ND1 CD2 CE1 NE2", "I": "CB CG1 CG2 CD1", "K": "CB CG CD CE NZ", "L": "CB CG CD1 CD2",
    "M": "CB CG SD CE", "N": "CB CG OD1 ND2", "P": "CB CG CD", "Q": "CB CG CD OE1 NE2", "R": "CB CG CD NE CZ NH1 NH2",
    "S": "CB OG", "T": "CB OG1 CG2", "V": "CB CG1 CG2", "W": "CB CG CD1 CD2 NE1 CE2 CE3 CZ2 CZ3 CH2",
    "Y": "CB CG CD1 CD2 CE1 CE2 CZ OH",
}  # fmt: skip
"""Side-chain heavy atoms of each residue, in the dictionary's order."""

CHI_ATOMS = {
    "R": ("N CA CB CG", "CA CB CG CD", "CB CG CD NE", "CG CD NE CZ"),
    "N": ("N CA CB CG", "CA CB CG OD1"),
    "D": ("N CA CB CG", "CA CB CG OD1"),
    "C": ("N CA CB SG",),
    "Q": ("N CA CB CG", "CA CB CG CD", "CB CG CD OE1"),
    "E": ("N CA CB CG", "CA CB CG CD", "CB CG CD OE1"),
    "H": ("N CA CB CG", "CA CB CG ND1"),
    "I": ("N CA CB CG1", "CA CB CG1 CD1"),
    "L": ("N CA CB CG", "CA CB CG CD1"),
    "K": ("N CA CB CG", "CA CB CG CD", "CB CG CD CE", "CG CD CE NZ"),
    "M": ("N CA CB CG", "CA CB CG SD", "CB CG SD CE"),
    "F": ("N CA CB CG", "CA CB CG CD1"),
    "P": ("N CA CB CG", "CA CB CG CD"),
    "S": ("N CA CB OG",),
    "T": ("N CA CB OG1",),
    "W": ("N CA CB CG", "CA CB CG CD1"),
    "Y": ("N CA CB CG", "CA CB CG CD1"),
    "V": ("N CA CB CG1",),
}
"""The four atoms of chi1 to chi4 (IUPAC-IUB 1970); residues without side-chain torsions are absent."""

PI_PERIODIC = {("D", 2), ("E", 3), ("F", 2), ("Y", 2)}
"""(residue, chi number) whose value means the same after half a turn, since the two end atoms are equivalent."""


def looks_nucleic(sequence: str) -> bool:
    """Whether all letters (upper case) are codes of DNA or RNA, nearly all of them bases, and all four bases occur.

    A short peptide may look so by chance; see `is_nucleic`.
    """
    a, c, g, t, u = map(sequence.count, BASES)
    known = len(sequence) - sequence.count("N")
    return min(a, c, g, t + u) > 0 and a + c + g + t + u >= SHARE_OF_BASES * known and set(sequence) <= CODES_OF_BASES


def is_nucleic(sequence: str) -> bool:
    """Whether a sequence looks like DNA or RNA, and is too long to be a peptide that does so by chance."""
    return len(sequence) >= TELLING and looks_nucleic(sequence)
