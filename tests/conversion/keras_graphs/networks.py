"""Models of Keras of typical kinds; each function gets Keras and returns one."""

import numpy as np

DRAW = np.random.default_rng(0)
TOKENS = DRAW.integers(1, 30, (3, 20))
TOKENS[1, 12:] = TOKENS[2, :5] = TOKENS[0, 7] = 0  # padding behind, before and between


NETWORKS = []  # the functions, with their names and the inputs on which they are run


def reals(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


PADDED = reals(3, 8, 4)
PADDED[0, 5:] = PADDED[1, :3] = PADDED[2, 4] = 0


def network(*inputs):
    """Enter a function in the list, as a decorator."""

    def enter(function):
        NETWORKS.append((function.__name__, function, inputs))
        return function

    return enter


@network(TOKENS)
def classifier(k):
    layers = k.layers
    stack = [layers.Embedding(30, 8), layers.Conv1D(12, 5, activation="relu"), layers.MaxPooling1D(4)]
    return k.Sequential([layers.Input((20,)), *stack, layers.LSTM(10), layers.Dense(3, activation="softmax")])


@network(TOKENS)
def tagger(k):
    layers = k.layers
    both = layers.Bidirectional(layers.LSTM(6, return_sequences=True, dropout=0.1))
    head = layers.TimeDistributed(layers.Dense(5, activation="softmax"))
    words = layers.Embedding(30, 8, mask_zero=True)
    return k.Sequential([layers.Input((None,)), words, layers.SpatialDropout1D(0.2), both, head])


@network(reals(2, 24, 3))
def convolved_forecaster(k):
    layers = k.layers
    return k.Sequential([
        layers.Input((24, 3)),
        layers.Conv1D(8, 3, padding="same", strides=2, activation="relu"),
        layers.Conv1D(8, 3, padding="causal", dilation_rate=2, activation="elu"),
        layers.AveragePooling1D(2, padding="same"),
        layers.Dropout(0.3),
        layers.LSTM(7, return_sequences=True),
        layers.LSTM(5),
        layers.Dense(6),
        layers.Reshape((6, 1)),
    ])  # fmt: skip


@network(reals(2, 10, 2))
def repeated(k):
    layers = k.layers
    decoder = [layers.LSTM(8, return_sequences=True), layers.TimeDistributed(layers.Dense(2))]
    return k.Sequential([layers.Input((10, 2)), layers.LSTM(8), layers.RepeatVector(5), *decoder])


@network(reals(2, 9, 3), reals(2, 4))
def two_inputs(k):
    layers = k.layers
    series, static = layers.Input((None, 3), name="series"), layers.Input((4,), name="static")
    joined = layers.Concatenate()([layers.GRU(6)(series), layers.Dense(5, activation="relu")(static)])
    outputs = [layers.Dense(1, name="price")(joined), layers.Dense(3, activation="softmax", name="kind")(joined)]
    return k.Model([series, static], outputs)


@network(reals(2, 16, 4))
def residual_convolutions(k):
    layers = k.layers
    given = x = layers.Input((None, 4))
    for dilation in (1, 2, 4):
        options = {"padding": "causal", "dilation_rate": dilation}
        y = layers.BatchNormalization()(layers.Conv1D(6, 3, activation="relu", **options)(x))
        y = layers.Conv1D(6, 3, **options)(layers.Dropout(0.1)(y))
        x = layers.Activation("relu")(layers.Add()([y, x if x.shape[-1] == 6 else layers.Conv1D(6, 1)(x)]))
    return k.Model(given, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))


@network(reals(2, 9, 3))
def normalised(k):
    layers = k.layers
    stack = [layers.GRU(6, return_sequences=True), layers.LayerNormalization(), layers.GRU(5, reset_after=False)]
    return k.Sequential([
        layers.Input((None, 3)), *stack, layers.LayerNormalization(scale=False), layers.Dense(1)
    ])  # fmt: skip


@network(TOKENS, TOKENS[:, 2:8] % 20)
def translator(k):
    layers = k.layers
    source, target = layers.Input((None,), name="source"), layers.Input((None,), name="target")
    read = layers.Embedding(30, 6, mask_zero=True, name="source_words")(source)
    said = layers.Embedding(20, 5, mask_zero=True, name="target_words")(target)
    _, h, c = layers.LSTM(7, return_state=True, name="encoder")(read)
    decoder = layers.LSTM(7, return_sequences=True, return_state=True, name="decoder")
    output, _, _ = decoder(said, initial_state=[h, c])
    return k.Model([source, target], layers.Dense(20, activation="softmax")(output))


@network(reals(2, 9, 3))
def both_ways(k):
    layers = k.layers
    return k.Sequential([
        layers.Input((None, 3)),
        layers.Bidirectional(layers.LSTM(4, return_sequences=True), merge_mode="sum"),
        layers.Bidirectional(layers.GRU(4, return_sequences=True), merge_mode="ave"),
        layers.Bidirectional(layers.SimpleRNN(4), merge_mode="mul"),
        layers.Dense(2, activation="gelu"),
    ])  # fmt: skip


@network(TOKENS, TOKENS[::-1].copy())
def twins(k):
    layers = k.layers
    left, right = layers.Input((None,), name="left"), layers.Input((None,), name="right")
    words, shared = layers.Embedding(30, 6), layers.LSTM(5)
    pair = [shared(words(left)), shared(words(right))]
    parts = [layers.Subtract()(pair), layers.Multiply()(pair), layers.Dot(axes=1, normalize=True)(pair)]
    output = layers.Dense(1, activation="sigmoid")(layers.concatenate(parts))
    return k.Model([left, right], output)


