"""`recurra export` and `recurra inspect`: their files, their output, and their refusals."""

import re
import shutil

import numpy as np
import pytest

from recurra import cells, runtime
from recurra.model import KINDS, Part, write
from recurra.model.kinds import is_recurrent
from recurra.vocabulary import Vocabulary
from tests.runtime.forecasters import forecaster, model_of, panel_of, recipe
from tests.runtime.models import cell_part, described, embedding, layer, linear, lstm, stack


def test_a_run_is_a_model_already(runs):
    model = runtime.load(runs / "char" / "model.safetensors")
    assert model.vocabulary.level == "char"
    assert model.stream().step(model.vocabulary.start).shape == (len(model.vocabulary),)


@pytest.mark.parametrize("level", ["char", "word"])
def test_the_same_weights(level, runs, call, tmp_path):
    code, out, err = call("export", runs / level, "--out", tmp_path / "m.safetensors")
    assert (code, err) == (0, "")
    assert out.startswith(str(tmp_path / "m.safetensors"))
    assert "error" not in out
    assert (tmp_path / "m.safetensors").read_bytes() == (runs / level / "model.safetensors").read_bytes()


@pytest.mark.parametrize("weights", ["bf16", "int8"])
def test_narrower_weights_are_compared(weights, runs, call, tmp_path):
    code, out, err = call("export", runs / "char", "--out", tmp_path / "m", "--weights", weights)
    assert (code, err) == (0, "")
    assert re.search(r"error +largest \d\S*, root mean square \d+\.\d\d% of the output's", out)
    before, after = map(float, re.search(r"bits per token (\S+) → (\S+),", out).groups())
    assert 0.1 < before < 8
    assert abs(before - after) < 0.1
    assert re.search(r"a step +\d+\.\d µs → \d+\.\d µs", out)
    model, full = runtime.load(tmp_path / "m"), runtime.load(runs / "char" / "model.safetensors")
    ids = np.arange(10).reshape(5, 2)
    difference = np.abs(model(ids)[0] - full(ids)[0]).max()
    assert 0 < difference < 0.2
    assert (tmp_path / "m").stat().st_size < (runs / "char" / "model.safetensors").stat().st_size


def test_errors_are_measured_on_the_given_input(call, tmp_path):
    path = tmp_path / "m.safetensors"
    write(described(stack(lstm(3, 4, batch_first=True), linear(4, 2))), path)
    model, x = runtime.load(path), np.linspace(-9, 9, 2 * 5 * 3, dtype=np.float32).reshape(2, 5, 3)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x=x, lengths=np.array([5, 2]))
    np.save(tmp_path / "one.npy", x[0].astype(np.float64))

    def exported(name):
        code, out, err = call("export", path, "--out", tmp_path / "n", "--weights", "int8", "--sample", tmp_path / name)
        assert (code, err) == (0, "")
        return re.search(r"largest (\S+), root mean square (\S+)% of the output's, on (.*)", out).groups()

    for name, inputs, shown in (
        ("x.npy", {"x": x}, "x.npy, 5 steps of 2 sequences"),
        ("x.npz", {"x": x, "lengths": [5, 2]}, "x.npz, 5 steps of 2 sequences"),
        ("one.npy", {"x": x[:1]}, "one.npy, 5 steps of 1 sequence"),
    ):
        largest, relative, text = exported(name)
        before, after = model(**inputs)[0], runtime.load(tmp_path / "n")(**inputs)[0]
        difference = np.float64(after) - before
        assert float(largest) == pytest.approx(np.abs(difference).max(), rel=0.06)  # two digits are printed
        assert float(relative) == pytest.approx(
            100 * np.sqrt(np.mean(difference**2) / np.mean(np.float64(before) ** 2)), abs=0.006
        )
        assert text == shown
    out = call("export", path, "--out", tmp_path / "n", "--weights", "int8")[1]
    assert "% of the output's, on noise; --sample FILE measures on your input" in out


