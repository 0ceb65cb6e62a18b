"""
Report: everything above becomes one HTML page that opens without a network.

in   the tables of every stage that ran; of the heavy shards (chains, targets, coevolution, predictions) only those
     that hold the few proteins on display are read
     resources/3Dmol-min.js                    the 3D view's script, if it is there; else a still picture
out  report/index.html
     report/figures/<chapter>/<heading>/       the page's figures, one file each, for `snakemake --report`
     report/<experiment>.md                    model cards of the heads that report.cards names
     provenance.json                           configuration, inputs, commit and versions that the numbers depend on
     ro-crate-metadata.json                    the run as an RO-Crate: files by hash, commands, time and memory of the jobs
"""

ALIGNED_SHARDS = STRUCTURE_SHARDS if CONFIG.aligned else []
REPORTS = ["<results>/report/index.html"] + [f"<results>/report/{name}.md" for name in CONFIG.report.cards]


rule report_provenance:
    input:
        lock="<results>/fetch/lock.parquet",
        code=code("report", "provenance"),
    output:
        "<results>/provenance.json",
    log:
        "<logs>/report/provenance.log",
    benchmark:
        "<benchmarks>/report/provenance.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        config=CONFIG.model_dump_json(exclude={"replay"}),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} report provenance \
            --lock {input.lock:q} \
            --config - \
            --out {output:q} \
            2>>{log:q} <<<{params.config:q}
        """


rule report_render:
    input:
        lock="<results>/fetch/lock.parquet",
        provenance="<results>/provenance.json",
        labels=[path for paths in LABELS.values() for path in paths],
        curate=expand("<results>/curate/{name}", name=["index.parquet", "rejects.csv"] if STRUCTURE_SHARDS else []),
        chains=expand("<results>/curate/chains/{shard}.parquet", shard=STRUCTURE_SHARDS),
        cluster=expand("<results>/cluster/{name}", name=["split.parquet", "leakage.parquet", "verdict.json"]),
        structural=["<results>/cluster/structural.json"] if STRUCTURE_SHARDS else [],
        alignments=expand("<results>/msa/alignments/{shard}.parquet", shard=ALIGNED_SHARDS),
        given=["<results>/msa/given.csv"] if CONFIG.msa.alignments.files and ALIGNED_SHARDS else [],
        coevolution=expand("<results>/msa/coevolution/{shard}.parquet", shard=ALIGNED_SHARDS),
        targets=expand("<results>/targets/{shard}.parquet", shard=STRUCTURE_SHARDS),
        trunk="<results>/trunk/trunk.json",
        pretraining="<results>/trunk/history.csv" if CONFIG.trunk.source == "pretrain" else [],
        train=expand(
            "<results>/train/{name}/{file}",
            name=EXPERIMENTS,
            file=["experiment.yaml", "history.csv", "checks.json", "predictions"],
        ),
        metrics="<results>/evaluate/metrics.csv",
        tables=expand("<results>/evaluate/tasks/{task}/{table}.csv", task=EVALUATED, table=TABLES),
        external=[
            f"<results>/evaluate/external/{table}/{name}.parquet"
            for table, names in CONFIG.evaluate.external.items()
            for name in names
        ],
        diagnosis=expand("<results>/evaluate/{name}.csv", name=["diagnosis"] if EXPERIMENTS else []),
        predictions=lambda wildcards: PREDICT_TARGETS,
        viewer=VIEWER,
        code=code("report", "render"),
    output:
        page=report(
            "<results>/report/index.html",
            caption="../report/report.rst",
            category="Report",
            labels={"page": "the whole report"},
        ),
        figures=report(
            directory("<results>/report/figures"),
            patterns=["{chapter}/{about}/{number}.{shows}.html"],
            caption="../report/figure.rst",
            category="Figures",
            subcategory=lambda wildcards: wildcards.chapter.replace("-", " "),
            labels=lambda wildcards: {
                name: wildcards[name].replace("-", " ") for name in ("about", "number", "shows")
            },
        ),
    log:
        "<logs>/report/render.log",
    benchmark:
        "<benchmarks>/report/render.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=settings("report", exclude={"cards"}),
        results=subpath(output[0], ancestor=2),
        viewer=lambda wildcards, input: flags("--viewer", input.viewer),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} report render \
            --results {params.results:q} \
            {params.viewer:q} \
            --out {output.page:q} \
            --out-figures {output.figures:q} \
            --settings {params.settings:q} \
            2>>{log:q}
        """


rule report_card:
    input:
        head="<results>/train/{experiment}/head.safetensors",
        lock="<results>/fetch/lock.parquet",
        provenance="<results>/provenance.json",
        labels=[path for paths in LABELS.values() for path in paths],
        index=["<results>/curate/index.parquet"] if STRUCTURE_SHARDS else [],
        cluster=expand("<results>/cluster/{name}", name=["split.parquet", "verdict.json"]),
        trunk="<results>/trunk/trunk.json",
        train=expand(
            "<results>/train/{name}/{file}",
            name=EXPERIMENTS,
            file=["experiment.yaml", "history.csv", "checks.json", "predictions"],
        ),
        tables=expand("<results>/evaluate/tasks/{task}/{table}.csv", task=EVALUATED, table=TABLES),
        external=[
            f"<results>/evaluate/external/{table}/{name}.parquet"
            for table, names in CONFIG.evaluate.external.items()
            for name in names
        ],
        code=code("report", "card"),
    output:
        "<results>/report/{experiment}.md",
    log:
        "<logs>/report/{experiment}.log",
    benchmark:
        "<benchmarks>/report/{experiment}.tsv"
    wildcard_constraints:
        experiment="|".join(CONFIG.report.cards) or "(?!)",
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        settings=lambda wildcards: CONFIG.report.cards[wildcards.experiment].model_dump_json(),
        results=subpath(output[0], ancestor=2),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} report card \
            --results {params.results:q} \
            --experiment {wildcards.experiment:q} \
            --out {output:q} \
            --settings {params.settings:q} \
            2>>{log:q}
        """


rule report_crate:
    input:
        reports=REPORTS,
        predictions=lambda wildcards: PREDICT_TARGETS,
        provenance="<results>/provenance.json",
        code=code("report", "crate"),
    output:
        "<results>/ro-crate-metadata.json",
    log:
        "<logs>/report/crate.log",
    benchmark:
        "<benchmarks>/report/crate.tsv"
    conda:
        "../../envs/foldgraft.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        results=subpath(output[0], parent=True),
        # it reads `input`, so that Snakemake forgets it: a command that changes makes the report anew
        commands=lambda wildcards, input: json.dumps(
            {name: one.rule.shellcmd for name, one in rules._rules.items() if one.rule.shellcmd}
        ),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} report crate \
            --results {params.results:q} \
            --provenance {input.provenance:q} \
            --commands - \
            --out {output:q} \
            2>>{log:q} <<<{params.commands:q}
        """
