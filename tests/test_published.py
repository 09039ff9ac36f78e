"""What is published is what was declared and trained.

`replication.perform` makes every recorded number, and chapter 7 shows them. Here
`perform` works on a small matrix with a stand-in for `training.fit`, which notes what it is
called with and leaves networks with random weights: one as the best, another as the last. So
each recorded number can be compared with one that is computed here.
"""

import dataclasses
import inspect
import math
import re
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import PIL
import pytest
import torch
from PIL import Image
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn

import replication
from colorlib import cli, data, files, lab, metrics, networks, training
from colorlib.networks import priors
from colorlib.tool import weights
from colorlib.training import prepare
from replication import claims, records, runner
from replication.nearest import nearest_colour

BOOK = Path(__file__).parents[1] / "book"
SIZE, PRIOR_SIZE = 16, 32

LARGE_OUTPUT = {"output_gain": 3.0}  # random weights then predict colours that differ
DECLARED = {
    "scales": {
        "toy": {
            "size": SIZE, "width": 0.125, "data": ["flags", "quilts", "absent"],
            "ablations": ["flags"], "seeds": 2,
            "settings": {"epochs": 3, "batch_size": 2, "bf16": True, "compile": True},
        }
    },
    "repeats": {"flags": 5},
    "variants": {
        "baseline": {"preset": "baseline", "set": LARGE_OUTPUT},
        "fusion": {"preset": "fusion", "set": LARGE_OUTPUT, "prior": {"size": PRIOR_SIZE}},
        "attention": {
            "preset": "attention", "set": LARGE_OUTPUT | {"coordinates": True},
            "prior": {"size": PRIOR_SIZE},
        },
        "control": {
            "preset": "attention", "set": LARGE_OUTPUT | {"attention": "pointwise"},
            "prior": {"size": PRIOR_SIZE},
        },
    },
    "recipes": {},
    "steps": {},
    "ablations": {
        "few": {
            "preset": "fusion", "photos": 3, "set": LARGE_OUTPUT,
            "settings": {"epochs": 4, "optimizer": "sgd", "bf16": False},
            "prior": {"size": PRIOR_SIZE, "output": "pooled"},
        }
    },
}
HISTORY = [
    dict(zip(training.COLUMNS, row, strict=True))
    for row in ((1, 0.5, 0.4, 0.01), (2, 0.4, 0.2, 0.01), (3, 0.3, 0.3, 0.01))
]


