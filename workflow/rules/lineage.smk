"""
Lineage: each job is told what it is made from, and each target names every file that it stands on. Included last.
"""

from foldgraft.lineage import Lineage

_source = workflow.current_basedir.get_path_or_uri(secret_free=True).rpartition("/")[0]


def own_rules():
    """The rules of this workflow, and no others of one that uses it as a module, perhaps twice."""
    return [proxy.rule for proxy in rules._rules.values() if str(proxy.rule.snakefile).startswith(f"{_source}/")]


Lineage(own_rules, LEDGER.file, checkpoints).attach()
