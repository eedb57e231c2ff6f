"""Random models of ai.onnx.ml, and of operators over strings."""

import numpy as np
from onnx import numpy_helper

from random_case import ONNX_TYPE, Case, Graph, node

DOMAIN = "ai.onnx.ml."
STRING = 8
WORDS = np.array(["a", "bb", "ccc", "", "zz", "é", "ab"], object)


def numbers(r, n, scale=1.0):
    return [float(v) for v in r.floats(n, scale)]


def table(r, nan=False):
    """A matrix with many values that are the same, and some NaN."""
    shape = (r.int(1, 6), r.int(1, 5))
    x = r.ints(shape, -4, 4).astype(np.float32) * np.float32(0.25)
    return np.where(r.g.random(shape) < 0.1, np.float32(np.nan), x) if nan else x


def words(r):
    return WORDS[r.ints((r.int(1, 6), r.int(1, 5)), 0, len(WORDS) - 1)]


def binarizer(r):
    return Case(DOMAIN + "Binarizer", [r.floats(r.shape(1, 2))], threshold=r.one_of(-0.5, 0.0, 1.0))


def scaler(r):
    x = r.one_of(table(r), table(r).astype(np.int64))
    n = r.one_of(1, x.shape[1])
    return Case(DOMAIN + "Scaler", [x], offset=numbers(r, n), scale=numbers(r, n))


def normalizer(r):
    return Case(
        DOMAIN + "Normalizer",
        [r.floats((r.int(1, 6), r.int(1, 5)))],
        norm=r.one_of("MAX", "L1", "L2"),
    )


def imputer(r):
    x = table(r, nan=True)
    a = {"replaced_value_float": r.one_of(float("nan"), 0.25)}
    return Case(
        DOMAIN + "Imputer", [x], imputed_value_floats=numbers(r, r.one_of(1, x.shape[1])), **a
    )


def linear_classifier(r):
    x, n = table(r), r.int(2, 4)
    a = {
        "classlabels_ints": [3 * i + 1 for i in range(n)],
        "post_transform": r.one_of("NONE", "LOGISTIC", "SOFTMAX"),
    }
    n = 1 if n == 2 and r.chance(0.5) else n
    a |= {"coefficients": numbers(r, n * x.shape[1]), "intercepts": numbers(r, n)}
    return Case(DOMAIN + "LinearClassifier", [x], n_out=2, **a)


