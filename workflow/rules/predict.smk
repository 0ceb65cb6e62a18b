"""
Predict: trained heads on new sequences.

in   FASTA files of the section predict.sequences; train/<experiment>/head.safetensors of its experiments;
     trunk/model.safetensors, trunk/trunk.json
out  predict/<name>.csv                     id, length, <task>, <task>_low, <task>_high, reason; one row per sequence
     predict/<name>.contacts.parquet        contact maps, where a contact experiment is among those named
     predict/<name>.contacts.rejects.csv    id, rule, value, reason
"""

_predict_heads = {
    task: [
        f"<results>/train/{name}/head.safetensors"
        for name in CONFIG.predicting
        if CONFIG.experiments[name].task == task
    ]
    for task in ("solubility", "contact")
}
PREDICT_TARGETS = [
    path
    for name in CONFIG.predict.sequences
    for task, path in (
        ("solubility", f"<results>/predict/{name}.csv"),
        ("contact", f"<results>/predict/{name}.contacts.parquet"),
    )
    if _predict_heads[task]
]


def new_sequences(wildcards):
    """The FASTA file of this name."""
    return str(Path(DATA) / CONFIG.predict.sequences[wildcards.name])


def predict_limits():
    """Of the section, what decides about a sequence; other files and experiments of it are no reason to rerun."""
    return CONFIG.predict.model_dump_json(include={"min_length", "max_length"})


rule predict_sequences:
    input:
        fasta=new_sequences,
        heads=_predict_heads["solubility"],
        trunk="<results>/trunk/model.safetensors",
        description="<results>/trunk/trunk.json",
        code=code("predict"),
    output:
        predictions="<results>/predict/{name}.csv",
    log:
        "<logs>/predict/sequences/{name}.log",
    benchmark:
        "<benchmarks>/predict/sequences/{name}.tsv"
    wildcard_constraints:
        name="|".join(CONFIG.predict.sequences) or "(?!)",
    conda:
        "../../envs/foldgraft.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=240,
        gpu=1,
    params:
        settings=predict_limits(),
        precision=CONFIG.embed.precision,
        heads=lambda wildcards, input: flags("--head", input.heads),
        digest=lambda wildcards: PREDICT_DIGEST[wildcards.name],
    shell:
        """
        python -m foldgraft predict sequences \
            --fasta {input.fasta:q} \
            --trunk {input.trunk:q} \
            --description {input.description:q} \
            {params.heads:q} \
            --predictions {output.predictions:q} \
            --precision {params.precision:q} \
            --settings {params.settings:q} \
            2>{log:q}
        """


rule predict_contacts:
    input:
        fasta=new_sequences,
        heads=_predict_heads["contact"],
        trunk="<results>/trunk/model.safetensors",
        description="<results>/trunk/trunk.json",
        code=code("predict"),
    output:
        predictions="<results>/predict/{name}.contacts.parquet",
        rejects="<results>/predict/{name}.contacts.rejects.csv",
    log:
        "<logs>/predict/contacts/{name}.log",
    benchmark:
        "<benchmarks>/predict/contacts/{name}.tsv"
    wildcard_constraints:
        name="|".join(CONFIG.predict.sequences) or "(?!)",
    conda:
        "../../envs/foldgraft.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=480,
        gpu=1,
    params:
        settings=predict_limits(),
        precision=CONFIG.embed.precision,
        heads=lambda wildcards, input: flags("--head", input.heads),
        digest=lambda wildcards: PREDICT_DIGEST[wildcards.name],
    shell:
        """
        python -m foldgraft predict contacts \
            --fasta {input.fasta:q} \
            --trunk {input.trunk:q} \
            --description {input.description:q} \
            {params.heads:q} \
            --predictions {output.predictions:q} \
            --rejects {output.rejects:q} \
            --precision {params.precision:q} \
            --settings {params.settings:q} \
            2>{log:q}
        """
