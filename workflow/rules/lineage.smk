"""
Lineage: each job is told what it is made from, and each target names every file that it stands on. Included last.
"""

from foldgraft.lineage import Lineage

Lineage(workflow, ROOT / "workflow", LEDGER.file, checkpoints).attach()
