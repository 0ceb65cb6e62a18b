"""
Trunk: the language model that all heads stand on; one of three rules, as the configuration says. A pretraining that
goes on from another trunk has that downloaded or converted first, into trunk/start/.

in   nothing (download), the files of the checkpoint that trunk.checkpoint or trunk.pretrain.from names (convert), those
     of trunk.adapter with either, or, to pretrain, fetch/sequences.fasta.gz or the texts of trunk.pretrain.corpus,
     and cluster/split.parquet with curate/index.parquet and fetch/labels/<shard>.parquet: what is near a protein of
     the test split, or of any fold where an experiment is cross-validated, is not learnt from
out  trunk/model.safetensors     the tensors, by fair-esm's names
     trunk/trunk.json            name, architecture, source, heads, what was left out, the proof against fair-esm, the
                                 fingerprint, sha256 of the tensors; a pretraining's figures
     trunk/history.csv           (pretrain) step, seconds, tokens, learning_rate, train_loss, valid_perplexity
     trunk/checkpoint.safetensors  (pretrain, while unfinished) from which a pretraining that was interrupted goes on
"""

from foldgraft.records.files import matches
from foldgraft.trunk.locate import locate, locate_adapter
from foldgraft.trunk.settings import PUBLISHED

PRETRAIN = CONFIG.trunk.pretrain
GIVEN = "<results>/trunk/start" if PRETRAIN else "<results>/trunk"
LOCAL = Path(DATA) / CONFIG.trunk.local if CONFIG.trunk.local else None
ADAPTER = Path(DATA) / CONFIG.trunk.adapter if CONFIG.trunk.adapter else None
ADAPTER_FILES = list(locate_adapter(ADAPTER).files) if ADAPTER else []
TEXTS = matches(list(PRETRAIN.corpus), Path(DATA), "trunk.pretrain.corpus") if PRETRAIN else []

if CONFIG.trunk.published:

    rule trunk_download:
        input:
            adapter=ancient(list(map(outside, ADAPTER_FILES))),
            code=code("trunk", "download"),
        output:
            weights=f"{GIVEN}/model.safetensors",
            description=f"{GIVEN}/trunk.json",
        log:
            "<logs>/trunk/download.log",
        benchmark:
            "<benchmarks>/trunk/download.tsv"
        conda:
            "../../envs/foldgraft.yaml"
        threads: 1
        resources:
            # the file in float32, and once more as it is written
            mem_mb=lambda wildcards, attempt: max(8000, 2 * PUBLISHED[CONFIG.trunk.published] // 2**20) * attempt,
            runtime=lambda wildcards, attempt: 120 * attempt,
        params:
            settings=settings("trunk", include={"model": True, "url": True, "hub": True, "pretrain": {"start"}}),
            adapter=flags("--adapter", [ADAPTER] if ADAPTER else []),
            downloads=Path(STORE) / "trunks",
        shell:
            """
            python -m foldgraft --made-from {params.made_from} trunk download \
                --downloads {params.downloads:q} \
                --weights {output.weights:q} \
                --description {output.description:q} \
                {params.adapter:q} \
                --settings {params.settings:q} \
                2>>{log:q}
            """


if LOCAL:

    rule trunk_convert:
        input:
            checkpoint=ancient(list(map(outside, locate(LOCAL).files))),
            adapter=ancient(list(map(outside, ADAPTER_FILES))),
            code=code("trunk", "convert"),
        output:
            weights=f"{GIVEN}/model.safetensors",
            description=f"{GIVEN}/trunk.json",
        log:
            "<logs>/trunk/convert.log",
        benchmark:
            "<benchmarks>/trunk/convert.tsv"
        conda:
            "../../envs/foldgraft.yaml"
        threads: 1
        resources:
            # a file in half precision, and its tensors once more in float32
            mem_mb=lambda wildcards, input, attempt: max(8000, int(4 * input.size_mb)) * attempt,
            runtime=lambda wildcards, attempt: 30 * attempt,
        params:
            checkpoint=LOCAL,
            adapter=flags("--adapter", [ADAPTER] if ADAPTER else []),
        shell:
            """
            python -m foldgraft --made-from {params.made_from} trunk convert \
                --checkpoint {params.checkpoint:q} \
                --weights {output.weights:q} \
                --description {output.description:q} \
                {params.adapter:q} \
                2>>{log:q}
            """


if PRETRAIN:

    rule trunk_pretrain:
        input:
            sequences=[] if TEXTS else ["<results>/fetch/sequences.fasta.gz"],
            text=ancient([outside(Path(DATA) / path) for path in TEXTS]),
            valid=ancient([outside(Path(DATA) / PRETRAIN.valid)] if PRETRAIN.valid else []),
            start=[f"{GIVEN}/model.safetensors"] if PRETRAIN.start else [],
            about_start=[f"{GIVEN}/trunk.json"] if PRETRAIN.start else [],
            split="<results>/cluster/split.parquet",
            index=["<results>/curate/index.parquet"] if STRUCTURE_SHARDS else [],
            labels=expand("<results>/fetch/labels/{shard}.parquet", shard=LABEL_SHARDS),
            code=code("trunk", "pretrain"),
        output:
            weights="<results>/trunk/model.safetensors",
            description="<results>/trunk/trunk.json",
            history="<results>/trunk/history.csv",
        log:
            "<logs>/trunk/pretrain.log",
        benchmark:
            "<benchmarks>/trunk/pretrain.tsv"
        conda:
            "../../envs/foldgraft.yaml"
        threads: 2
        resources:
            mem_mb=lambda wildcards, attempt: 8000 * attempt,
            runtime=lambda wildcards, attempt: 480 * attempt,
            gpu=1,
        params:
            settings=settings("trunk"),
            text=lambda wildcards, input: flags("--sequences", input.sequences) + flags("--text", input.text),
            valid=lambda wildcards, input: flags("--valid", input.valid),
            start=lambda wildcards, input: flags("--start", input.start),
            crossed=flags("--cross-validated", CROSS_VALIDATED),
            index=lambda wildcards, input: flags("--index", input.index),
            labels=lambda wildcards, input: flags("--labels", input.labels),
        shell:
            """
            python -m foldgraft --made-from {params.made_from} trunk pretrain \
                {params.text:q} \
                {params.valid:q} \
                {params.start:q} \
                --split {input.split:q} \
                {params.crossed:q} \
                {params.index:q} \
                {params.labels:q} \
                --weights {output.weights:q} \
                --description {output.description:q} \
                --history {output.history:q} \
                --settings {params.settings:q} \
                2>>{log:q}
            """
