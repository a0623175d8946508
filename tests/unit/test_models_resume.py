"""A training that was interrupted goes on from its last epoch, with the same result; a seed more trains only itself."""

import hashlib
import time

import numpy as np
import pytest
from test_models_data import change, make_dataset
from test_models_training import arrays, same_weights, small

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.models.network import fit as module_of_fit
from xanesflow.models.network.checkpoint import load_checkpoint
from xanesflow.models.network.fit import train_model
from xanesflow.models.network.resume import SavedTraining
from xanesflow.models.network.train import train_networks
from xanesflow.models.network.training_state import TrainingRun

TRAIN, VAL = arrays(50), arrays(9, seed=1)
SETTINGS = TrainingSettings(widths=(8,), batch_size=8, max_epochs=4, learning_rate=1e-3)


class Killed(BaseException):
    """What no handler of ours catches, as a signal that ends the process."""


def train(settings, seeds, report=None, *, saved=None, depends_on=(), every=0):
    """Train networks, whose state is saved in a folder."""
    saved = saved and SavedTraining(saved, dict(depends_on), every=every)
    trained = train_networks(TRAIN, VAL, settings, seeds, report, saved=saved)
    if saved:
        saved.remove()
    return trained


def kill_at(number):
    def report(epoch, rate):
        if epoch.number == number:
            raise Killed

    return report


@pytest.mark.parametrize(
    "choice",
    [
        {"patience": 8, "max_epochs": 14, "learning_rate": None},  # the rate by a range test
        {"schedule": "one_cycle", "average": 0.9, "weight_decay": 0.1, "output": "difference"},
    ],
)
@pytest.mark.parametrize("at", [2, 9])
def test_after_an_interruption_the_result_is_the_same_bit_by_bit(tmp_path, choice, at):
    settings, seeds = small(**{"dropout": 0.3, "max_epochs": 12, **choice}), [0, 3]
    path = tmp_path / "training_seed0.safetensors"
    expected = train(settings, seeds)
    with pytest.raises(Killed):
        train(settings, seeds, kill_at(at), saved=tmp_path)
    assert path.exists()
    seen = []
    found = train(settings, seeds, lambda epoch, rate: seen.append(epoch), saved=tmp_path)
    assert seen[0].number == at, "the epochs before are not trained again"
    assert not path.exists()
    for one, other in zip(expected, found, strict=True):
        without_time = [[(e.number, e.train_loss, e.val_loss, e.best) for e in t.epochs] for t in (one, other)]
        assert without_time[0] == without_time[1]
        assert one.range_test == other.range_test and one.learning_rate == other.learning_rate
        assert same_weights(one, other)


def test_of_seeds_in_several_threads_those_that_were_done_are_not_trained_again(tmp_path):
    settings = small(dropout=0.3, widths=(12, 8), patience=2, max_epochs=60, learning_rate=3e-2, threads=3)
    seeds = [0, 5, 7]
    expected = train(settings, seeds)
    last = {training.settings.seed: len(training.epochs) for training in expected}
    longest = max(last, key=last.get)
    assert min(last.values()) < last[longest], "nothing is tested if all stop at once"
    done = []

    def kill_when_others_are_done(epoch, rate):
        if epoch.number == last[epoch.seed]:
            done.append(epoch.seed)
        if epoch.seed == longest and epoch.number == last[longest]:
            while len(done) < len(seeds):
                time.sleep(0.01)
            raise Killed

    with pytest.raises(Killed):
        train(settings, seeds, kill_when_others_are_done, saved=tmp_path)
    seen = []
    found = train(settings, seeds, lambda epoch, rate: seen.append(epoch.seed), saved=tmp_path)
    assert seen == [longest], "only its last epoch was lost"
    assert not list(tmp_path.iterdir())
    assert all(map(same_weights, expected, found))


@pytest.mark.parametrize("what", ["another training", "damaged", "cut short"])
def test_a_state_that_does_not_fit_is_passed_over(tmp_path, what, caplog):
    path, settings = tmp_path / "training_seed0.safetensors", small(max_epochs=4)
    with pytest.raises(Killed):
        train(settings, [0], kill_at(3), saved=tmp_path)
    if what != "another training":
        path.write_bytes(b"no state" if what == "damaged" else path.read_bytes()[:-9])
    with caplog.at_level("INFO"):
        found = train(settings, [0], saved=tmp_path, depends_on={"a": 2} if what == "another training" else {})
    assert len(found[0].epochs) == 4
    assert ("another training" if what == "another training" else "begins anew") in caplog.text


def test_a_state_is_written_at_most_every_so_often(tmp_path):
    with pytest.raises(Killed):
        train(small(), [0], kill_at(3), saved=tmp_path, every=3600)
    assert not list(tmp_path.iterdir())


def test_a_finished_training_whose_checkpoint_found_no_room_is_not_lost(tmp_path, monkeypatch):
    dataset, outputs = (
        make_dataset(tmp_path / "d.h5"),
        {seed: tmp_path / f"m/seed{seed}.safetensors" for seed in (0, 1)},
    )

    def again():
        train_model("expert", dataset, outputs, subsets=["Cu_FEFF"], features="m3gnet", settings=SETTINGS)

    with monkeypatch.context() as full, pytest.raises(OSError, match="No space left"):
        full.setattr(module_of_fit, "save_checkpoint", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
        again()
    with monkeypatch.context() as idle:
        idle.setattr(TrainingRun, "one_epoch", lambda self: pytest.fail("an epoch was trained again"))
        again()
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["seed0.safetensors", "seed1.safetensors"]


def digests(outputs):
    return {seed: hashlib.sha256(path.read_bytes()).hexdigest() for seed, path in outputs.items()}


def test_another_seed_or_other_data_train_only_what_they_change(tmp_path, caplog):
    caplog.set_level("INFO")
    dataset = make_dataset(tmp_path / "d.h5")
    outputs = {seed: tmp_path / f"seed{seed}.safetensors" for seed in (0, 1)}

    def kept(seeds=(0, 1), settings=SETTINGS):
        caplog.clear()
        given = {seed: outputs.setdefault(seed, tmp_path / f"seed{seed}.safetensors") for seed in seeds}
        models = train_model("expert", dataset, given, subsets=["Cu_FEFF"], features="m3gnet", settings=settings)
        assert [model.card.seed for model in models] == list(seeds)
        return caplog.text.count(": kept")

    assert kept() == 0
    before = digests(outputs)
    assert kept(seeds=(0, 1, 4)) == 2
    assert {seed: digests(outputs)[seed] for seed in (0, 1)} == before
    assert kept(settings=TrainingSettings(**{**SETTINGS.as_dict(), "dropout": 0.1, "widths": (8,)})) == 0
    outputs[0].write_bytes(b"damaged")
    assert kept(seeds=(0, 4)) == 1
    change(dataset, "Cu_FEFF/spectra", np.full((40, 7), 2e-3))
    assert kept() == 0
    assert load_checkpoint(outputs[1]).card.history[-1][0] == 4
