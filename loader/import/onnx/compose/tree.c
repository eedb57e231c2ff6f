/*
 * ai.onnx.ml: TreeEnsemble, TreeEnsembleClassifier and TreeEnsembleRegressor, as the tables of
 * OP_tree_ensemble.
 *
 * The older two name nodes by (tree, node) and leaves are nodes; TreeEnsemble has places, and
 * leaves of their own.  A set of members becomes a chain of nodes that compare to one member each.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loader/import/onnx/compose/ml.h"

enum mode { LEQ, LT, GTE, GT, EQ, NEQ, MEMBER, LEAF };
enum { COLUMNS = 5 };
enum { AVERAGE, SUM, LEAST, GREATEST };

struct branch {
    int64_t feature, mode, next[2]; /* next: if true, if false; places as in the operator's table */
    bool nan_is_true;
    double split;
};

struct forest {
    struct branch *branch;
    size_t n, cap;
    int64_t *root;
    size_t n_roots;
    /* Entries in the order of leaves; those of leaf i begin at start[i]. */
    int64_t *start, *target;
    double *weight;
    size_t n_leaves, n_entries;
};

/* ---- depth ---- */

/* Nodes whose depth is being found: on the way from a root. */
struct way {
    int64_t *at;
    size_t n;
};

static int64_t depth_of(const int64_t *depth, int64_t place, int64_t n)
{
    return place < n ? depth[place] : 0;
}

/* The most nodes on a way from a root to a leaf; -1: a way has no end. */
static int64_t forest_depth(struct onnx *o, const struct forest *f)
{
    enum { UNKNOWN = 0, OPEN = -1 };
    int64_t n = (int64_t)f->n, most = 0;
    int64_t *depth = arena_array(o->im.arena, f->n, sizeof *depth);
    struct way w = {arena_array(o->im.arena, f->n + 1, sizeof *w.at), 0};
    for (size_t r = 0; r < f->n_roots; r++) {
        if (f->root[r] < n && depth[f->root[r]] == UNKNOWN)
            w.at[w.n++] = f->root[r];
        while (w.n) {
            int64_t at = w.at[w.n - 1];
            const int64_t *next = f->branch[at].next;
            int64_t open = -1;
            depth[at] = OPEN;
            for (int i = 0; i < 2; i++) {
                if (depth_of(depth, next[i], n) == OPEN)
                    return -1;
                if (next[i] < n && depth[next[i]] == UNKNOWN)
                    open = next[i];
            }
            if (open >= 0) {
                w.at[w.n++] = open;
                continue;
            }
            int64_t a = depth_of(depth, next[0], n), b = depth_of(depth, next[1], n);
            depth[at] = 1 + (a > b ? a : b);
            w.n--;
        }
        int64_t own = depth_of(depth, f->root[r], n);
        most = own > most ? own : most;
    }
    return most;
}

/* ---- tables ---- */

static struct value *int_table(struct onnx *o, const int64_t *v, size_t n)
{
    int64_t dims = (int64_t)n;
    struct tensor *t = tensor_new(o->im.arena, DTYPE_I32, 1, &dims);
    for (size_t i = 0; i < n; i++)
        tensor_set_int(t, (int64_t)i, v[i]);
    return graph_add_constant(o->im.g, NULL, t);
}

static struct value *branch_table(struct onnx *o, const struct forest *f)
{
    const int64_t dims[2] = {(int64_t)f->n, COLUMNS};
    struct tensor *t = tensor_new(o->im.arena, DTYPE_I32, 2, dims);
    for (size_t i = 0; i < f->n; i++) {
        const struct branch *b = &f->branch[i];
        const int64_t row[COLUMNS] = {b->feature, b->mode, b->next[0], b->next[1], b->nan_is_true};
        for (int c = 0; c < COLUMNS; c++)
            tensor_set_int(t, (int64_t)i * COLUMNS + c, row[c]);
    }
    return graph_add_constant(o->im.g, NULL, t);
}

static struct value *split_table(struct onnx *o, const struct forest *f, enum dtype type)
{
    int64_t dims = (int64_t)f->n;
    double *v = arena_array(o->im.arena, f->n, sizeof *v);
    for (size_t i = 0; i < f->n; i++)
        v[i] = f->branch[i].split;
    return ml_constant(o, type, v, 1, &dims);
}

