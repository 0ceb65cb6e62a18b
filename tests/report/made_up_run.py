"""A small run folder, made up but true to every schema, for the report to be made from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from foldgraft.evaluate import command as evaluate
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.geometry import CONTACT_CUTOFF, DISTOGRAM_EDGES, dihedral, distances, place_atom
from foldgraft.records import alignments, index, lock
from foldgraft.records import chains as chain_records
from foldgraft.records import split as split_records
from foldgraft.records import targets as target_records
from foldgraft.records.chains import Chain
from foldgraft.records.files import sequence_sha256, write_json
from foldgraft.records.pairs import pack, triangle
from foldgraft.records.predictions import About, schema_of
from foldgraft.records.rejects import write_rejects
from foldgraft.records.tables import row_writer, write_frame
from foldgraft.records.targets import Targets
from foldgraft.residues import AMINO_ACIDS, ATOM_INDEX
from foldgraft.tasks.task import BUILT_IN, SOLUBILITY, Task
from foldgraft.tasks.truth import TRUTH
from label_tables import write_labels as write_labels_table

HOSTILE = "<script>alert(1)</script>"
FOLDS, LABELLED = 5, 400
SHAPES = ("HHHHHHHHHHHHHHHHCCCCHHHHHHHHHHHHHHHHCCCHHHHHHHHHHHHHHHHHCCCHHHHHHHHHHHHHH",
          "CEEEEEEECCCEEEEEEECCCHHHHHHHHHHHHHHCCCEEEEEEECCHHHHHHHHHHHHCCEEEEEEC",
          "HHHHHHHHHHHHCCCEEEEEECCCHHHHHHHHHHHHHHCCCEEEEEECCCHHHHHHHHHHHHHHHCCCEEEEEEECCCHHHHHHHHHHHH")  # fmt: skip
ANGLES = {"H": (-62.0, -42.0), "E": (-120.0, 132.0)}


@dataclass(frozen=True)
class Fold:
    """Backbone of a made-up fold; atoms N, CA, C, O, CB of shape (L, 5, 3)."""

    ss3: str
    atoms: np.ndarray


def fold(ss3: str, seed: int, tries: int = 300) -> Fold:
    """The most compact of some backbones with random loops, grown atom by atom, among those with fewest clashes."""
    rng = np.random.default_rng(seed)
    length = len(ss3)
    torsions = np.empty((tries, length, 2))
    for at, state in enumerate(ss3):
        loop = np.stack([rng.choice([-65.0, -90.0, 60.0], tries), rng.uniform(-180, 180, tries)], axis=1)
        torsions[:, at] = ANGLES.get(state, loop)
    torsions = np.radians(torsions + rng.normal(0, 4, torsions.shape))
    points = [np.tile(np.array(p), (tries, 1)) for p in ([0.0, 0, 0], [1.458, 0, 0], [2.009, 1.42, 0])]
    for at in range(1, length):
        n, ca, c = points[-3:]
        points.append(place_atom(n, ca, c, 1.329, np.radians(116.6), torsions[:, at - 1, 1]))
        points.append(place_atom(ca, c, points[-1], 1.458, np.radians(121.7), np.full(tries, np.pi)))
        points.append(place_atom(c, points[-2], points[-1], 1.525, np.radians(111.0), torsions[:, at, 0]))
    backbone = np.stack(points, axis=1).reshape(tries, length, 3, 3)
    ca = backbone[:, :, 1]
    far = np.abs(np.subtract.outer(np.arange(length), np.arange(length))) > 2
    clashes = [int((distances(one)[far] < 4.0).sum()) for one in ca]
    size = np.linalg.norm(ca - ca.mean(axis=1, keepdims=True), axis=2).mean(axis=1)
    best = backbone[np.argmin(size + 0.4 * np.array(clashes))]
    n, ca, c = best[:, 0], best[:, 1], best[:, 2]
    cb = place_atom(c, n, ca, 1.53, np.radians(110.4), np.radians(-122.5))
    following = np.concatenate([n[1:], n[-1:] + 1.0])
    o = place_atom(following, ca, c, 1.231, np.radians(120.4), np.pi)
    return Fold(ss3, np.stack([n, ca, c, o, cb], axis=1))


def letters(rng: np.random.Generator, length: int) -> str:
    return "".join(rng.choice(list(AMINO_ACIDS), length))


def make_chain(name: str, shape: Fold, rng: np.random.Generator) -> Chain:
    length = len(shape.ss3)
    sequence = letters(rng, length)
    coordinates = np.full((length, len(ATOM_INDEX), 3), np.nan, np.float32)
    for number, atom in enumerate(("N", "CA", "C", "O", "CB")):
        coordinates[:, ATOM_INDEX[atom]] = shape.atoms[:, number] + rng.normal(0, 0.08, (length, 3))
    coordinates[[letter == "G" for letter in sequence], ATOM_INDEX["CB"]] = np.nan
    if rng.random() < 0.5:
        coordinates[30:35] = np.nan
    resolved = np.isfinite(coordinates[:, ATOM_INDEX["CA"], 0])
    numbers = [str(at + 1) if seen else "" for at, seen in enumerate(resolved)]
    about = {"method": "X-RAY DIFFRACTION", "resolution": 2.0, "released": "2019-01-01", "source": "synth"}
    return Chain(
        id=name, entry=name[:4], label_asym_id="A", auth_asym_id="A", entity="1", sequence=sequence,
        sequence_sha256=sequence_sha256(sequence), resolved=resolved, auth_seq_id=numbers, coordinates=coordinates,
        label_seq_id=np.arange(1, length + 1), b_factor=np.full(length, 20, np.float32),
        uniprot=None, organism=None, **about,
    )  # fmt: skip


def make_targets(chain: Chain, ss3: str) -> Targets:
    xyz = chain.coordinates.astype(np.float64)
    n, ca, c = (xyz[:, ATOM_INDEX[atom]] for atom in ("N", "CA", "C"))
    glycine = np.array([letter == "G" for letter in chain.sequence])[:, None]
    apart = pack(distances(np.where(glycine, ca, xyz[:, ATOM_INDEX["CB"]])))
    mask = np.isfinite(apart)
    bins = np.where(mask, np.searchsorted(DISTOGRAM_EDGES, np.nan_to_num(apart)), target_records.MASKED)
    length = len(chain)
    angles = np.full((length, 7), np.nan)
    angles[1:, 0] = dihedral(c[:-1], n[1:], ca[1:], c[1:])
    angles[:-1, 1] = dihedral(n[:-1], ca[:-1], c[:-1], n[1:])
    known = np.isfinite(angles)
    pairs = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    return Targets(
        id=chain.id, sequence=chain.sequence, sequence_sha256=chain.sequence_sha256, distogram=bins.astype(np.uint8),
        contacts=mask & (np.nan_to_num(apart, nan=99) < CONTACT_CUTOFF), pair_mask=mask,
        torsions=np.where(known[..., None], pairs, 0).astype(np.float32), torsion_mask=known,
        ss3="".join(s if seen else "-" for s, seen in zip(ss3, chain.resolved, strict=True)),
    )  # fmt: skip


def write_structures(run: Path, rng: np.random.Generator) -> pd.DataFrame:
    """Chains, targets, coevolution and alignments in two shards; returns the index."""
    folds = [fold(shape, seed) for seed, shape in enumerate(SHAPES)]
    rows = []
    for number, shard in enumerate(("files-00000", "files-00001")):
        chains = [make_chain(f"{number + 1}ab{chr(97 + n)}_A", folds[n % len(folds)], rng) for n in range(20)]
        found = [make_targets(chain, folds[n % len(folds)].ss3) for n, chain in enumerate(chains)]
        with row_writer(run / "curate/chains" / f"{shard}.parquet", chain_records.SCHEMA) as writer:
            for chain in chains:
                writer.write(chain.row())
        with row_writer(run / "targets" / f"{shard}.parquet", target_records.SCHEMA) as writer:
            for one in found:
                writer.write(one.row())
        neff = rng.gamma(2, 25, len(chains)) + 1
        coupling = [
            (one.contacts * np.log(depth) / 4 + rng.normal(0, 0.4, len(one.contacts))).astype(np.float32)
            for one, depth in zip(found, neff, strict=True)
        ]
        frame = pd.DataFrame({"id": [c.id for c in chains], "length": [len(c) for c in chains], "neff": neff})
        frame["sequence_sha256"] = [c.sequence_sha256 for c in chains]
        write_frame(run / f"msa/coevolution/{shard}.parquet", frame.assign(scores=coupling), alignments.COEVOLUTION)
        frame = frame.assign(
            a3m=[f">q\n{c.sequence}\n" for c in chains],
            depth=(neff * 3).astype(int) + 1, source="search", found=(neff * 4).astype(int) + 1, unusable=0, repeated=1,
            short=(neff * 4).astype(int) - (neff * 3).astype(int), distant=0, alike=0, surplus=0,
            gaps=[np.full(len(c), 0.2, np.float32) for c in chains],
        )  # fmt: skip
        write_frame(run / f"msa/alignments/{shard}.parquet", frame, alignments.ALIGNMENTS)
        rows += [
            (
                c.id,
                c.entry,
                c.sequence,
                c.sequence_sha256,
                len(c),
                float(c.resolved.mean()),
                c.released,
                c.organism,
                shard,
                (number * 20 + n) // 2,
            )
            for n, c in enumerate(chains)
        ]
    table = pd.DataFrame(rows, columns=[*index.SCHEMA.names, "cluster"])
    write_frame(run / "curate/index.parquet", table, index.SCHEMA)
    return table


def write_labels(run: Path, rng: np.random.Generator) -> pd.DataFrame:
    sequences = [letters(rng, int(rng.integers(60, 300))) for _ in range(LABELLED)]
    charge = np.array([sum(map(s.count, "KR")) - sum(map(s.count, "DE")) for s in sequences]) / np.sqrt(
        [len(s) for s in sequences]
    )
    label = (rng.random(LABELLED) < 1 / (1 + np.exp(-2 * charge))).astype(float)
    table = pd.DataFrame({"id": [f"lab{n:04d}" for n in range(LABELLED)], "sequence": sequences, "label": label})
    table = table.assign(sequence_sha256=table["sequence"].map(sequence_sha256), fold=np.arange(LABELLED) % FOLDS)
    write_labels_table(run / "fetch/labels/solubility-00000.parquet", table)
    return table.assign(hidden=charge)


def write_split(run: Path, structures: pd.DataFrame, labelled: pd.DataFrame, leaks: bool) -> pd.DataFrame:
    parts = [
        frame[["id", "sequence_sha256"]].assign(set=name, fold=np.arange(len(frame)) % FOLDS, cluster=start + clusters)
        for name, frame, start, clusters in (
            ("structures", structures, 0, structures.get("cluster", 0)),
            ("solubility", labelled, 1000, np.arange(len(labelled)) // 2),
        )
        if len(frame)
    ]
    table = pd.concat(parts, ignore_index=True)
    table["split"] = table["fold"].map({0: "test", 1: "valid"}).fillna("train")
    write_frame(run / "cluster/split.parquet", table, split_records.SPLIT)
    tested = table[table["split"] == "test"]
    rng = np.random.default_rng(4)
    near = tested[["id", "set", "fold"]].assign(nearest="lab0002", nearest_set=tested["set"], method="search")
    hit = rng.random(len(near)) < 0.7
    near["identity"] = np.where(hit, rng.uniform(0.2, 0.34, len(near)), np.nan)
    for column in ("coverage_query", "coverage_target"):
        near[column] = np.where(hit, rng.uniform(0.2, 0.9, len(near)), np.nan)
    near["evalue"] = np.where(hit, 1e-3, np.nan)
    near["leak"] = False
    if leaks:
        near.loc[near.index[:5], ["identity", "coverage_query", "coverage_target", "leak"]] = [0.92, 0.95, 0.97, True]
    write_frame(run / "cluster/leakage.parquet", near, split_records.LEAKAGE)
    verdict = {}
    for name, rows in near.groupby("set"):
        count = int(rows["leak"].sum())
        text = f"{count} of {len(rows)} test proteins have a training protein at 30% identity or more."
        verdict[name] = {"test": len(rows), "leaking": count, "verdict": "leaks" if count else "clean", "text": text}
        verdict[name] |= {"threshold": 0.005, "split": "ours"}
    write_json(run / "cluster/verdict.json", verdict)
    return table


def write_training(run: Path, name: str, settings: dict, members: int, floor: float) -> None:
    folder = run / "train" / name
    folder.mkdir(parents=True)
    rng, rows = np.random.default_rng(len(name)), []
    for member in range(members):
        for epoch in range(1, 31):
            train = floor + 0.3 * np.exp(-epoch / 7) - 0.004 * epoch + rng.normal(0, 0.004)
            valid = floor + 0.04 + 0.26 * np.exp(-epoch / 6) + 0.0012 * max(0, epoch - 12) + rng.normal(0, 0.006)
            rows.append((member, epoch, train, valid, 0.9 - valid / 3, 1e-3, 0.1))
    columns = ["member", "epoch", "train_loss", "valid_loss", "valid_metric", "lr", "seconds"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "history.csv", index=False)
    (folder / "experiment.yaml").write_text(yaml.safe_dump({name: settings}))
    checks = [{"name": "finite gradients", "passed": True, "value": "all", "expected": "finite"}]
    trunk = {"name": "small", "file": "0" * 64, "before": "a", "after": "a", "frozen": True}
    write_json(folder / "checks.json", {"checks": checks, "trunk": trunk, "trainable": 12345, "frozen": 1272353})


def about(name: str, task: Task) -> About:
    return About(task=task.name, experiment=name, level=task.level, target=task.about_target)


def write_solubility(run: Path, name: str, table: pd.DataFrame, skill: float) -> None:
    rng = np.random.default_rng(9)
    raw = skill * table["hidden"].to_numpy() + rng.normal(0, 0.7, len(table))
    score = 1 / (1 + np.exp(-raw))
    frame = table.rename(columns={"label": "truth"}).assign(score=list(score[:, None].astype(np.float32)))
    frame = frame.assign(low=frame["score"], high=frame["score"])
    both = pd.concat([frame.assign(split="test"), frame.assign(split="valid")])
    write_frame(run / f"train/{name}/predictions/solubility.parquet", both, schema_of(about(name, SOLUBILITY)))


def write_residues(run: Path, name: str, task: Task, split: pd.DataFrame) -> None:
    """Predictions of residues that are right more often than not."""
    rng, one = np.random.default_rng(5), about(name, task)
    with row_writer(run / f"train/{name}/predictions/{task.name}.parquet", schema_of(one)) as writer:
        for row, chain in served(run, split):
            truth = TRUTH[task.name](chain)
            if task.kind == "classes":
                known = np.nan_to_num(truth[:, 0]).astype(int)
                score = rng.dirichlet(np.ones(3), len(truth)) + 0.7 * np.eye(3)[known]
                score /= score.sum(axis=1, keepdims=True)
            else:
                score = np.nan_to_num(truth) + rng.normal(0, 0.5, truth.shape)
            writer.write(row | {"truth": truth.ravel(), "score": score.ravel().astype(np.float32)})


def write_contacts(run: Path, name: str, split: pd.DataFrame) -> None:
    rng, task = np.random.default_rng(3), BUILT_IN["contact"]
    path = run / f"train/{name}/predictions/contact.parquet"
    with row_writer(path, schema_of(about(name, task))) as writer:
        for row, chain in served(run, split):
            i, j = triangle(len(chain.sequence))
            raw = 5.0 * chain.contacts + rng.normal(0, 1.3, len(i)) - 4 - 0.01 * (j - i)
            writer.write(row | {"score": (1 / (1 + np.exp(-raw))).astype(np.float32)})


def served(run: Path, split: pd.DataFrame):
    """Validation and test chains, each with the first columns of its row."""
    rows = split[(split["set"] == "structures") & (split["split"] != "train")].set_index("id")
    for shard in ("files-00000", "files-00001"):
        for one in target_records.read_targets(run / "targets" / f"{shard}.parquet"):
            if one.id in rows.index:
                row = {"id": one.id, "sequence_sha256": one.sequence_sha256, "split": rows.loc[one.id, "split"]}
                yield row | {"fold": int(rows.loc[one.id, "fold"]), "length": len(one.sequence)}, one


def write_trunk(run: Path) -> None:
    steps = np.arange(0, 2001, 100)
    perplexity = 16.9 + 3 * np.exp(-steps / 300)
    (run / "trunk").mkdir(parents=True)
    pd.DataFrame({"step": steps, "train_loss": np.log(perplexity), "valid_perplexity": perplexity}).to_csv(
        run / "trunk/history.csv", index=False
    )
    learnt = {"train_sequences": 5000, "seconds": 120.0, "valid_perplexity": 16.9, "unigram_perplexity": 17.8}
    write_json(
        run / "trunk/trunk.json",
        {"name": "pretrained-4x128", "parameters": 1272353, "sha256": "ab" * 32, "source": {"kind": "pretrain"},
         "architecture": {"layers": 4, "width": 128, "heads": 4}, "pretraining": learnt},
    )  # fmt: skip


def write_evaluation(run: Path, learnt: dict[str, list[str]]) -> None:
    """The evaluate stage itself, on what was made up; `learnt` are the experiments of each task."""
    out, split, leakage = run / "evaluate", run / "cluster/split.parquet", run / "cluster/leakage.parquet"
    settings = EvaluateSettings(resamples=100)
    labels = sorted((run / "fetch/labels").glob("*"))
    targets = sorted((run / "targets").glob("*.parquet"))
    coevolution = sorted((run / "msa/coevolution").glob("*"))
    for task, names in learnt.items():
        one = {**BUILT_IN, "solubility": SOLUBILITY}[task]
        of_set = "structures" if one.truth == "targets" else "solubility"
        sources = {"targets": targets} if one.truth == "targets" else {"labels": labels}
        files = [run / f"train/{name}/predictions/{task}.parquet" for name in names]
        made = []
        for name in one.baselines:
            if name not in ("neighbour", "boosting"):  # which take their time
                more = {"coevolution": coevolution} if name == "coevolution" else {}
                made.append(out / f"baselines/{task}/{name}.parquet")
                evaluate.baseline(name, files, split, of_set, made[-1], **sources, **more, settings=settings)
        folder = out / "tasks" / task
        evaluate.metrics([*files, *made], split, of_set, leakage, folder, **sources, settings=settings)
    joined = [out / f"{name}.csv" for name in ("metrics", "comparison", "breakdown", "notes")]
    evaluate.collect(*joined, [out / "tasks" / task for task in learnt])
    histories = [run / f"train/{name}/history.csv" for names in learnt.values() for name in names]
    evaluate.diagnose(histories, out / "diagnosis.csv")


def make_run(folder: Path, structures: bool = True, solubility: bool = True, leaks: bool = False) -> Path:
    """Write a run folder with either task, or both."""
    run, rng = folder / "made_up", np.random.default_rng(0)
    learnt: dict[str, list[str]] = {}
    chains = write_structures(run, rng) if structures else pd.DataFrame({"id": [], "sequence_sha256": []})
    labelled = write_labels(run, rng) if solubility else pd.DataFrame({"id": [], "sequence_sha256": []})
    split = write_split(run, chains, labelled, leaks)
    fetched = pd.DataFrame(
        {
            "source": "files",
            "id": [f"{n}.cif" for n in range(20)],
            "shard": "files-00000",
            "url": "x.cif",
            "status": "stored",
        }
    )
    fetched.loc[19, ["status", "reason"]] = ["rejected", "HTTP 404"]
    write_frame(run / "fetch/lock.parquet", fetched.reindex(columns=lock.SCHEMA.names), lock.SCHEMA)
    if structures:
        write_rejects(
            run / "curate/rejects.csv",
            [
                (HOSTILE, "readable", HOSTILE, f"not a structure: {HOSTILE}"),
                ("9xyz_A", "length", "12", "shorter than 20"),
                ("9xyz_B", "length", "9", "shorter than 20"),
            ],
        )
    write_trunk(run)
    if solubility:
        for name, head, skill in (("attention", "light_attention", 3.0), ("linear", "linear", 0.6)):
            settings = {"task": ["solubility"], "head": {"name": head}, "seed": 0, "cross_validate": True}
            write_training(run, name, settings, FOLDS, 0.45)
            write_solubility(run, name, labelled.assign(fold=np.arange(LABELLED) % FOLDS), skill)
        learnt["solubility"] = ["attention", "linear"]
    if structures:
        for name in ("ss3", "torsions"):
            write_training(run, f"own_{name}", {"task": [name], "head": {"name": "linear"}}, 1, 0.5)
            write_residues(run, f"own_{name}", BUILT_IN[name], split)
            learnt[name] = [f"own_{name}"]
        settings = {"task": ["contact"], "head": {"name": "logistic"}, "features": ["attention", "coevolution"]}
        write_training(run, "contacts", settings, 1, 0.12)
        write_contacts(run, "contacts", split)
        learnt["contact"] = ["contacts"]
    write_evaluation(run, learnt)
    return run
