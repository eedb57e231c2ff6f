"""More operators of random_models.py: ai.onnx.ml, and those over strings."""

import numpy as np

from random_models import Case

DOMAIN = "ai.onnx.ml."
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
    return Case(DOMAIN + "Normalizer", [r.floats((r.int(1, 6), r.int(1, 5)))], norm=r.one_of("MAX", "L1", "L2"))


def imputer(r):
    x = table(r, nan=True)
    a = {"replaced_value_float": r.one_of(float("nan"), 0.25)}
    return Case(DOMAIN + "Imputer", [x], imputed_value_floats=numbers(r, r.one_of(1, x.shape[1])), **a)


def linear_classifier(r):
    x, n = table(r), r.int(2, 4)
    a = {"classlabels_ints": [3 * i + 1 for i in range(n)], "post_transform": r.one_of("NONE", "LOGISTIC", "SOFTMAX")}
    n = 1 if n == 2 and r.chance(0.5) else n
    a |= {"coefficients": numbers(r, n * x.shape[1]), "intercepts": numbers(r, n)}
    return Case(DOMAIN + "LinearClassifier", [x], n_out=2, **a)


def svm(op):
    def make(r):
        x = table(r)
        a = {"kernel_type": r.one_of("LINEAR", "POLY", "RBF", "SIGMOID"), "kernel_params": [0.5, 0.25, 3.0]}
        if op == "SVMRegressor":
            n = r.int(1, 5)
            a |= {"n_supports": n, "coefficients": numbers(r, n), "rho": numbers(r, 1), "one_class": r.int(0, 1)}
        else:
            per = [r.int(1, 3) for _ in range(r.int(2, 4))]
            n, classes = sum(per), len(per)
            a |= {"vectors_per_class": per, "coefficients": numbers(r, n * (classes - 1))}
            a |= {"rho": numbers(r, classes * (classes - 1) // 2), "classlabels_ints": list(range(5, 5 + classes))}
        a["support_vectors"] = numbers(r, n * x.shape[1])
        return Case(DOMAIN + op, [x], n_out=1 if op == "SVMRegressor" else 2, **a)

    return make


MODES = ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ")


def trees(r, n_features, entries):
    """The attributes of some trees.  entries(r) makes (id, weight) pairs of a leaf."""
    names = "treeids nodeids featureids truenodeids falsenodeids values modes missing_value_tracks_true"
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
            a |= {"classlabels_int64s": [5 * i for i in range(n)], "post_transform": r.one_of("NONE", "SOFTMAX")}
        return Case(DOMAIN + op, [x], n_out=1 if prefix == "target" else 2, **a)

    return make


def category_mapper(r):
    x = r.one_of(words(r), r.ints(r.shape(1, 2), 0, 9))
    return Case(DOMAIN + "CategoryMapper", [x], cats_strings=["bb", "a", "zz"], cats_int64s=[5, 9, 2])


def one_hot_encoder(r):
    return Case(DOMAIN + "OneHotEncoder", [words(r)], cats_strings=["bb", "a", "zz"])


def tf_idf(r):
    x = words(r)
    a = {"min_gram_length": 1, "max_gram_length": 2, "max_skip_count": r.int(0, 3), "ngram_counts": [0, 3]}
    a |= {"mode": r.one_of("TF", "IDF", "TFIDF"), "ngram_indexes": [4, 0, 2, 3, 1]}
    a |= {"pool_strings": ["a", "bb", "zz", "a", "bb", "é", "a"], "weights": numbers(r, 5)}
    return Case("TfIdfVectorizer", [x], **a)


def string_concat(r):
    x = words(r)
    return Case("StringConcat", [x, WORDS[r.ints(r.broadcast(x.shape), 0, len(WORDS) - 1)]])


PATTERNS = (r"a*b?", r"(a|bb)+", r"[^a-b]+", r".*b.*", r"\w{2,3}", r".", r"\W|\bz+\b")


def regex(r):
    return Case("RegexFullMatch", [words(r)], pattern=r.one_of(*PATTERNS))


OPERATORS = {
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
    "StringConcat": string_concat,
    "RegexFullMatch": regex,
}
