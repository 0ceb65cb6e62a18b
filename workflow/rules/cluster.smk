"""
Cluster: sequences become groups, groups become folds, and a search checks the folds.

in   curate/index.parquet             the sequence of each chain (schema: foldgraft.records.index)
     fetch/labels/<shard>.parquet     labelled sequences (schema: foldgraft.records.labels)
out  cluster/clusters.parquet         the group of related sequences that each sequence belongs to
     cluster/split.parquet            train, valid or test, and the fold (schema: foldgraft.records.split.SPLIT)
     cluster/split.json               how each set was split and what that cost
     cluster/rejects.csv              proteins that serve for nothing, and why
     cluster/leakage.parquet          each test protein's nearest training protein, in every fold that is tested
                                      (schema: foldgraft.records.split.LEAKAGE)
     cluster/verdict.json             clean or leaking, per set
     cluster/external/<table>/<experiment>.parquet  of a table on which the head of another one's experiment is tried,
                                      each protein's nearest among those that it learnt from (the same schema)
     cluster/structural.json          test chains whose fold a training chain has, where foldseek is at hand
"""

# The sets of proteins in which each fold is once the test set.
CROSS_VALIDATED = sorted({CONFIG.source(name) for name in EXPERIMENTS if CONFIG.experiments[name].cross_validate})
# Tables on which heads of others are tried, and from which none learns.
TRIED = [table for table in CONFIG.evaluate.external if not CONFIG.of_task(table)]
GROUP_KEYS = {"min_identity", "coverage", "link", "sensitivity", "evalue"}
PARTIES = {"use_published_folds", "together"}
SPLIT_KEYS = {"split_by", "released", "related_groups", "folds", "seed", *PARTIES}
AUDIT_KEYS = {"sensitivity", "evalue", "leak_identity", "leak_coverage", "max_leak", "on_leak", *PARTIES}


rule cluster_group:
    input:
        index=["<results>/curate/index.parquet"] if STRUCTURE_SHARDS else [],
        labels=expand("<results>/fetch/labels/{shard}.parquet", shard=LABEL_SHARDS),
        code=code("cluster", "group"),
    output:
        clusters="<results>/cluster/clusters.parquet",
    log:
        "<logs>/cluster/group.log",
    benchmark:
        "<benchmarks>/cluster/group.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 8
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        settings=settings("cluster", include=GROUP_KEYS),
        index=lambda wildcards, input: flags("--index", input.index),
        labels=lambda wildcards, input: flags("--labels", input.labels),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} cluster group \
            {params.index:q} \
            {params.labels:q} \
            --clusters {output.clusters:q} \
            --threads {threads} \
            --settings {params.settings:q} \
            2>>{log:q}
        """


rule cluster_split:
    input:
        index=["<results>/curate/index.parquet"] if STRUCTURE_SHARDS else [],
        labels=expand("<results>/fetch/labels/{shard}.parquet", shard=LABEL_SHARDS),
        clusters="<results>/cluster/clusters.parquet",
        code=code("cluster", "split"),
    output:
        split="<results>/cluster/split.parquet",
        rejects="<results>/cluster/rejects.csv",
        summary="<results>/cluster/split.json",
    log:
        "<logs>/cluster/split.log",
    benchmark:
        "<benchmarks>/cluster/split.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=settings("cluster", include=SPLIT_KEYS),
        index=lambda wildcards, input: flags("--index", input.index),
        labels=lambda wildcards, input: flags("--labels", input.labels),
        tried=flags("--tried", TRIED),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} cluster split \
            {params.index:q} \
            {params.labels:q} \
            {params.tried:q} \
            --clusters {input.clusters:q} \
            --split {output.split:q} \
            --rejects {output.rejects:q} \
            --summary {output.summary:q} \
            --settings {params.settings:q} \
            2>>{log:q}
        """


rule cluster_audit:
    input:
        index=["<results>/curate/index.parquet"] if STRUCTURE_SHARDS else [],
        labels=expand("<results>/fetch/labels/{shard}.parquet", shard=LABEL_SHARDS),
        split="<results>/cluster/split.parquet",
        code=code("cluster", "audit"),
    output:
        leakage="<results>/cluster/leakage.parquet",
        verdict="<results>/cluster/verdict.json",
    log:
        "<logs>/cluster/audit.log",
    benchmark:
        "<benchmarks>/cluster/audit.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 8
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        settings=settings("cluster", include=AUDIT_KEYS),
        index=lambda wildcards, input: flags("--index", input.index),
        labels=lambda wildcards, input: flags("--labels", input.labels),
        crossed=flags("--cross-validated", CROSS_VALIDATED),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} cluster audit \
            {params.index:q} \
            {params.labels:q} \
            {params.crossed:q} \
            --split {input.split:q} \
            --leakage {output.leakage:q} \
            --verdict {output.verdict:q} \
            --threads {threads} \
            --settings {params.settings:q} \
            2>>{log:q}
        """


rule cluster_external_audit:
    input:
        index=["<results>/curate/index.parquet"] if STRUCTURE_SHARDS else [],
        labels=expand("<results>/fetch/labels/{shard}.parquet", shard=LABEL_SHARDS),
        split="<results>/cluster/split.parquet",
        code=code("cluster", "external-audit"),
    output:
        "<results>/cluster/external/{table}/{experiment}.parquet",
    log:
        "<logs>/cluster/external_audit/{table}/{experiment}.log",
    benchmark:
        "<benchmarks>/cluster/external_audit/{table}/{experiment}.tsv"
    wildcard_constraints:
        table="|".join(CONFIG.evaluate.external) or "(?!)",
        experiment="|".join(EXPERIMENTS) or "(?!)",
    conda:
        "../../envs/foldgraft.yaml"
    threads: 8
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        settings=settings("cluster", include={"sensitivity", "evalue", "leak_identity", "leak_coverage"}),
        index=lambda wildcards, input: flags("--index", input.index),
        labels=lambda wildcards, input: flags("--labels", input.labels),
        source=lambda wildcards: CONFIG.source(wildcards.experiment),
        crossed=lambda wildcards: ["--all-folds"] if CONFIG.experiments[wildcards.experiment].cross_validate else [],
    shell:
        """
        python -m foldgraft --made-from {params.made_from} cluster external-audit \
            --table {wildcards.table:q} \
            --source {params.source:q} \
            {params.index:q} \
            {params.labels:q} \
            {params.crossed:q} \
            --split {input.split:q} \
            --output {output:q} \
            --threads {threads} \
            --settings {params.settings:q} \
            2>>{log:q}
        """


rule cluster_structural_audit:
    input:
        split="<results>/cluster/split.parquet",
        chains=expand("<results>/curate/chains/{shard}.parquet", shard=STRUCTURE_SHARDS),
        code=code("cluster", "structural-audit"),
    output:
        "<results>/cluster/structural.json",
    log:
        "<logs>/cluster/structural_audit.log",
    benchmark:
        "<benchmarks>/cluster/structural_audit.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 8
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        chains=lambda wildcards, input: flags("--chains", input.chains),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} cluster structural-audit \
            --split {input.split:q} \
            {params.chains:q} \
            --output {output:q} \
            --threads {threads} \
            2>>{log:q}
        """