class Quarters:
    """Stands in for `Prior`: the mean lightness of quarters of the photograph."""

    def __init__(self, spec=None, **fields):
        self.spec = spec or priors.Spec(**fields)
        self.features = 8 if self.spec.output == "pooled" else 4
        self.key = f"quarters {self.spec}"

    def to(self, device):
        return self

    def __call__(self, L):
        return F.adaptive_avg_pool2d(L, (2, self.features // 2)).flatten(1)

    def embeddings(self, rgb: np.ndarray) -> np.ndarray:
        """What `data.embed` should return for pixels (N, S, S, 3) of its size."""
        L, _ = lab.normalize(lab.rgb_to_lab(torch.from_numpy(rgb).movedim(-1, 1) / 255))
        return self(L).numpy()


class Fit:
    """Stands in for `training.fit`: notes the arguments, leaves random weights."""

    def __init__(self, diverges_after: int | None = None):
        self.calls: list[SimpleNamespace] = []
        self.signature = inspect.signature(training.fit)
        self.diverges_after = diverges_after

    def __call__(self, *args, **kwargs):
        call = SimpleNamespace(**self.signature.bind(*args, **kwargs).arguments)
        call.first = {name: t.clone() for name, t in call.model.state_dict().items()}
        call.threads = torch.get_num_threads()
        call.out = Path(call.out)
        self.calls.append(call)
        call.best, call.last = (random_network(call.model.config, seed) for seed in (100, 101))
        if self.diverges_after != 0:
            call.out.mkdir(parents=True)
            best = {"size": call.val.size, "epoch": 2, "val_loss": 0.2, "baselines": {}}
            weights.save_weights(call.best, call.out / "best.safetensors", **best)
            weights.save_weights(call.last, call.out / "last.safetensors")
        call.model.load_state_dict(call.last.state_dict())
        if self.diverges_after is not None:
            raise training.Diverged(HISTORY[: self.diverges_after])
        return HISTORY


def random_network(config: networks.Config, seed: int) -> networks.Colorizer:
    torch.manual_seed(seed)
    return networks.Colorizer(config).eval()


def write_photographs(root: Path) -> None:
    """Two data sets of 4 x 4 patches in random colours, more red than blue."""
    random = np.random.default_rng(0)
    for name in ("flags", "quilts"):
        for split, count in (("train", 7), ("val", 2), ("test", 4)):
            folder = root / name / split
            folder.mkdir(parents=True)
            for i in range(count):
                patches = random.integers(0, (256, 200, 100), (4, 4, 3), np.uint8)
                pixels = patches.repeat(PRIOR_SIZE // 4, 0).repeat(PRIOR_SIZE // 4, 1)
                Image.fromarray(pixels).save(folder / f"{name}-{split}-{i}.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("published")


@pytest.fixture
def toy(folder, monkeypatch):
    """The small matrix, its photographs and its prior."""
    if not (folder / "data").is_dir():
        write_photographs(folder / "data")
    monkeypatch.setenv("COLORLIB_DATA", str(folder / "data"))
    monkeypatch.setenv("COLORLIB_CACHE", str(folder / "cache"))
    monkeypatch.setattr(sys.modules[replication.Run.__module__], "declared", lambda: DECLARED)
    monkeypatch.setattr(runner, "Prior", Quarters)


def perform(name: str, folder: Path, fit: Fit) -> SimpleNamespace:
    """One run of the small matrix on flags: its record, and how `fit` was called."""
    variant, seed = name.split("/")
    run = replication.Run("toy", "flags", variant, None if seed == "any" else int(seed))
    results, work = folder / "results", folder / "work"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "fit", fit)
        replication.perform(run, results, work, "cpu", "abc1234")
    found = replication.recorded(results, "toy")["flags"][variant]
    (record,) = (one for one in found if one["run"] == str(run))
    return SimpleNamespace(
        run=run, results=results, work=work, record=record,
        call=fit.calls[-1] if fit.calls else None,
    )


@pytest.fixture(scope="module")
def performed():
    """The runs that were performed already, once for the module."""
    return {}


@pytest.fixture
def once(toy, folder, performed):
    """Performs a run of the small matrix unless that has been done."""

    def get(name: str) -> SimpleNamespace:
        if name not in performed:
            performed[name] = perform(name, folder, Fit())
        return performed[name]

    return get


def photographs(name: str, split: str, prior: Quarters | None, upside_down=False) -> data.Packed:
    """A split, with embeddings that are computed here."""
    found = data.photos(name, split)
    pack = data.pack(found, SIZE)
    if prior:
        pixels, _ = files.squares(PRIOR_SIZE, [photo.path for photo in found])
        embeddings = prior.embeddings(pixels[:, ::-1].copy() if upside_down else pixels)
        mirrored = prior.embeddings(pixels[:, :, ::-1].copy())
    if upside_down:
        return pack.upside_down(embeddings if prior else None)
    return pack.with_embeddings(embeddings, mirrored) if prior else pack


def rounded(scores: dict) -> dict:
    return {name: pytest.approx(values, rel=1e-3) for name, values in scores.items()}


NETWORKS = ("baseline/0", "fusion/0", "attention/0", "few/1")


@pytest.mark.parametrize("name", NETWORKS)
def test_scores_are_those_of_the_best_weights_on_the_test_photographs(once, name):
    done = once(name)
    prior = Quarters(done.run.plan.prior) if done.run.plan.prior else None
    test = photographs("flags", "test", prior)
    assert done.record["names"] == list(test.names)
    assert [Path(photo).name for photo in test.names] == [f"flags-test-{i}.png" for i in range(4)]
    best, last = (metrics.scores(metrics.network(net), test)
                  for net in (done.call.best, done.call.last))
    assert done.record["scores"] == rounded(best)
    assert not any(done.record["scores"][metric] == rounded(last)[metric] for metric in best)


@pytest.mark.parametrize("name", ["baseline/0", "fusion/0", "fusion/1", "mean-colour/any"])
def test_scores_elsewhere_are_those_of_what_they_are_named_after(once, name):
    done = once(name)
    prior = Quarters(done.run.plan.prior) if done.run.plan.prior else None
    test = photographs("flags", "test", prior)
    wanted = {
        "mirrored": dataclasses.replace(
            test,
            pixels=test.pixels.flip(2),
            embeddings=test.mirrored_embeddings if prior else None,
        ),
        "upside-down": photographs("flags", "test", prior, upside_down=True),
        "quilts": photographs("quilts", "test", prior),
    }
    if done.call is None:
        predict = metrics.constant(metrics.mean_colour(photographs("flags", "train", None)))
    else:
        predict = metrics.network(done.call.best)
    found = done.record["elsewhere"]
    assert list(found) == list(wanted)  # the absent data set is left out
    for where, pack in wanted.items():
        some = ["ab_mse", "chroma_ratio"] + ["classifier_agreement"] * (where == "quilts")
        assert {name: found[where].pop(name) for name in some} == rounded(
            metrics.scores(predict, pack, some)
        )
        assert np.isnan(list(found[where].values())).all()
    if prior:  # Or else the above would not notice other embeddings.
        upright = dataclasses.replace(wanted["upside-down"], embeddings=test.embeddings)
        turned = metrics.scores(predict, wanted["upside-down"])["ab_mse"]
        assert metrics.scores(predict, upright)["ab_mse"] != turned


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("baseline/0", {"epochs": 3, "seed": 0, "bf16": True}),
        ("fusion/0", {"epochs": 3, "seed": 0, "bf16": True}),
        ("fusion/1", {"epochs": 3, "seed": 1, "bf16": True}),
        ("few/1", {"epochs": 4, "seed": 1, "bf16": False, "optimizer": "sgd"}),
    ],
)
def test_training_is_given_what_the_matrix_declares(once, name, settings):
    done = once(name)
    call, row = done.call, (DECLARED["variants"] | DECLARED["ablations"])[name.split("/")[0]]
    common = {"batch_size": 2, "compile": True, "repeats": 5}
    assert call.settings == training.Settings(**common, **settings)

    prior = Quarters(priors.Spec(**row["prior"])) if "prior" in row else None
    for split, pack in (("train", call.train), ("val", call.val)):
        wanted = photographs("flags", split, prior)
        if split == "train" and "photos" in row:
            wanted = wanted.select(range(row["photos"]))
        assert pack.names == wanted.names
        assert torch.equal(pack.rgb(), wanted.rgb())
        if prior:
            assert torch.allclose(pack.embedding(), wanted.embedding(), atol=1e-5)
        else:
            assert pack.embeddings is None
    if "photos" in row:
        assert len(call.train) == 3

    torch.manual_seed(settings["seed"])
    more = {"embedding": prior.features} if prior else {}
    first = networks.build(row["preset"], width=0.125, **row["set"], **more)
    assert call.model.config == first.config
    assert all(torch.equal(t, call.first[key]) for key, t in first.state_dict().items())
    assert call.device == "cpu"
    assert call.out == done.run.folder(done.work) and not call.out.exists()


def test_a_repeated_data_set_is_named_by_the_matrix(toy):
    assert replication.Run("toy", "flags", "fusion", 0).plan.settings.repeats == 5
    assert replication.Run("toy", "quilts", "fusion", 0).plan.settings.repeats == 1


def test_the_trivial_baselines_are_gray_and_the_training_photographs_mean(once):
    train, test = (data.pack(data.photos("flags", split), SIZE) for split in ("train", "test"))
    mean = lab.normalize(train.lab())[1].mean(dim=(0, 2, 3))
    assert mean.abs().max() > 0.1  # it is not gray
    for name, ab in (("gray", torch.zeros(2)), ("mean-colour", mean)):
        done = once(f"{name}/any")
        assert done.record["scores"] == rounded(metrics.scores(metrics.constant(ab), test))
        assert done.record["history"] is None and done.call is None


def test_the_nearest_colour_is_by_the_priors_embeddings_and_chosen_on_validation(once):
    done = once("nearest-colour/any")
    packs = runner._photographs(done.run, runner.Shared("cpu"))
    predict, count = nearest_colour(packs["train"], packs["val"])
    assert done.record["scores"] == rounded(metrics.scores(predict, packs["test"]))
    assert done.record["neighbours"] == count and done.call is None
    assert done.record["prior"]["name"] == priors.Spec().name


@pytest.mark.parametrize("name", ["gray/any", *NETWORKS])
def test_the_record_says_what_was_done(once, name):
    done = once(name)
    facts, plan = done.record, done.run.plan
    assert facts["run"] == f"toy/flags/{name}" and facts["size"] == SIZE
    prior = Quarters(plan.prior) if plan.prior else None
    packs = {split: photographs("flags", split, prior) for split in data.SPLITS}
    if plan.photos:
        packs["train"] = packs["train"].select(range(plan.photos))
    assert facts["photos"] == {"train": plan.photos or 7, "val": 2, "test": 4}
    assert facts["data_sha256"].keys() == packs.keys()
    if not prior:
        assert facts["data_sha256"] == {split: pack.key for split, pack in packs.items()}
    ab = {split: lab.normalize(pack.lab())[1] for split, pack in packs.items()}
    mean = ab["train"].mean(dim=(0, 2, 3), keepdim=True)
    losses = {split: (ab[split] - mean).pow(2).mean().item() for split in ("train", "val")}
    assert facts["mean_colour"] == rounded(losses)
    assert facts["commit"] == "abc1234" and facts["seconds"] >= 0
    assert facts.get("not here") == (["absent"] if plan.compared else None)
    assert facts["device"].endswith(", 1 thread")
    assert (facts["torch"], facts["pillow"]) == (torch.__version__, PIL.__version__)
    if done.call is None:
        assert "settings" not in facts and "epoch" not in facts
        return
    assert (facts["epoch"], facts["val_loss"]) == (2, 0.2)  # the lowest, not the last
    assert done.record["history"] == HISTORY
    assert facts["weights"] == sum(p.numel() for p in done.call.best.parameters())
    assert facts["config"] == done.call.best.config.flat()
    assert facts["settings"] == dataclasses.asdict(done.call.settings)
    assert facts["precision"] == ("bfloat16" if plan.settings.bf16 else "float32")
    wanted = dataclasses.asdict(plan.prior) | {"sha256": prior.key} if prior else None
    if wanted:
        wanted["embedded_on"] = facts["device"]
    assert facts["prior"] == wanted


def test_only_the_comparison_is_judged_elsewhere_and_its_first_seed_has_pictures(once):
    def files(name: str) -> tuple[bool, bool]:
        done = once(name)
        with zipfile.ZipFile(done.results / "toy" / "pictures.zip") as pack:
            drawn = f"flags/{name}.jpg" in pack.namelist()
        assert drawn == ("predicted" in done.record)
        return bool(done.record["elsewhere"]), drawn

    once("fusion/0")
    assert [files(name) for name in ("few/1", "fusion/1", "fusion/0", "gray/any")] == [
        (False, False), (True, False), (True, True), (True, False)
    ]


def test_attention_is_measured_where_positions_attend_to_others(once):
    done = once("attention/0")
    test = photographs("flags", "test", Quarters(done.run.plan.prior))
    wanted = metrics.attention_distance(done.call.best, test)
    assert done.record["attention_distance"] == rounded(wanted)
    plan, prior = done.run.plan, Quarters(done.run.plan.prior)
    untrained = training.network(plan.preset, prior, 0, **plan.changes)
    update_bn([photographs("flags", "train", prior).inputs()], untrained)
    untrained.eval()
    wanted = metrics.attention_distance(untrained, test)
    assert done.record["attention_distance_untrained"] == rounded(wanted)
    for name in ("control/0", "fusion/0", "gray/any"):
        assert "attention_distance" not in once(name).record


def test_pictures_are_the_best_weights_predictions(once):
    done = once("fusion/0")
    test = photographs("flags", "test", Quarters(done.run.plan.prior))
    order = sorted(range(4), key=lambda i: done.record["scores"]["ab_mse"][i])
    which = [0, 2, 3, order[0], order[2], order[3]]
    assert done.record["predicted"] == [test.names[i] for i in which]
    shown = replication.pictures(done.run, done.results)
    L, ab = lab.normalize(test.lab(which))
    with torch.no_grad():
        predicted = done.call.best(test.inputs(which))
    wanted = {
        "gray": lab.denormalize(L, 0 * ab),
        "predicted": lab.denormalize(L, predicted),
        "photograph": test.lab(which),
    }
    for row, photos in wanted.items():
        photos = lab.rgb_to_lab(lab.lab_to_rgb(photos))  # what a picture can hold
        assert (shown[row] - photos).abs().mean() < 4, row
    assert (shown["predicted"] - wanted["photograph"]).abs().mean() > 8


def test_a_run_that_diverges_is_scored_by_its_best_epoch(toy, tmp_path):
    done = perform("few/0", tmp_path, Fit(diverges_after=2))
    history = done.record["history"]
    assert history[:2] == HISTORY[:2] and len(history) == done.run.plan.settings.epochs
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert all(math.isnan(row["val_loss"]) and math.isnan(row["train_loss"]) for row in history[2:])
    assert (done.record["epoch"], done.record["val_loss"]) == (2, 0.2)
    test = photographs("flags", "test", Quarters(done.run.plan.prior))
    best = metrics.scores(metrics.network(done.call.best), test)
    assert done.record["scores"] == rounded(best)


def test_a_run_that_diverges_at_once_leaves_no_record(toy, tmp_path):
    with pytest.raises(training.Diverged):
        perform("few/0", tmp_path, Fit(diverges_after=0))
    assert not (tmp_path / "results").exists()


def test_a_run_takes_one_thread_of_a_cpu_and_gives_the_others_back(toy, tmp_path):
    torch.set_num_threads(2)
    try:
        done = perform("baseline/1", tmp_path, Fit())
        assert done.call.threads == 1 and torch.get_num_threads() == 2
        with pytest.raises(training.Diverged):
            perform("few/0", tmp_path, Fit(diverges_after=0))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_a_finished_run_removes_its_own_checkpoints_only(toy, tmp_path):
    other = tmp_path / "work" / "toy" / "flags" / "few" / "1" / "last.safetensors"
    other.parent.mkdir(parents=True)
    other.touch()
    done = perform("few/0", tmp_path, Fit())
    assert other.exists() and not done.run.folder(done.work).exists()


# The loop and the command line ------------------------------------------------


def test_bf16_and_compile_reach_the_network(toy_photographs, monkeypatch):
    compiled, losses = [], {}
    monkeypatch.setattr(networks.Colorizer, "compile", lambda model: compiled.append(model))
    for bf16 in (False, True):
        torch.manual_seed(0)
        model = networks.build("baseline", width=0.125)
        settings = training.Settings(epochs=1, batch_size=4, bf16=bf16, compile=bf16)
        (row,) = training.fit(model, toy_photographs, toy_photographs, settings)
        losses[bf16] = row["train_loss"]
        assert compiled == [model] * bf16
    assert losses[True] != losses[False]
    assert losses[True] == pytest.approx(losses[False], rel=0.05)


@pytest.fixture
def train(toy, tmp_path, monkeypatch):
    """`colorlib train` with the stand-in: how it calls `fit`."""
    fit = Fit()
    monkeypatch.setattr(training, "fit", fit)
    monkeypatch.setattr(prepare, "Prior", Quarters)

    def call(*options) -> SimpleNamespace:
        out = tmp_path / str(len(fit.calls))
        line = ["colorlib", "train", "--out", out, "--device", "cpu", *options]
        monkeypatch.setattr(sys, "argv", [str(word) for word in line])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert not stop.value.code
        return fit.calls[-1]

    return call


def test_colorlib_train_leaves_out_photographs_below_min_chroma(train, tmp_path):
    folder = tmp_path / "mixed"
    for split, colours in {
        "train": [(90, 90, 90), (200, 40, 40), (120, 119, 118), (40, 40, 200)],
        "val": [(80, 80, 80), (40, 200, 40)],
        "test": [(70, 70, 70)],
    }.items():
        (folder / split).mkdir(parents=True)
        for i, colour in enumerate(colours):
            Image.new("RGB", (16, 16), colour).save(folder / split / f"{i}.png")

    def names(pack) -> list[str]:
        return [Path(name).stem for name in pack.names]

    call = train("--data", folder, "--size", 16)
    assert names(call.train) == ["0", "1", "2", "3"] and names(call.val) == ["0", "1"]
    call = train("--data", folder, "--size", 16, "--min-chroma", 10)
    assert names(call.train) == ["1", "3"] and names(call.val) == ["0", "1"]


def test_colorlib_train_passes_on_every_setting(train):
    settings = training.Settings(
        epochs=7, batch_size=3, learning_rate=0.01, encoder_rate=0.3, optimizer="sgd",
        cosine=True, average=0.9, crop=8, scale=0.5, flip=True, exposure=0.2, repeats=2,
        bf16=True, compile=True, seed=3, preview=2,
    )
    options = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        assert value != field.default, f"{field.name} has no other value here"
        options += [f"--{field.name.replace('_', '-')}"] + [value] * (value is not True)
    call = train("--data", "flags", "--size", SIZE, "--set", "width=0.125", *options)
    assert call.settings == settings
    assert (call.train.size, call.val.size) == (SIZE, 8)  # what the network is given
    torch.manual_seed(3)
    first = networks.build("baseline", width=0.125)
    assert all(torch.equal(t, call.first[key]) for key, t in first.state_dict().items())


@pytest.mark.parametrize("flip", [True, False])
def test_mirror_images_are_embedded_where_photographs_are_mirrored(toy, train, flip):
    prior = Quarters(size=PRIOR_SIZE)
    expected = photographs("flags", "train", prior).mirrored_embeddings
    plan = SimpleNamespace(
        size=SIZE, first=None, trained_on=lambda there: there, compared=False, prior=prior.spec,
        settings=training.Settings(flip=flip),
    )
    packs = runner._photographs(SimpleNamespace(data="flags", plan=plan), runner.Shared("cpu"))
    call = train("--data", "flags", "--size", SIZE, "--preset", "fusion", "--set", "width=0.125",
                 "--prior", f"size={PRIOR_SIZE}", *["--flip"] * flip)
    for pack in (packs["train"], call.train):
        if flip:
            assert np.allclose(pack.mirrored_embeddings, expected, atol=1e-5)
        else:
            assert pack.mirrored_embeddings is None
    assert packs["val"].mirrored_embeddings is packs["test"].mirrored_embeddings is None
    assert call.val.mirrored_embeddings is None


def test_colorlib_train_builds_what_it_is_asked_for(train):
    call = train(
        "--data", "quilts", "--size", SIZE, "--preset", "attention", "--set", "width=0.125",
        "--set", "attention=dot", "--prior", "output=pooled", "--prior", f"size={PRIOR_SIZE}",
    )
    wanted = networks.configure("attention", attention="dot", width=0.125, embedding=8)
    assert call.model.config == wanted
    prior = Quarters(size=PRIOR_SIZE, output="pooled")
    for split, pack in (("train", call.train), ("val", call.val)):
        expected = photographs("quilts", split, prior)
        assert pack.names == expected.names
        assert torch.allclose(pack.embedding(), expected.embedding(), atol=1e-5)


# The chapters -----------------------------------------------------------------


def test_the_steps_of_chapter_8_are_rows_of_both_scales_and_recorded():
    text = (BOOK / "08-better-colours.py").read_text()
    (shown,) = re.findall(r'^SCALE = "(.*)"$', text, re.M)
    compared = re.findall(r'^gain\("(.*)", "(.*)"\)$', text, re.M)
    named = {name for pair in compared for name in pair}
    learning_curve = set(replication.declared()["scales"]["learning-curve"]["variants"])
    assert named == {"fusion"} | (replication.declared()["steps"].keys() - learning_curve)
    for scale in (shown, "better"):
        assert named == {run.variant for run in replication.matrix(scale) if run.seed == 0}
    first = [run for run in replication.matrix(shown) if not run.seed]
    assert all(run.done(records.RESULTS) for run in first)


def test_every_scale_that_judges_could_give_every_claim_a_verdict():
    for scale in claims.SCALES:
        recorded = {scale: replication.recorded(records.RESULTS, scale)}
        verdicts = {c.id: claims.judge(c.test, recorded).verdict for c in claims.LEDGER}
        missing = {name for name, verdict in verdicts.items() if verdict == "not run yet"}
        lacking = {"overfits-a-tiny-set", "adam-best", "batch-norm-speeds"}
        assert missing == (lacking if scale == "gpu" else set())
