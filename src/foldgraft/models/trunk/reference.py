"""Fixed sequences on which trunks are compared, with one another and with independent implementations."""

from foldgraft.models.trunk.architecture import Architecture

REFERENCES = (
    "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG",  # ubiquitin
    "MTYKLILNGKTLKGETTTEAVDAATAEKVFKQYANDNGVDGEWTYDDATKTFTVTE",  # protein G, B1 domain
    "RPDFCLEPPYTGPCKARIIRYFYNAKAGLCQTFVYGGCRAKRNNFKSAEDCMRTCGGA",  # pancreatic trypsin inhibitor
    "TTCCPSIVARSNFNVCRLPGTPEALCATYTGCIIIPGATCPGDYAN",  # crambin
    "LSDEDFKAVFGMTRSAFANLPLWKQQNLKKEKGLF",  # villin headpiece
    "NLYIQWLKDGGPSSGRPPPS",  # Trp-cage
)
"""Small proteins of different folds; a change of one is a change of every fingerprint that was kept."""


def room(architecture: Architecture) -> int | None:
    """How many residues can be read at once beside <cls> and <eos>; None if there is no limit."""
    return architecture.max_tokens - 2 if architecture.max_tokens else None
