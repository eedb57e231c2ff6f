/*
 * list.h: what a sequence or optional is while a model is read, and how one goes through the
 * blocks of If and Loop.
 *
 * A list whose length is known is a list of values.  Where a branch or the number of rounds decides
 * what is in it, it is a tensor with room for so many elements, each padded to one size, their
 * number, and, where they differ, the size of each.
 */
#ifndef SHEAF_LOADER_IMPORT_ONNX_LIST_H
#define SHEAF_LOADER_IMPORT_ONNX_LIST_H

#include "loader/import/onnx/onnx.h"

/* The room for an element of a list: a bound that holds all of them. */
struct list_room {
    bool is_known; /* by at least one element */
    bool strings;
    enum dtype dtype;
    int rank;
    int64_t dims[MAX_RANK];
    bool open[MAX_RANK]; /* the extents of elements differ, or are known only at run time */
};

struct sequence {
    struct value stands_for; /* the first member: found by its address */
    bool is_nothing;         /* an optional without a value */
    size_t n;                /* how many elements; at run time at most */
    struct value **element;  /* where `stacked` is NULL */
    struct list_room room;
    struct value *stacked; /* [n, room.dims]; NULL: all are known while the model is read */
    struct value *length;  /* i64 */
    struct value *sizes;   /* i64 [n, room.rank]; NULL: no dimension is open */
    struct value *present; /* bool; NULL: it is a sequence, or an optional that has a value */
    bool is_tensor;        /* an optional tensor, the only element */
};

/* NULL: v is a tensor. */
struct sequence *onnx_sequence_of(const struct value *v);
struct sequence *onnx_sequence_new(struct onnx *o, size_t n);

/* What one name stands for in both branches of an If, or before and behind a round of a Loop. */
struct list_form {
    bool is_list, is_tensor, can_be_nothing, is_nothing;
    bool is_fixed; /* lists of one known length: they stay so, element by element */
    size_t n;
    struct list_room room;
};

/* The form takes `v` (a tensor, sequence or nothing) too; the first one where it is all zero. */
bool list_form_join(struct onnx *o, const struct draft *d, struct list_form *f,
                    const struct value *v);
/* Whether it is a tensor that needs no more than its value. */
bool list_form_is_plain(const struct list_form *f);
size_t list_form_parts(const struct list_form *f);
/* Whether all elements have the size of the room. */
bool list_form_is_even(const struct list_form *f);
/* The values that carry v, at the end of the block in work; NULL after a fault. */
struct value **list_form_pack(struct onnx *o, const struct draft *d, const struct list_form *f,
                              struct value *v);
struct value *list_form_unpack(struct onnx *o, const struct list_form *f,
                               struct value *const *parts);

/* ---- control.c: what If and Loop share ---- */

struct onnx_result {
    struct list_form form;
    size_t first; /* set: the node's output of its first part */
};

/* A node with blocks. */
struct onnx_control {
    struct value **in;
    size_t n_in;
    struct block **blocks;
    size_t n_blocks;
    struct onnx_result *out;
    size_t n_out;
};

/* The node, and the draft's outputs of its own. */
bool onnx_emit_control(struct onnx *o, struct draft *d, const struct onnx_control *c);

/* ---- list.c: operators on lists that are known at run time ---- */

struct sequence *list_at_run_time(struct onnx *o, const struct draft *d, const struct value *v);
/* position NULL: behind the last. */
struct value *list_insert(struct onnx *o, const struct draft *d, const struct sequence *s,
                          struct value *x, struct value *position);
/* position NULL: the last. */
struct value *list_erase(struct onnx *o, const struct draft *d, const struct sequence *s,
                         struct value *position);
struct value *list_pick(struct onnx *o, const struct draft *d, const struct sequence *s,
                        struct value *position);
/* All elements along `axis`, which is a new one or not. */
struct value *list_join(struct onnx *o, const struct draft *d, const struct sequence *s,
                        int64_t axis, bool new_axis);
/* The most that a number of rounds can be where it is the length of a list; -1: it is none. */
int64_t list_most(const struct onnx *o, const struct value *length);

#endif