/* Trees of one leaf each have no branch at all, and the table needs one. */
static void add_branch_if_none(struct onnx *o, struct forest *f)
{
    if (f->n)
        return;
    ARENA_PUSH(o->im.arena, f->branch, f->n, f->cap) = (struct branch){.next = {1, 1}};
    for (size_t r = 0; r < f->n_roots; r++)
        f->root[r]++;
}

static struct value *emit(struct onnx *o, const struct draft *d, struct forest *f,
                          int64_t aggregate, int64_t n_targets)
{
    struct value *x = ml_rows(o, d, d->in[0]);
    if (!x)
        return NULL;
    add_branch_if_none(o, f);
    int64_t depth = forest_depth(o, f), n_entries = (int64_t)f->n_entries;
    if (depth < 0) {
        draft_error(o, d, SHEAF_ERROR_FORMAT, "a tree leads from a node back to it");
        return NULL;
    }
    struct value *in[7] = {x};
    in[1] = branch_table(o, f);
    in[2] = split_table(o, f, x->dtype);
    in[3] = int_table(o, f->root, f->n_roots);
    in[4] = int_table(o, f->start, f->n_leaves + 1);
    in[5] = int_table(o, f->target, f->n_entries);
    in[6] = ml_constant(o, x->dtype, f->weight, 1, &n_entries);
    struct node *n = build_begin(&o->im, OP_tree_ensemble, d->name, in, 7, 1);
    struct tree_ensemble_attrs *a = n->attrs;
    a->aggregate = aggregate;
    a->depth = depth;
    a->n_targets = n_targets;
    return build_end1(&o->im, n, NULL);
}

static bool bad_tables(struct onnx *o, const struct draft *d)
{
    return draft_error(o, d, SHEAF_ERROR_FORMAT,
                       "its lists of nodes and leaves are not of one length");
}

/* ---- TreeEnsemble ---- */

struct places {
    struct attr_ints feature, next[2], is_leaf[2], nan_is_true, target, root;
    const struct tensor *mode, *split, *weight, *members;
};

static bool take_tensor(struct onnx *o, struct draft *d, const char *name,
                        const struct tensor **out)
{
    struct draft_attr *a;
    if (!draft_take_kind(o, d, name, ATTR_KIND_TENSOR, &a))
        return false;
    *out = a ? a->u.tensor : NULL;
    return true;
}

static bool take_places(struct onnx *o, struct draft *d, struct places *p)
{
    memset(p, 0, sizeof *p);
    draft_take(d, "nodes_hitrates");
    if (!ml_take_ints(o, d, "nodes_featureids", &p->feature) ||
        !ml_take_ints(o, d, "nodes_truenodeids", &p->next[0]) ||
        !ml_take_ints(o, d, "nodes_falsenodeids", &p->next[1]) ||
        !ml_take_ints(o, d, "nodes_trueleafs", &p->is_leaf[0]) ||
        !ml_take_ints(o, d, "nodes_falseleafs", &p->is_leaf[1]) ||
        !ml_take_ints(o, d, "nodes_missing_value_tracks_true", &p->nan_is_true) ||
        !ml_take_ints(o, d, "leaf_targetids", &p->target) ||
        !ml_take_ints(o, d, "tree_roots", &p->root) ||
        !take_tensor(o, d, "nodes_modes", &p->mode) ||
        !take_tensor(o, d, "nodes_splits", &p->split) ||
        !take_tensor(o, d, "leaf_weights", &p->weight) ||
        !take_tensor(o, d, "membership_values", &p->members))
        return false;
    size_t n = p->feature.n;
    bool ok = p->next[0].n == n && p->next[1].n == n && p->is_leaf[0].n == n &&
              p->is_leaf[1].n == n && (!p->nan_is_true.n || p->nan_is_true.n == n) && p->mode &&
              p->split && p->weight && tensor_elems(p->mode) == (int64_t)n &&
              tensor_elems(p->split) == (int64_t)n &&
              tensor_elems(p->weight) == (int64_t)p->target.n;
    return ok || bad_tables(o, d);
}

