"""All targets of one chain, with the audit of what was masked."""

import numpy as np

from foldgraft.records.chains import Chain
from foldgraft.records.targets import TORSIONS, Targets
from foldgraft.residues import ATOM_INDEX
from foldgraft.targets.masks import Mask, count
from foldgraft.targets.orientations import orientations
from foldgraft.targets.pairs import contacts, distogram_bins, pair_counts, pair_distances, representatives
from foldgraft.targets.secondary import secondary_structure
from foldgraft.targets.settings import TargetsSettings
from foldgraft.targets.torsions import peptide_bonds, sine_cosine, torsions

BACKBONE = [ATOM_INDEX[name] for name in ("N", "CA", "C", "O")]


def chain_targets(chain: Chain, settings: TargetsSettings) -> tuple[Targets, list[list[str | int]]]:
    """Targets of a chain, and its rows of the audit table (`foldgraft.targets.masks.COLUMNS`)."""
    coordinates = chain.coordinates.astype(np.float64)
    coordinates[~np.isfinite(coordinates[..., 0] + coordinates[..., 1] + coordinates[..., 2])] = np.nan
    proline = np.frombuffer(chain.sequence.encode("ascii"), dtype=np.uint8) == ord("P")
    bonded = peptide_bonds(coordinates, settings.max_peptide_bond)

    points, point_states = representatives(coordinates, chain.sequence)
    pair_distance = pair_distances(points)
    angles, angle_states = torsions(coordinates, chain.sequence, bonded)
    ss3 = secondary_structure(coordinates[:, BACKBONE], proline, bonded)
    oriented, orientation_audit = orientations(coordinates, chain.sequence) if settings.orientations else (None, [])
    targets = Targets(
        id=chain.id,
        sequence=chain.sequence,
        sequence_sha256=chain.sequence_sha256,
        distogram=distogram_bins(pair_distance),
        contacts=contacts(pair_distance),
        pair_mask=~np.isnan(pair_distance),
        torsions=sine_cosine(angles),
        torsion_mask=angle_states == Mask.DEFINED,
        ss3=ss3,
        orientations=oriented,
    )
    incomplete = np.frombuffer(ss3.encode("ascii"), dtype=np.uint8) == ord("-")
    audit = [
        ["residues", *count(np.where(incomplete, Mask.UNRESOLVED, Mask.DEFINED))],
        ["pairs", *pair_counts(point_states)],
        *([name, *count(angle_states[:, index])] for index, name in enumerate(TORSIONS)),
        *orientation_audit,
    ]
    return targets, [[chain.id, *row] for row in audit]