def test_samples_that_do_not_fit(call, tmp_path):
    path = tmp_path / "m.safetensors"
    write(described(stack(lstm(3, 4), linear(4, 2))), path)
    np.save(tmp_path / "wide.npy", np.ones((5, 1, 4)))
    np.save(tmp_path / "text.npy", np.array(["a"]))
    np.savez(tmp_path / "named.npz", x=np.ones((5, 1, 3)), dt=np.ones((5, 1)))
    (tmp_path / "no.npy").write_bytes(b"nothing")
    for name, message in (
        ("wide.npy", "4"),
        ("text.npy", "x is no array of numbers"),
        ("named.npz", "the arrays of a sample are x and perhaps lengths; found x, dt"),
        ("no.npy", "no safetensors file"),
        ("missing.npy", "No such file"),
    ):
        code, out, err = call("export", path, "--out", tmp_path / "n", "--weights", "int8", "--sample", tmp_path / name)
        assert code == 2
        assert message in err
        assert not (tmp_path / "n").exists()
    code, _, err = call("export", path, "--out", tmp_path / "n", "--sample", tmp_path / "wide.npy")
    assert code == 2
    assert "--sample is what narrower numbers are compared on" in err


def test_a_file_is_exported_too(runs, call, tmp_path):
    shutil.copy(runs / "char" / "model.safetensors", tmp_path / "one")
    assert call("export", tmp_path / "one", "--out", tmp_path / "two")[0] == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("level", ["char", "word"])
def test_an_exported_file_writes_and_is_measured(level, runs, call, tmp_path):
    (tmp_path / "text").write_text("the cat sat on the mat\n")
    found = {}
    for weights in ("as-is", "bf16", "int8"):
        call("export", runs / level, "--out", tmp_path / weights, "--weights", weights)
        found[weights] = [
            call("text", "sample", tmp_path / weights, "--prompt", "the", "--length", 30, "--seed", 1),
            call("text", "eval", tmp_path / weights, tmp_path / "text"),
        ]
        assert [code for code, *_ in found[weights]] == [0, 0]
    assert found["as-is"][0] == call("text", "sample", runs / level, "--prompt", "the", "--length", 30, "--seed", 1)
    assert found["as-is"][1] == call("text", "eval", runs / level, tmp_path / "text")
    assert found["int8"][1] != found["as-is"][1]


def test_what_is_no_language_model_writes_nothing(call, tmp_path):
    spoken = {"vocabulary": Vocabulary("char", ["<unk>", "a", "b"])}
    for name, root, annotations in (
        ("silent", lstm(3, 4), {}),
        ("both ways", stack(embedding(3, 4), lstm(4, 3, bidirectional=True), linear(6, 3)), spoken),
    ):
        made = described(root)
        write(type(made)(made.root, made.weights, annotations), tmp_path / name)
        code, _, err = call("text", "sample", tmp_path / name)
        assert code != 0
        assert "holds no language model of 'recurra text train'" in err


def test_a_language_model_may_be_batch_first(call, tmp_path):
    texts = []
    for batch_first in (False, True):
        made = described(stack(embedding(3, 4), lstm(4, 3, batch_first=batch_first), linear(3, 3)))
        vocabulary = {"vocabulary": Vocabulary("char", ["<unk>", "a", "b"])}
        write(type(made)(made.root, made.weights, vocabulary), tmp_path / "model")
        code, out, _ = call("text", "sample", tmp_path / "model", "--seed", 1, "--length", 20)
        assert code == 0
        texts.append(out)
    assert texts[0] == texts[1]