/* How many branches node i becomes: one for each of its members, which end with a NaN. */
static size_t branches_of(const struct places *p, size_t i, int64_t *member)
{
    if (tensor_get_int(p->mode, (int64_t)i) != MEMBER)
        return 1;
    int64_t first = *member, n = p->members ? tensor_elems(p->members) : 0;
    while (*member < n && !isnan(tensor_get(p->members, *member)))
        ++*member;
    size_t count = (size_t)(*member - first);
    ++*member;
    return count;
}

/* A place of the model as one of the table; -1: there is none. */
static int64_t placed(const struct places *p, const int64_t *first, size_t n_branches, int side,
                      size_t i)
{
    int64_t to = p->next[side].v[i];
    bool leaf = p->is_leaf[side].v[i] != 0;
    int64_t limit = leaf ? (int64_t)p->target.n : (int64_t)p->feature.n;
    if (to < 0 || to >= limit)
        return -1;
    return leaf ? (int64_t)n_branches + to : first[to];
}

static bool add_branches(struct onnx *o, const struct draft *d, const struct places *p,
                         const int64_t *first, size_t n_branches, struct forest *f)
{
    int64_t member = 0;
    for (size_t i = 0; i < p->feature.n; i++) {
        struct branch b = {.feature = p->feature.v[i], .split = tensor_get(p->split, (int64_t)i)};
        b.mode = tensor_get_int(p->mode, (int64_t)i);
        b.next[0] = placed(p, first, n_branches, 0, i);
        b.next[1] = placed(p, first, n_branches, 1, i);
        b.nan_is_true = p->nan_is_true.n && p->nan_is_true.v[i];
        if (b.next[0] < 0 || b.next[1] < 0 || b.mode < LEQ || b.mode > MEMBER)
            return draft_error(o, d, SHEAF_ERROR_FORMAT,
                               "node %zu of a tree leads nowhere, or has no known mode", i);
        bool is_set = b.mode == MEMBER;
        int64_t at = member, if_false = b.next[1];
        size_t count = branches_of(p, i, &member);
        for (size_t c = 0; c < count; c++) {
            if (is_set) {
                b.mode = EQ;
                b.split = tensor_get(p->members, at + (int64_t)c);
                b.next[1] = c + 1 < count ? (int64_t)f->n + 1 : if_false;
            }
            ARENA_PUSH(o->im.arena, f->branch, f->n, f->cap) = b;
        }
    }
    return true;
}

/* Where the branches of each node begin. */
static bool number_branches(struct onnx *o, const struct draft *d, const struct places *p,
                            int64_t *first, size_t *out_n)
{
    int64_t member = 0;
    size_t n = 0;
    for (size_t i = 0; i < p->feature.n; i++) {
        size_t count = branches_of(p, i, &member);
        if (!count)
            return draft_error(o, d, SHEAF_ERROR_FORMAT, "node %zu of a tree has no members", i);
        first[i] = (int64_t)n;
        n += count;
    }
    *out_n = n;
    return true;
}

bool onnx_compose_tree_ensemble(struct onnx *o, struct draft *d)
{
    static const char *const posts[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
    struct places p;
    struct forest f = {0};
    struct arena *a = o->im.arena;
    int64_t aggregate, post, n_targets;
    size_t n = 0;
    if (!draft_need_inputs(o, d, 1) || !take_places(o, d, &p) ||
        !draft_take_int(o, d, "aggregate_function", SUM, &aggregate) ||
        !draft_take_int(o, d, "post_transform", 0, &post) ||
        !draft_take_int(o, d, "n_targets", 1, &n_targets))
        return false;
    if (post < 0 || post > 4)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "the post_transform %lld is not known",
                           (long long)post);
    int64_t *first = arena_array(a, p.feature.n, sizeof *first);
    if (!number_branches(o, d, &p, first, &n) || !add_branches(o, d, &p, first, n, &f))
        return false;
    f.n_roots = p.root.n;
    f.root = arena_array(a, f.n_roots, sizeof *f.root);
    for (size_t i = 0; i < f.n_roots; i++) {
        if (p.root.v[i] < 0 || p.root.v[i] >= (int64_t)p.feature.n)
            return draft_error(o, d, SHEAF_ERROR_FORMAT, "root %lld of a tree is no node",
                               (long long)p.root.v[i]);
        f.root[i] = first[p.root.v[i]];
    }
    f.n_leaves = f.n_entries = p.target.n;
    f.start = arena_array(a, f.n_leaves + 1, sizeof *f.start);
    f.weight = arena_array(a, f.n_entries, sizeof *f.weight);
    f.target = arena_array(a, f.n_entries, sizeof *f.target);
    for (size_t i = 0; i < f.n_leaves; i++) {
        f.start[i + 1] = (int64_t)i + 1;
        f.target[i] = p.target.v[i];
        f.weight[i] = tensor_get(p.weight, (int64_t)i);
    }
    struct value *y = emit(o, d, &f, aggregate, n_targets);
    return onnx_finish_as(o, d, ml_post_transform(o, d, posts[post], y), d->in[0]->dtype);
}

