"""
Targets: what the heads learn from structures.

in   curate/chains/<shard>.parquet    one row per protein chain (schema: foldgraft.records.chains)
out  targets/<shard>.parquet          distogram, contacts, torsions and secondary structure of each chain, with masks
                                      (schema: foldgraft.records.targets)
     targets/audit/<shard>.csv        per chain and kind of target: how many there are, and how many are masked and why
"""


rule targets_shard:
    input:
        chains="<results>/curate/chains/{shard}.parquet",
        code=code("targets", "shard"),
    output:
        targets="<results>/targets/{shard}.parquet",
        audit="<results>/targets/audit/{shard}.csv",
    log:
        "<logs>/targets/shard/{shard}.log",
    benchmark:
        "<benchmarks>/targets/shard/{shard}.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=settings("targets"),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} targets shard \
            --chains {input.chains:q} \
            --targets {output.targets:q} \
            --audit {output.audit:q} \
            --settings {params.settings:q} \
            2>>{log:q}
        """