@pytest.mark.parametrize("option", ["--out", "--onnx"])
def test_the_model_of_a_training_is_not_written_over(option, runs, call, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(runs / "char", run)
    before = (run / "model.safetensors").read_bytes()
    for source in (run, run / "model.safetensors"):
        code, _, err = call("export", source, option, run / "model.safetensors")
        assert code != 0
        assert "is the model of a training: name another file" in err
    assert (run / "model.safetensors").read_bytes() == before


def test_onnx(runs, call, tmp_path):
    session = pytest.importorskip("onnxruntime").InferenceSession
    code, out, err = call("export", runs / "char", "--onnx", tmp_path / "m.onnx")
    assert (code, err) == (0, "")
    assert out.startswith(str(tmp_path / "m.onnx"))
    ids = np.arange(6).reshape(3, 2)
    model = runtime.load(runs / "char" / "model.safetensors")
    names = [each.name for each in session(tmp_path / "m.onnx").get_inputs()]
    hidden = model.recurrent[0].state_shapes[0][1]
    feeds = {names[0]: ids, **{name: np.zeros((1, 2, hidden), np.float32) for name in names[1:]}}
    output = session(tmp_path / "m.onnx").run(None, feeds)[0]
    np.testing.assert_allclose(output, model(ids)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{run}",), "say where to"),
        (("{run}", "--out", "{tmp}/m", "--weights", "fp4"), "--weights must be one of as-is, bf16, int8; got 'fp4'"),
        (("{run}", "--out", "{tmp}/m", "--onnx", "{tmp}/m"), "cannot be the same file"),
        (
            ("{run}", "--out", "{tmp}/m", "--compute", "int4"),
            "--compute must be one of float32, bf16, int8; got 'int4'",
        ),
        (("{run}", "--onnx", "{tmp}/m", "--compute", "bf16"), "--compute is for --out FILE"),
        (("{run}", "--out", "{tmp}/m", "--lengths"), "--lengths is for --onnx"),
        (("{tmp}/none", "--out", "{tmp}/m"), "there is no such model"),
        (("{tmp}", "--out", "{tmp}/m"), "there is no such model"),
        (("{run}/config.json", "--out", "{tmp}/m"), "not a safetensors file"),
        (("{run}", "--out", "{tmp}/none/m"), "cannot be written: No such file"),
    ],
)
def test_what_is_refused(arguments, message, runs, call, tmp_path):
    given = [argument.format(run=runs / "char", tmp=tmp_path) for argument in arguments]
    code, out, err = call("export", *given)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_precision_of_products_is_written(runs, call, tmp_path):
    code, _, err = call("export", runs / "char", "--out", tmp_path / "m", "--compute", "bf16", "--weights", "bf16")
    assert (code, err) == (0, "")
    parts = [part for _, part in runtime.load(tmp_path / "m").description.root.walk()]
    assert [part.compute for part in parts if "weight" in KINDS[part.kind].weights(part) or is_recurrent(part)] == [
        None,
        "bfloat16",
        "bfloat16",
    ], "of embedding, layer and output"
    assert call("inspect", tmp_path / "m")[1].count("compute=bfloat16") == 2
    code, _, err = call("export", tmp_path / "m", "--out", tmp_path / "n", "--compute", "float32")
    assert (code, err) == (0, "")
    assert call("inspect", tmp_path / "n")[1].count("compute=float32") == 2
    assert "compute" not in call("inspect", runs / "char")[1]


@pytest.mark.parametrize("weights", ["as-is", "int8"])
def test_products_of_int8_are_compared_and_kept(weights, runs, call, tmp_path):
    full = runtime.load(runs / "char" / "model.safetensors")
    code, out, err = call("export", runs / "char", "--out", tmp_path / "m", "--weights", weights, "--compute", "int8")
    assert (code, err) == (0, "")
    assert re.search(r"error +largest \d\S*, root mean square \d+\.\d\d% of the output's", out)
    before, after = map(float, re.search(r"bits per token (\S+) → (\S+),", out).groups())
    assert abs(before - after) < 0.1
    assert call("inspect", tmp_path / "m")[1].count("compute=int8") == 2
    model, ids = runtime.load(tmp_path / "m"), np.arange(10).reshape(5, 2)
    assert 0 < np.abs(model(ids)[0] - full(ids)[0]).max() < 0.2
    stream = model.stream()
    np.testing.assert_array_equal([stream.step(token) for token in ids[:, 0]], model(ids[:, :1])[0][:, 0])


def test_the_size_is_that_before_writing(runs, call, tmp_path):
    shutil.copy(runs / "char" / "model.safetensors", tmp_path / "m")
    before = (tmp_path / "m").stat().st_size
    code, out, _ = call("export", tmp_path / "m", "--out", tmp_path / "m", "--weights", "bf16")
    assert code == 0
    assert f"(was {before / 1000:.2f} kB)" in out


