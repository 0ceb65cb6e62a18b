"""
Predict: trained heads on new sequences.

in   FASTA files of the section predict.sequences; train/<experiment>/head.safetensors of its experiments;
     trunk/model.safetensors, trunk/trunk.json; fetch/labels, cluster/split.parquet for the nearest training protein
out  predict/<name>.csv                 a row per sequence: id, length, <task>, its bounds, rank, the nearest training
                                       protein and the identity to it, warning, reason of a rejection, description (the
                                       words behind the id)
     predict/<name>.residues.csv        a row per residue: id, position, residue, <task>, warning; and a row per record
                                       that cannot be predicted, with the reason
     predict/<name>.pairs.parquet       a row per map of residue pairs: contacts, and distances of distograms
     predict/<name>.<table>.rejects.csv id, rule, value, reason
     predict/<name>.contacts.csv        ranked residue pairs of an alignment of predict.alignments, and .png, their maps
Which of the tables there are follows from the levels of the experiments named.
"""

_predicted_tables = {"csv": "protein", "residues.csv": "residue", "pairs.parquet": "pair"}


def new_sequences(wildcards):
    """The FASTA file of this name."""
    path = Path(DATA) / CONFIG.predict.sequences[wildcards.name]
    made = path.is_relative_to(CONFIG.results)
    return f"<results>/{path.relative_to(CONFIG.results)}" if made else outside(path)


def predicting_heads(wildcards):
    """Heads of the experiments whose level the table is of."""
    level = _predicted_tables[wildcards.table]
    names = [name for name in CONFIG.predicting if name in CONFIG.of_level(level)]
    return expand("<results>/train/{name}/head.safetensors", name=names)


def learnt_tables(wildcards):
    """Labelled tables whose proteins the heads of a table of proteins learnt from."""
    if _predicted_tables[wildcards.table] != "protein":
        return []
    tables = {task.name for name in CONFIG.predicting for task in CONFIG.tasks(name) if task.level == "protein"}
    return [shard for table in sorted(tables) for shard in LABELS.get(table, [])]


PREDICT_TARGETS = [
    f"<results>/predict/{name}.{table}"
    for name in CONFIG.predict.sequences
    for table, level in _predicted_tables.items()
    if set(CONFIG.predicting) & set(CONFIG.of_level(level))
] + [f"<results>/predict/{name}.contacts.csv" for name in CONFIG.predict.alignments]


rule predict_sequences:
    input:
        fasta=new_sequences,
        heads=predicting_heads,
        trunk="<results>/trunk/model.safetensors",
        description="<results>/trunk/trunk.json",
        labels=learnt_tables,
        split=lambda wildcards: "<results>/cluster/split.parquet" if learnt_tables(wildcards) else [],
        code=code("predict", "sequences"),
    output:
        predictions="<results>/predict/{name}.{table}",
        rejects="<results>/predict/{name}.{table}.rejects.csv",
    log:
        "<logs>/predict/{name}.{table}.log",
    benchmark:
        "<benchmarks>/predict/{name}.{table}.tsv"
    wildcard_constraints:
        name="|".join(CONFIG.predict.sequences) or "(?!)",
        table="|".join(_predicted_tables),
    conda:
        "../../envs/foldgraft.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 480 * attempt,
        gpu=1,
    params:
        # what decides about a sequence; other files and experiments of the section are no reason to rerun
        settings=settings("predict", include={"min_length", "max_length"}),
        precision=CONFIG.embed.precision,
        heads=lambda wildcards, input: flags("--head", input.heads),
        labels=lambda wildcards, input: flags("--labels", input.labels),
        split=lambda wildcards, input: flags("--split", [input.split] if input.split else []),
        digest=lambda wildcards: PREDICT_DIGEST[wildcards.name],
    shell:
        """
        python -m foldgraft --made-from {params.made_from} predict sequences \
            --fasta {input.fasta:q} \
            --trunk {input.trunk:q} \
            --description {input.description:q} \
            {params.heads:q} \
            {params.labels:q} \
            {params.split:q} \
            --threads {threads} \
            --output-predictions {output.predictions:q} \
            --output-rejects {output.rejects:q} \
            --precision {params.precision:q} \
            --settings {params.settings:q} \
            2>>{log:q}
        """


rule predict_contacts:
    input:
        alignment=lambda wildcards: outside(Path(DATA) / CONFIG.predict.alignments[wildcards.name]),
        heads=expand("<results>/train/{name}/head.safetensors", name=CONFIG.predicting_pairs),
        trunk="<results>/trunk/model.safetensors",
        description="<results>/trunk/trunk.json",
        code=code("predict", "contacts"),
    output:
        pairs="<results>/predict/{name}.contacts.csv",
        map="<results>/predict/{name}.contacts.png",
    log:
        "<logs>/predict/{name}.contacts.log",
    benchmark:
        "<benchmarks>/predict/{name}.contacts.tsv"
    wildcard_constraints:
        name="|".join(CONFIG.predict.alignments) or "(?!)",
    conda:
        "../../envs/foldgraft.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        settings=settings("msa", exclude={"alignments", "database", "iterations", "sensitivity", "evalue"}),
        heads=lambda wildcards, input: flags("--head", input.heads),
    shell:
        """
        python -m foldgraft --made-from {params.made_from} predict contacts \
            --alignment {input.alignment:q} \
            --trunk {input.trunk:q} \
            --description {input.description:q} \
            {params.heads:q} \
            --output-pairs {output.pairs:q} \
            --output-map {output.map:q} \
            --threads {threads} \
            --settings {params.settings:q} \
            2>>{log:q}
        """