def svm(op):
    def make(r):
        x = table(r)
        a = {
            "kernel_type": r.one_of("LINEAR", "POLY", "RBF", "SIGMOID"),
            "kernel_params": [0.5, 0.25, 3.0],
        }
        if op == "SVMRegressor":
            n = r.int(1, 5)
            a |= {
                "n_supports": n,
                "coefficients": numbers(r, n),
                "rho": numbers(r, 1),
                "one_class": r.int(0, 1),
            }
        else:
            per = [r.int(1, 3) for _ in range(r.int(2, 4))]
            n, classes = sum(per), len(per)
            a |= {"vectors_per_class": per, "coefficients": numbers(r, n * (classes - 1))}
            a |= {
                "rho": numbers(r, classes * (classes - 1) // 2),
                "classlabels_ints": list(range(5, 5 + classes)),
            }
            if r.chance(0.5):
                a |= {"prob_a": numbers(r, len(a["rho"])), "prob_b": numbers(r, len(a["rho"]))}
        a["support_vectors"] = numbers(r, n * x.shape[1])
        return Case(DOMAIN + op, [x], n_out=1 if op == "SVMRegressor" else 2, **a)

    return make


MODES = ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ")


def trees(r, n_features, entries):
    """The attributes of some trees.  entries(r) makes (id, weight) pairs of a leaf."""
    names = (
        "treeids nodeids featureids truenodeids falsenodeids values modes missing_value_tracks_true"
    )
    a = {f"nodes_{name}": [] for name in names.split()}
    leaves = []

    def grow(tree, depth):
        at = len(a["nodes_treeids"])
        node = a["nodes_treeids"].count(tree)
        for values in a.values():
            values.append(0)
        a["nodes_treeids"][at], a["nodes_nodeids"][at] = tree, node
        a["nodes_values"][at] = 0.25 * r.int(-3, 3)
        if depth == 0 or r.chance(0.2):
            a["nodes_modes"][at] = "LEAF"
            leaves.extend((tree, node) + entry for entry in entries(r))
            return node
        a["nodes_modes"][at] = "BRANCH_" + r.one_of(*MODES)
        a["nodes_featureids"][at] = r.int(0, n_features - 1)
        a["nodes_missing_value_tracks_true"][at] = r.int(0, 1)
        a["nodes_truenodeids"][at] = grow(tree, depth - 1)
        a["nodes_falsenodeids"][at] = grow(tree, depth - 1)
        return node

    for tree in range(r.int(1, 5)):
        grow(tree, r.int(0, 5))
    return a, leaves


def tree_ensemble(op, prefix):
    def make(r):
        x, n = table(r, nan=True), r.int(1, 3) if op == "TreeEnsembleRegressor" else r.int(3, 4)
        a, leaves = trees(r, x.shape[1], lambda r: [(i, float(r.floats(()))) for i in range(n)])
        for i, name in enumerate(("treeids", "nodeids", "ids", "weights")):
            a[f"{prefix}_{name}"] = [leaf[i] for leaf in leaves]
        if op == "TreeEnsembleRegressor":
            a |= {"n_targets": n, "aggregate_function": r.one_of("SUM", "AVERAGE", "MIN", "MAX")}
        else:
            a |= {
                "classlabels_int64s": [5 * i for i in range(n)],
                "post_transform": r.one_of("NONE", "SOFTMAX"),
            }
        return Case(DOMAIN + op, [x], n_out=1 if prefix == "target" else 2, **a)

    return make


def category_mapper(r):
    x = r.one_of(words(r), r.ints(r.shape(1, 2), 0, 9))
    return Case(
        DOMAIN + "CategoryMapper", [x], cats_strings=["bb", "a", "zz"], cats_int64s=[5, 9, 2]
    )


def one_hot_encoder(r):
    return Case(DOMAIN + "OneHotEncoder", [words(r)], cats_strings=["bb", "a", "zz"])


def tf_idf(r):
    x = words(r)
    a = {
        "min_gram_length": 1,
        "max_gram_length": 2,
        "max_skip_count": r.int(0, 3),
        "ngram_counts": [0, 3],
    }
    a |= {"mode": r.one_of("TF", "IDF", "TFIDF"), "ngram_indexes": [4, 0, 2, 3, 1]}
    a |= {"pool_strings": ["a", "bb", "zz", "a", "bb", "é", "a"], "weights": numbers(r, 5)}
    return Case("TfIdfVectorizer", [x], **a)


def string_concat(r):
    x = words(r)
    return Case("StringConcat", [x, WORDS[r.ints(r.broadcast(x.shape), 0, len(WORDS) - 1)]])


PATTERNS = (r"a*b?", r"(a|bb)+", r"[^a-b]+", r".*b.*", r"\w{2,3}", r".", r"\W|\bz+\b")


def regex(r):
    return Case("RegexFullMatch", [words(r)], pattern=r.one_of(*PATTERNS))


NUMBERS = ("0", "7", "-12", "9223372036854775807", "+5", "00031")
FLOATS = NUMBERS[:3] + ("1.5", "-0.0625", "3e4", "1.25E-3", "-inf", "NaN", ".5", "2.", "123456789.125", "6.02214076e+23", "0.00015605443579159992")


def cast_from_string(r):
    to = r.one_of(np.float32, np.float64, np.int32, np.int64)
    texts = np.array(NUMBERS if to is np.int64 else NUMBERS[:3] if to is np.int32 else FLOATS, object)
    x = texts[r.ints(r.shape(1, 3), 0, len(texts) - 1)]
    return Case("Cast", [x], to=ONNX_TYPE(np.dtype(to)))


def cast_to_string(r):
    t = r.one_of(np.int8, np.uint8, np.int32, np.int64, np.uint64)
    low, high = np.iinfo(t).min, np.iinfo(t).max
    x = np.array([r.one_of(low, high, 0, 5, 10, 99) for _ in range(r.int(1, 9))], t)
    return Case("Cast", [x], to=STRING)


def unique_strings(r):
    x = words(r)
    a = {"axis": r.int(0, 1)} if r.chance(0.5) else {}
    return Case("Unique", [x], n_out=4, sorted=1, **a)


def array_feature_extractor(r):
    x = r.numbers(r.shape(1, 3), r.one_of(np.float32, np.float64, np.int64, np.int32))
    return Case(DOMAIN + "ArrayFeatureExtractor", [x, r.ints(r.int(1, 5), 0, x.shape[-1] - 1)])


def feature_vectorizer(r):
    n = r.int(1, 5)
    widths = [r.int(1, 4) for _ in range(r.int(1, 3))]
    t = r.one_of(np.float32, np.int64)
    return Case(
        DOMAIN + "FeatureVectorizer", [r.numbers((n, w), t) for w in widths], inputdimensions=widths
    )


def linear_regressor(r):
    x, n = table(r), r.int(1, 3)
    a = {"coefficients": numbers(r, n * x.shape[1]), "targets": n}
    if r.chance(0.7):
        a["intercepts"] = numbers(r, n)
    return Case(DOMAIN + "LinearRegressor", [x], **a)


def label_encoder(r):
    """From and to each of the three types, as lists; and numbers in tensors."""
    keys = {
        "strings": ["a", "bb", "zz"],
        "int64s": [3, -1, 7],
        "floats": [0.25, float("nan"), -1.0],
    }
    values = {"strings": ["x", "é", "yy"], "int64s": [5, 0, -9], "floats": [0.5, -2.0, 8.0]}
    defaults = {
        "strings": ("default_string", "none"),
        "int64s": ("default_int64", 77),
        "floats": ("default_float", 1.5),
    }
    of, to = r.one_of(*keys), r.one_of(*keys)
    if of == "strings":
        x = words(r)
    else:
        x = table(r, nan=True) if of == "floats" else r.ints(r.shape(1, 3), -2, 8)
    default = dict([defaults[to]]) if r.chance(0.5) else {}
    a = {f"keys_{of}": keys[of], f"values_{to}": values[to]} | default
    return Case(DOMAIN + "LabelEncoder", [x], version=r.one_of(2, 4), **a)


def label_encoder_old(r):
    a = {"classes_strings": ["bb", "a", "zz"], "default_int64": -3, "default_string": "none"}
    x = r.one_of(words(r), r.ints(r.shape(1, 2), 0, 4))
    return Case(DOMAIN + "LabelEncoder", [x], **a)


def one_tree(r):
    """The newest form of trees: nodes and leaves have numbers of their own."""
    x, t = table(r), r.one_of(np.float32, np.float64)
    n_features, n_targets = x.shape[1], r.int(1, 3)
    nodes = {
        key: []
        for key in (
            "featureids",
            "splits",
            "modes",
            "truenodeids",
            "trueleafs",
            "falsenodeids",
            "falseleafs",
        )
    }
    leaves = {"targetids": [], "weights": []}

    def leaf():
        leaves["targetids"].append(r.int(0, n_targets - 1))
        leaves["weights"].append(float(r.floats(())))
        return len(leaves["weights"]) - 1, 1

    def grow(depth):
        at = len(nodes["modes"])
        for values in nodes.values():
            values.append(0)
        nodes["featureids"][at] = r.int(0, n_features - 1)
        nodes["splits"][at] = 0.25 * r.int(-3, 3)
        nodes["modes"][at] = r.int(0, 5)
        for side in ("true", "false"):
            inner = depth > 1 and r.chance(0.8)
            place, is_leaf = (grow(depth - 1), 0) if inner else leaf()
            nodes[f"{side}nodeids"][at], nodes[f"{side}leafs"][at] = place, is_leaf
        return at

    roots = [grow(r.int(1, 4)) for _ in range(r.int(1, 4))]

    def tensor(values, kind):
        return numpy_helper.from_array(np.array(values, kind))

    a = {f"nodes_{key}": values for key, values in nodes.items()}
    a["nodes_splits"], a["nodes_modes"] = tensor(nodes["splits"], t), tensor(
        nodes["modes"], np.uint8
    )
    a |= {"leaf_targetids": leaves["targetids"], "leaf_weights": tensor(leaves["weights"], t)}
    a |= {"tree_roots": roots, "n_targets": n_targets, "aggregate_function": r.int(0, 3)}
    return Case(DOMAIN + "TreeEnsemble", [x.astype(t)], version=5, **a)


def zip_map(r):
    """Its maps are rows of values in the order of their keys."""
    n = r.int(1, 4)
    case = Case(
        DOMAIN + "ZipMap",
        [r.floats((r.int(1, 5), n))],
        classlabels_int64s=[3 * i for i in range(n)],
    )
    case.run = lambda: case.inputs
    return case


def string_equal(r):
    x = words(r)
    return Case("Equal", [x, WORDS[r.ints(r.broadcast(x.shape), 0, len(WORDS) - 1)]])


def string_normalizer(r):
    # The reference takes accents off and empty strings away; ONNX Runtime asks for a locale.
    plain = WORDS[[0, 1, 2, 4, 6]]
    x = plain[r.ints(r.int(1, 12), 0, len(plain) - 1)]
    x = x if r.chance(0.5) else x[None, :]
    a = {"case_change_action": r.one_of("NONE", "LOWER", "UPPER"), "is_case_sensitive": r.int(0, 1)}
    if r.chance(0.5):
        a["stopwords"] = ["bb", "zz"]  # the reference changes the case of strings only
    return Case("StringNormalizer", [x], exact=True, **a)


SENTENCES = np.array(["a,b", "a,,b", "", ",", " a b  c ", "abc", "é,x,y,z"], object)


def string_split(r):
    x = SENTENCES[r.ints(r.shape(1, 2), 0, len(SENTENCES) - 1)]
    a = r.one_of({}, {"delimiter": ","}, {"delimiter": " "}, {"delimiter": "b"})
    a |= r.one_of({}, {"maxsplit": r.int(1, 3)})
    # ONNX Runtime finds no part in an empty string, the reference one, as Python does.
    return Case("StringSplit", [x], n_out=2, exact=True, **a)


def tf_idf_of_words(r):
    """How many words there are is known only at run time."""
    words = np.array(["good", "bad", "a", "film", "the"], object)
    x = np.array([" ".join(words[r.ints(r.int(0, 5), 0, 4)]) for _ in range(r.int(1, 4))], object)
    pool = ["good", "film", "bad"] + ["a", "film", "the", "bad"]
    a = {"mode": r.one_of("TF", "IDF", "TFIDF"), "weights": numbers(r, 5)}
    a |= {"min_gram_length": 1, "max_gram_length": 2, "max_skip_count": r.int(0, 2)}
    a |= {"ngram_counts": [0, 3], "ngram_indexes": [2, 0, 1, 4, 3], "pool_strings": pool}
    nodes = [node("StringSplit", "x0", "words counts", delimiter=" "), node("TfIdfVectorizer", "words", "y0", **a)]
    return Graph(nodes, [x])


OPERATORS = {
    "CastFromString": cast_from_string,
    "CastToString": cast_to_string,
    "UniqueStrings": unique_strings,
    "ArrayFeatureExtractor": array_feature_extractor,
    "FeatureVectorizer": feature_vectorizer,
    "LinearRegressor": linear_regressor,
    "LabelEncoder": label_encoder,
    "OldLabelEncoder": label_encoder_old,
    "TreeEnsemble": one_tree,
    "ZipMap": zip_map,
    "StringEqual": string_equal,
    "StringNormalizer": string_normalizer,
    "StringSplit": string_split,
    "Binarizer": binarizer,
    "Scaler": scaler,
    "Normalizer": normalizer,
    "Imputer": imputer,
    "LinearClassifier": linear_classifier,
    "SVMRegressor": svm("SVMRegressor"),
    "SVMClassifier": svm("SVMClassifier"),
    "TreeEnsembleRegressor": tree_ensemble("TreeEnsembleRegressor", "target"),
    "TreeEnsembleClassifier": tree_ensemble("TreeEnsembleClassifier", "class"),
    "CategoryMapper": category_mapper,
    "OneHotEncoder": one_hot_encoder,
    "TfIdfVectorizer": tf_idf,
    "TfIdfOfWords": tf_idf_of_words,
    "StringConcat": string_concat,
    "RegexFullMatch": regex,
}