@pytest.mark.parametrize(
    "root",
    [
        stack(stack(embedding(5, 4), layer(cells.gru, 4, 3)), linear(3, 5)),
        stack(Part("Dropout", {"p": 0.5}), embedding(5, 4), lstm(4, 3, batch_first=True), linear(3, 5)),
        embedding(5, 4),
        lstm(3, 4, bidirectional=True, batch_first=True),
        cell_part(cells.lstm, 3, 4),
        stack(embedding(5, 4), cell_part(cells.gru, 4, 5)),
        Part("ReLU"),
    ],
)
def test_models_of_any_kind_are_compared(root, call, tmp_path):
    made = described(root)
    takes_tokens = any(part.kind == "Embedding" for _, part in root.walk())
    annotations = {"vocabulary": Vocabulary("char", ["<unk>", "a", "b", "c", "d"])} if takes_tokens else {}
    write(type(made)(root, made.weights, annotations), tmp_path / "m")
    code, out, err = call("export", tmp_path / "m", "--out", tmp_path / "n", "--weights", "int8")
    assert (code, err) == (0, "")
    assert "root mean square" in out


def test_inspect(runs, call):
    code, out, err = call("inspect", runs / "word", "--programs")
    assert (code, err) == (0, "")
    assert "  embedding: Embedding(num_embeddings=" in out
    assert "    weight_ih_l0  float32 (48, 12)" in out
    assert "i = sigmoid(a_i)" in out
    assert "a vocabulary of" in out
    assert call("inspect", runs / "none")[0] == 2


def test_inspect_shows_every_annotation(call, tmp_path):
    write(forecaster(), tmp_path / "m")
    code, out, err = call("inspect", tmp_path / "m", "--programs")
    assert (code, err) == (0, "")
    assert out.startswith("Ensemble()\n  0: EncoderDecoder()\n    encoder: Recurrent(input_size=")
    assert out.endswith("a forecaster of 3 steps (step), 2 networks\n")


@pytest.mark.parametrize("weights", ["as-is", "bf16", "int8"])
def test_a_forecaster_is_written(weights, call, tmp_path):
    """Its quantized networks are compared, and all of them are one ONNX graph."""
    pytest.importorskip("onnx")
    write(forecaster(), tmp_path / "m")
    code, out, err = call(
        "export", tmp_path / "m", "--out", tmp_path / "n", "--onnx", tmp_path / "o", "--weights", weights
    )
    assert (code, err) == (0, "")
    assert ("root mean square" in out) == (weights != "as-is")
    model, panel = runtime.load_forecaster(tmp_path / "n"), panel_of(recipe(), 9)
    expected = model_of().forecast(panel).median
    np.testing.assert_allclose(model.forecast(panel).median, expected, rtol=0, atol=0 if weights == "as-is" else 1e-3)
    code, _, err = call("export", tmp_path / "m", "--onnx", tmp_path / "p", "--lengths")
    assert code == 2
    assert "needs a model that runs by itself" in err


def test_a_graph_is_listed_and_written(call, tmp_path):
    """A file that holds a graph: inspect lists it, export writes it, explain says what it is."""
    from recurra.graph.file import write_graph
    from tests.graph.graphs import recurrent_graph

    path, target = tmp_path / "g.safetensors", tmp_path / "g.onnx"
    write_graph(recurrent_graph(), path)
    code, out, _ = call("inspect", path)
    assert code == 0
    assert "2 nodes: CellScan, Relu" in out
    assert "input   x: float32 (T, B, 3)" in out
    code, out, _ = call("export", path, "--onnx", target)
    assert (code, target.exists()) == (0, True)
    code, _, err = call("export", path, "--onnx", target, "--lengths")
    assert (code, "--lengths are for models of layers" in err) == (2, True)
    for weights in ("bf16", "int8"):
        code, out, _ = call("export", path, "--out", tmp_path / weights, "--weights", weights)
        assert (code, "error         largest" in out, "noise; --sample FILE" in out) == (0, True, True)
    np.savez(tmp_path / "x.npz", x=np.ones((4, 2, 3), np.float32), h_in=np.zeros((2, 4), np.float32))
    code, out, _ = call("export", path, "--out", tmp_path / "p", "--weights", "int8", "--sample", tmp_path / "x.npz")
    assert (code, "of the output's, on x.npz" in out) == (0, True), out
    np.savez(tmp_path / "z.npz", z=np.ones(3))
    code, _, err = call("export", path, "--out", tmp_path / "p", "--weights", "int8", "--sample", tmp_path / "z.npz")
    assert (code, "the arrays of a sample are x" in err) == (2, True)
    code, _, err = call("explain", path)
    assert (code, "recurra inspect lists it" in err, err.count("\n")) == (2, True, 1)