/* ---- trees whose nodes have names ---- */

struct name {
    int64_t tree, node;
    size_t at;
};

static int compare_names(const void *x, const void *y)
{
    const struct name *a = x, *b = y;
    if (a->tree != b->tree)
        return a->tree < b->tree ? -1 : 1;
    return a->node == b->node ? 0 : a->node < b->node ? -1 : 1;
}

struct named {
    struct attr_ints tree, node, feature, next[2], nan_is_true;
    struct draft_attr *mode;
    struct ml_numbers split;
    struct name *names; /* sorted */
    int64_t *place;     /* of each node, in the table */
    /* Entries of leaves. */
    struct attr_ints entry_tree, entry_node, target;
    struct ml_numbers weight, base;
};

static const struct name *find_name(const struct named *t, int64_t tree, int64_t node)
{
    const struct name key = {tree, node, 0};
    return bsearch(&key, t->names, t->node.n, sizeof key, compare_names);
}

static bool take_named(struct onnx *o, struct draft *d, const char *entries, struct named *t)
{
    struct ml_numbers rates;
    struct arena *a = o->im.arena;
    memset(t, 0, sizeof *t);
    if (!ml_take_ints(o, d, "nodes_treeids", &t->tree) ||
        !ml_take_ints(o, d, "nodes_nodeids", &t->node) ||
        !ml_take_ints(o, d, "nodes_featureids", &t->feature) ||
        !ml_take_ints(o, d, "nodes_truenodeids", &t->next[0]) ||
        !ml_take_ints(o, d, "nodes_falsenodeids", &t->next[1]) ||
        !ml_take_ints(o, d, "nodes_missing_value_tracks_true", &t->nan_is_true) ||
        !ml_take_numbers(o, d, "nodes_values", &t->split) ||
        !ml_take_numbers(o, d, "nodes_hitrates", &rates) ||
        !ml_take_numbers(o, d, "base_values", &t->base) ||
        !draft_take_kind(o, d, "nodes_modes", ATTR_KIND_STRINGS, &t->mode) ||
        !ml_take_ints(o, d, arena_printf(a, "%s_treeids", entries), &t->entry_tree) ||
        !ml_take_ints(o, d, arena_printf(a, "%s_nodeids", entries), &t->entry_node) ||
        !ml_take_ints(o, d, arena_printf(a, "%s_ids", entries), &t->target) ||
        !ml_take_numbers(o, d, arena_printf(a, "%s_weights", entries), &t->weight))
        return false;
    size_t n = t->node.n, e = t->target.n;
    bool ok = n && t->tree.n == n && t->feature.n == n && t->next[0].n == n && t->next[1].n == n &&
              t->split.n == n && t->mode && t->mode->u.strings.n == n &&
              (!t->nan_is_true.n || t->nan_is_true.n == n) && e && t->entry_tree.n == e &&
              t->entry_node.n == e && t->weight.n == e;
    return ok || bad_tables(o, d);
}

