"""
Evaluate: predictions become metrics with intervals, beside baselines.

in   train/<experiment>/predictions/           what the experiments say of test and validation proteins
     train/<experiment>/history.csv               loss curves
     fetch/labels, targets, msa/coevolution       truth, and what the baselines are made from
     cluster/split.parquet                        folds, and the clusters that are resampled
out  evaluate/baseline_<name>/predictions.parquet the baselines' predictions, as the experiments write theirs
     evaluate/metrics.csv                         task, experiment, split, metric, value, ci_low, ci_high, n
     evaluate/comparison.csv                      each experiment minus each baseline on the same proteins
     evaluate/contacts.csv                        contact precision of each protein
     evaluate/thresholds.csv, curves/*.csv        what validation chose; points of the curves
     evaluate/diagnosis.csv, notes.csv            what the loss curves say; why a number is missing
"""

SOLUBILITY_BASELINES = ["baseline_composition", "baseline_constant"] if SOLUBILITY_EXPERIMENTS else []
CONTACT_BASELINES = [
    name
    for name, wanted in {"baseline_separation": True, "baseline_coevolution": CONFIG.aligned}.items()
    if CONTACT_EXPERIMENTS and wanted
]


rule evaluate_baseline_solubility:
    input:
        labels=LABELS.get("solubility", []),
        split="<results>/cluster/split.parquet",
        code=code("evaluate"),
    output:
        composition="<results>/evaluate/baseline_composition/predictions.parquet",
        constant="<results>/evaluate/baseline_constant/predictions.parquet",
    log:
        "<logs>/evaluate/baseline_solubility.log",
    benchmark:
        "<benchmarks>/evaluate/baseline_solubility.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        settings=settings("evaluate"),
        labels=lambda wildcards, input: flags("--labels", input.labels),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} evaluate baseline-solubility \
            {params.labels:q} \
            --split {input.split:q} \
            --composition-out {output.composition:q} \
            --constant-out {output.constant:q} \
            --settings {params.settings:q} \
            2>{log:q}
        """


rule evaluate_baseline_coevolution:
    input:
        predictions=expand("<results>/train/{name}/predictions", name=CONTACT_EXPERIMENTS),
        coevolution=expand("<results>/msa/coevolution/{shard}.parquet", shard=STRUCTURE_SHARDS),
        code=code("evaluate"),
    output:
        "<results>/evaluate/baseline_coevolution/predictions.parquet",
    log:
        "<logs>/evaluate/baseline_coevolution.log",
    benchmark:
        "<benchmarks>/evaluate/baseline_coevolution.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        predictions=lambda wildcards, input: flags("--predictions", input.predictions),
        coevolution=lambda wildcards, input: flags("--coevolution", input.coevolution),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} evaluate baseline-coevolution \
            {params.predictions:q} \
            {params.coevolution:q} \
            --out {output:q} \
            2>{log:q}
        """


rule evaluate_baseline_separation:
    input:
        predictions=expand("<results>/train/{name}/predictions", name=CONTACT_EXPERIMENTS),
        targets=expand("<results>/targets/{shard}.parquet", shard=STRUCTURE_SHARDS),
        split="<results>/cluster/split.parquet",
        code=code("evaluate"),
    output:
        "<results>/evaluate/baseline_separation/predictions.parquet",
    log:
        "<logs>/evaluate/baseline_separation.log",
    benchmark:
        "<benchmarks>/evaluate/baseline_separation.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        predictions=lambda wildcards, input: flags("--predictions", input.predictions),
        targets=lambda wildcards, input: flags("--targets", input.targets),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} evaluate baseline-separation \
            {params.predictions:q} \
            {params.targets:q} \
            --split {input.split:q} \
            --out {output:q} \
            2>{log:q}
        """


rule evaluate_metrics:
    input:
        solubility=[
            *expand("<results>/train/{name}/predictions", name=SOLUBILITY_EXPERIMENTS),
            *expand("<results>/evaluate/{name}/predictions.parquet", name=SOLUBILITY_BASELINES),
        ],
        contact=[
            *expand("<results>/train/{name}/predictions", name=CONTACT_EXPERIMENTS),
            *expand("<results>/evaluate/{name}/predictions.parquet", name=CONTACT_BASELINES),
        ],
        targets=expand("<results>/targets/{shard}.parquet", shard=STRUCTURE_SHARDS if CONTACT_EXPERIMENTS else []),
        split="<results>/cluster/split.parquet",
        code=code("evaluate"),
    output:
        metrics=report("<results>/evaluate/metrics.csv", caption="../report/metrics.rst", category="Evaluation"),
        comparison=report(
            "<results>/evaluate/comparison.csv", caption="../report/comparison.rst", category="Evaluation"
        ),
        notes="<results>/evaluate/notes.csv",
        roc="<results>/evaluate/curves/roc.csv",
        pr="<results>/evaluate/curves/pr.csv",
        reliability="<results>/evaluate/curves/reliability.csv",
        thresholds="<results>/evaluate/thresholds.csv",
        contacts="<results>/evaluate/contacts.csv",
    log:
        "<logs>/evaluate/metrics.log",
    benchmark:
        "<benchmarks>/evaluate/metrics.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        settings=settings("evaluate"),
        solubility=lambda wildcards, input: flags("--solubility", input.solubility),
        contact=lambda wildcards, input: flags("--contact", input.contact),
        targets=lambda wildcards, input: flags("--targets", input.targets),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} evaluate metrics \
            {params.solubility:q} \
            {params.contact:q} \
            {params.targets:q} \
            --split {input.split:q} \
            --metrics {output.metrics:q} \
            --comparison {output.comparison:q} \
            --notes {output.notes:q} \
            --roc {output.roc:q} \
            --pr {output.pr:q} \
            --reliability {output.reliability:q} \
            --thresholds {output.thresholds:q} \
            --contacts {output.contacts:q} \
            --settings {params.settings:q} \
            2>{log:q}
        """


rule evaluate_diagnose:
    input:
        history=expand("<results>/train/{name}/history.csv", name=EXPERIMENTS),
        code=code("evaluate"),
    output:
        "<results>/evaluate/diagnosis.csv",
    log:
        "<logs>/evaluate/diagnose.log",
    benchmark:
        "<benchmarks>/evaluate/diagnose.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=10,
    params:
        history=lambda wildcards, input: flags("--history", input.history),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} evaluate diagnose \
            {params.history:q} \
            --diagnosis {output:q} \
            2>{log:q}
        """