@network(reals(2, 7, 6))
def attention(k):
    layers = k.layers
    given = layers.Input((None, 6))
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(given)
    heads, scores = layers.MultiHeadAttention(2, 3)(x, x, return_attention_scores=True)
    causal = layers.MultiHeadAttention(2, 3, value_dim=5, output_shape=7)(x, heads, use_causal_mask=True)
    joined = layers.Concatenate()([layers.Attention()([x, x]), layers.AdditiveAttention()([x, x]), heads, causal])
    return k.Model(given, [layers.GlobalMaxPooling1D()(joined), scores])


@network(PADDED)
def masked(k):
    layers = k.layers
    given = layers.Input((None, 4))
    x = layers.Dense(4)(layers.GRU(5, return_sequences=True)(layers.Masking()(given)))
    output, *states = layers.Bidirectional(layers.LSTM(3, return_state=True))(x)
    summed = layers.Add()([layers.Attention()([x, x]), layers.MultiHeadAttention(2, 2)(x, x), x])
    return k.Model(given, [output, layers.GlobalAveragePooling1D()(summed), *states])


@network(reals(2, 8, 3), reals(2, 8, 3))
def nested(k):
    layers = k.layers
    inner = k.Sequential([layers.Input((None, 3)), layers.Conv1D(4, 3), layers.LSTM(4)], name="inner")
    features = layers.Input((4,))
    head = k.Model(features, layers.Dense(3)(features) + features[:, :3] * 2.0, name="head")
    left, right = layers.Input((8, 3)), layers.Input((8, 3))
    return k.Model([left, right], layers.Average()([head(inner(left)), head(inner(right))]))


@network(reals(2, 12, 4))
def small_layers(k):
    layers = k.layers
    return k.Sequential([
        layers.Input((12, 4)), layers.ZeroPadding1D((1, 2)),
        layers.SeparableConv1D(6, 3, padding="same", depth_multiplier=2), layers.LeakyReLU(),
        layers.DepthwiseConv1D(3, depth_multiplier=2), layers.PReLU(shared_axes=[1]), layers.UpSampling1D(2),
        layers.Cropping1D((1, 1)), layers.Conv1D(6, 3, groups=3, dilation_rate=2, activation="swish"),
        layers.Permute((2, 1)), layers.Permute((2, 1)), layers.LayerNormalization(), layers.UnitNormalization(),
        layers.Flatten(), layers.Dense(6, activation="mish"), layers.ELU(), layers.Softmax(), layers.Reshape((2, -1)),
        layers.GlobalMaxPooling1D(),
    ])  # fmt: skip


@network(reals(2, 7, 3))
def backwards(k):
    layers = k.layers
    given = layers.Input((None, 3))
    steps, state = layers.GRU(4, go_backwards=True, return_sequences=True, return_state=True)(given)
    last = layers.SimpleRNN(3, go_backwards=True, activation="relu")(given)
    apart = layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode=None)(given)
    handed = layers.Bidirectional(layers.LSTM(3))(given, initial_state=[state[:, :3]] * 4)
    return k.Model(given, [steps, state, last, *apart, handed])


@network(reals(2, 7, 3))
def cells(k):
    layers = k.layers
    given = layers.Input((None, 3))
    x = layers.RNN(layers.LSTMCell(4), return_sequences=True)(given)
    x = layers.RNN([layers.GRUCell(4), layers.GRUCell(3)], return_sequences=True)(x)
    x = layers.Conv1DTranspose(4, 3, strides=2, padding="same")(x)
    return k.Model(given, layers.Conv1DTranspose(4, 4, strides=2)(x))


@network(reals(3, 5) * 3)
def activations(k):
    words = (
        "relu relu6 tanh sigmoid softplus softsign elu selu silu gelu exponential hard_sigmoid hard_silu leaky_relu "
        "log_softmax mish linear hard_tanh tanh_shrink soft_shrink hard_shrink celu squareplus log_sigmoid"
    )
    stack = [k.layers.Dense(5, activation=word) for word in words.split()]
    return k.Sequential([k.layers.Input((5,)), *stack])


@network(reals(2, 4, 6, 2))
def windows_of_steps(k):
    """A classifier of windows, each of which a convolution sees by itself."""
    layers, each = k.layers, k.layers.TimeDistributed
    return k.Sequential([
        layers.Input((4, 6, 2)), each(layers.Conv1D(5, 3, activation="relu")), each(layers.MaxPooling1D(2)),
        each(layers.Flatten()), layers.LSTM(4), layers.Dense(2),
    ])  # fmt: skip


@network(reals(2, 9, 3))
def causal_chain(k):
    """A model that streams: a Stack of causal parts."""
    layers = k.layers
    return k.Sequential([
        layers.Input((None, 3)), layers.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="relu"),
        layers.Conv1D(5, 1), layers.LSTM(4, return_sequences=True), layers.GlobalMaxPooling1D(), layers.Dense(2),
    ])  # fmt: skip


@network(TOKENS)
def last_of_both(k):
    layers = k.layers
    words = layers.Embedding(30, 4)
    return k.Sequential([layers.Input((None,)), words, layers.Bidirectional(layers.LSTM(3)), layers.Dense(2)])


STREAMED = ("normalised", "causal_chain", "last_of_both")  # those that are a Stack, and not a graph