static enum mode mode_of(const char *text)
{
    static const char *const modes[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                                        "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(text, modes[i]))
            return (enum mode)i;
    return !strcmp(text, "LEAF") ? LEAF : MEMBER;
}

/* Names in order, and where each node is in the table. */
static bool place_nodes(struct onnx *o, const struct draft *d, struct named *t, struct forest *f)
{
    size_t n = t->node.n, branches = 0, leaves = 0;
    t->names = arena_array(o->im.arena, n, sizeof *t->names);
    t->place = arena_array(o->im.arena, n, sizeof *t->place);
    for (size_t i = 0; i < n; i++) {
        enum mode mode = mode_of(t->mode->u.strings.v[i]);
        t->names[i] = (struct name){t->tree.v[i], t->node.v[i], i};
        if (mode == MEMBER)
            return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                               "the mode '%s' of a node is not known", t->mode->u.strings.v[i]);
        branches += mode != LEAF;
    }
    f->n_leaves = n - branches;
    f->root = arena_array(o->im.arena, n, sizeof *f->root);
    for (size_t i = 0, b = 0; i < n; i++)
        t->place[i] = mode_of(t->mode->u.strings.v[i]) == LEAF ? (int64_t)(branches + leaves++)
                                                               : (int64_t)b++;
    qsort(t->names, n, sizeof *t->names, compare_names);
    for (size_t i = 1; i < n; i++)
        if (!compare_names(&t->names[i - 1], &t->names[i]))
            return draft_error(o, d, SHEAF_ERROR_FORMAT, "tree %lld has two nodes %lld",
                               (long long)t->names[i].tree, (long long)t->names[i].node);
    return true;
}

/* The first node that a model lists of a tree is its root. */
static void find_roots(struct onnx *o, const struct named *t, struct forest *f)
{
    size_t n = t->node.n;
    bool *is_root = arena_array(o->im.arena, n, sizeof *is_root);
    for (size_t i = 0; i < n;) {
        size_t first = t->names[i].at;
        int64_t tree = t->names[i].tree;
        for (; i < n && t->names[i].tree == tree; i++)
            first = t->names[i].at < first ? t->names[i].at : first;
        is_root[first] = true;
    }
    for (size_t i = 0; i < n; i++)
        if (is_root[i])
            f->root[f->n_roots++] = t->place[i];
}

static bool link_nodes(struct onnx *o, const struct draft *d, const struct named *t,
                       struct forest *f)
{
    for (size_t i = 0; i < t->node.n; i++) {
        enum mode mode = mode_of(t->mode->u.strings.v[i]);
        if (mode == LEAF)
            continue;
        struct branch b = {.feature = t->feature.v[i], .mode = (int64_t)mode};
        b.split = t->split.v[i];
        b.nan_is_true = t->nan_is_true.n && t->nan_is_true.v[i];
        for (int side = 0; side < 2; side++) {
            const struct name *to = find_name(t, t->tree.v[i], t->next[side].v[i]);
            if (!to)
                return draft_error(o, d, SHEAF_ERROR_FORMAT, "tree %lld has no node %lld",
                                   (long long)t->tree.v[i], (long long)t->next[side].v[i]);
            b.next[side] = t->place[to->at];
        }
        ARENA_PUSH(o->im.arena, f->branch, f->n, f->cap) = b;
    }
    return true;
}

/* Entries by leaf, in the order in which the model lists them. */
static bool fill_leaves(struct onnx *o, const struct draft *d, const struct named *t,
                        struct forest *f)
{
    struct arena *a = o->im.arena;
    size_t e = t->target.n, branches = t->node.n - f->n_leaves;
    int64_t *leaf = arena_array(a, e, sizeof *leaf);
    f->n_entries = e;
    f->start = arena_array(a, f->n_leaves + 2, sizeof *f->start);
    f->target = arena_array(a, e, sizeof *f->target);
    f->weight = arena_array(a, e, sizeof *f->weight);
    for (size_t i = 0; i < e; i++) {
        const struct name *at = find_name(t, t->entry_tree.v[i], t->entry_node.v[i]);
        leaf[i] = at ? t->place[at->at] - (int64_t)branches : -1;
        if (leaf[i] < 0)
            return draft_error(o, d, SHEAF_ERROR_FORMAT, "node %lld of tree %lld is no leaf",
                               (long long)t->entry_node.v[i], (long long)t->entry_tree.v[i]);
        f->start[leaf[i] + 2]++;
    }
    for (size_t i = 2; i < f->n_leaves + 2; i++)
        f->start[i] += f->start[i - 1];
    for (size_t i = 0; i < e; i++) {
        int64_t to = f->start[leaf[i] + 1]++;
        f->target[to] = t->target.v[i];
        f->weight[to] = t->weight.v[i];
    }
    return true;
}

static bool read_named(struct onnx *o, struct draft *d, const char *entries, struct named *t,
                       struct forest *f)
{
    if (!draft_need_inputs(o, d, 1) || !take_named(o, d, entries, t) || !place_nodes(o, d, t, f))
        return false;
    find_roots(o, t, f);
    return link_nodes(o, d, t, f) && fill_leaves(o, d, t, f);
}

/* y plus what each result starts from. */
static struct value *with_base(struct onnx *o, const struct draft *d, const struct named *t,
                               struct value *y)
{
    int64_t n = (int64_t)t->base.n;
    if (!y || !n)
        return y;
    if (n != 1 && n != y->shape.dims[1]) {
        draft_error(o, d, SHEAF_ERROR_SHAPE, "base_values has %lld numbers for %lld results",
                    (long long)n, (long long)y->shape.dims[1]);
        return NULL;
    }
    return compose_binary(o, OP_add, y, ml_constant(o, y->dtype, t->base.v, 1, &n), NULL);
}

bool onnx_compose_tree_regressor(struct onnx *o, struct draft *d)
{
    static const char *const kinds[] = {"AVERAGE", "SUM", "MIN", "MAX"};
    struct named t;
    struct forest f = {0};
    const char *post, *kind;
    int64_t n_targets, aggregate = AVERAGE;
    if (!ml_take_text(o, d, "post_transform", "NONE", &post) ||
        !ml_take_text(o, d, "aggregate_function", "SUM", &kind) ||
        !draft_take_int(o, d, "n_targets", 1, &n_targets) || !read_named(o, d, "target", &t, &f))
        return false;
    while (aggregate <= GREATEST && strcmp(kind, kinds[aggregate]))
        aggregate++;
    if (aggregate > GREATEST)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "the aggregate_function '%s' is not known", kind);
    struct value *y = with_base(o, d, &t, emit(o, d, &f, aggregate, n_targets));
    return onnx_finish_as(o, d, ml_post_transform(o, d, post, y), DTYPE_F32);
}

/* ---- the classifier ---- */

/* Two classes by the scores of the second alone, which is column `class` of y. */
static bool finish_binary(struct onnx *o, struct draft *d, const struct named *t,
                          const struct ml_labels *labels, const char *post, struct value *y)
{
    static const int64_t all = -1;
    bool positive = true;
    for (size_t i = 0; i < t->weight.n; i++)
        positive = positive && t->weight.v[i] >= 0;
    int64_t class = t->target.v[0];
    struct value *s = compose_slice(o, y, 1, class, class + 1, NULL);
    struct value *index = compose_number(o, OP_greater, s, positive ? 0.5 : 0);
    index = build_cast(&o->im, NULL, index, DTYPE_I64, NULL);
    if (!index)
        return false;
    index = build_reshape(&o->im, index, 1, &all, NULL);
    struct value *other = build_unary(&o->im, OP_neg, d->name, s);
    if (positive)
        other = compose_number(o, OP_add, other, 1);
    struct value *scores = compose_concat(o, other, s, 1, NULL);
    /* Scores that are probabilities already stay these. */
    return ml_finish_classes(o, d, labels, index,
                             positive ? scores : ml_post_transform(o, d, post, scores));
}

bool onnx_compose_tree_classifier(struct onnx *o, struct draft *d)
{
    struct named t;
    struct forest f = {0};
    struct ml_labels labels;
    const char *post;
    if (!ml_take_text(o, d, "post_transform", "NONE", &post) ||
        !ml_take_labels(o, d, "classlabels_int64s", "classlabels_strings", &labels) ||
        !read_named(o, d, "class", &t, &f))
        return false;
    if (labels.n < 2)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "a classifier with %zu classes is not supported", labels.n);
    struct value *y = with_base(o, d, &t, emit(o, d, &f, SUM, (int64_t)labels.n));
    if (!y)
        return false;
    bool single = labels.n == 2;
    for (size_t i = 1; i < t.target.n; i++)
        single = single && t.target.v[i] == t.target.v[0];
    if (single)
        return finish_binary(o, d, &t, &labels, post, y);
    struct node *n = build_begin(&o->im, OP_arg_max, d->name, &y, 1, 1);
    ((struct arg_max_attrs *)n->attrs)->axis = 1;
    ((struct arg_max_attrs *)n->attrs)->keepdims = 0;
    struct value *index = build_end1(&o->im, n, NULL);
    return ml_finish_classes(o, d, &labels, index, ml_post_transform(o, d, post, y));
}
