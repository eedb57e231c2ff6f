/* Next uses of vectors: backwards through each block, again until nothing changes. */
#include "ve_runtime/codegen/vel_live.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct live_name {
    LLVMValueRef of;
    int number;
};

bool live_is_vector(LLVMValueRef v, bool mask)
{
    return LLVMIsAInstruction(v) && vel_is_vector(v) &&
           (LLVMGetTypeKind(LLVMGetElementType(LLVMTypeOf(v))) == LLVMIntegerTypeKind) == mask;
}

/* ---- numbers ---- */

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct live_name *)a)->of;
    uintptr_t y = (uintptr_t)((const struct live_name *)b)->of;
    return x < y ? -1 : x > y;
}

static int number_of(const struct live *l, LLVMValueRef v)
{
    struct live_name key = {.of = v};
    const struct live_name *found =
        bsearch(&key, l->name, (size_t)(l->n + l->n_blocks), sizeof key, by_address);
    return found ? found->number : LIVE_NONE;
}

int live_value(const struct live *l, LLVMValueRef v)
{
    return live_is_vector(v, l->masks) ? number_of(l, v) : LIVE_NONE;
}

int live_block(const struct live *l, LLVMBasicBlockRef block)
{
    return number_of(l, LLVMBasicBlockAsValue(block));
}

static void number_all(struct live *l, LLVMValueRef fn)
{
    size_t n_values = 0, n_blocks = LLVMCountBasicBlocks(fn);
    for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(fn); b; b = LLVMGetNextBasicBlock(b))
        for (LLVMValueRef in = LLVMGetFirstInstruction(b); in; in = LLVMGetNextInstruction(in))
            n_values += live_is_vector(in, l->masks);
    l->block = arena_array(l->a, n_blocks, sizeof *l->block);
    l->value = arena_array(l->a, n_values + 1, sizeof *l->value);
    l->home = arena_array(l->a, n_values + 1, sizeof *l->home);
    l->lanes = arena_array(l->a, n_values + 1, sizeof *l->lanes);
    l->name = arena_array(l->a, n_values + n_blocks, sizeof *l->name);
    for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(fn); b; b = LLVMGetNextBasicBlock(b)) {
        l->name[l->n + l->n_blocks] = (struct live_name){LLVMBasicBlockAsValue(b), l->n_blocks};
        l->block[l->n_blocks++] = b;
        for (LLVMValueRef in = LLVMGetFirstInstruction(b); in; in = LLVMGetNextInstruction(in)) {
            if (!live_is_vector(in, l->masks))
                continue;
            l->name[l->n + l->n_blocks] = (struct live_name){in, l->n};
            l->home[l->n] = l->n_blocks - 1;
            l->value[l->n++] = in;
        }
    }
    qsort(l->name, n_values + n_blocks, sizeof *l->name, by_address);
}

/* ---- lanes ---- */

static bool is_named(const char *name, const char *start)
{
    return strncmp(name, start, strlen(start)) == 0;
}

/* That an instruction reads itself, where its last operand tells: of intrinsics whose names end so,
   the number of lanes; of those that take one lane or word out, which.  What puts one in, and
   operations on masks alone, read no more than what they give is read. */
static unsigned lanes_read(LLVMValueRef in)
{
    enum { WORD_LANES = 64 };
    size_t length = 0;
    const char *name = "";
    if (LLVMIsAPHINode(in))
        return 0;
    if (LLVMIsACallInst(in) && LLVMIsAFunction(LLVMGetCalledValue(in)))
        name = LLVMGetValueName2(LLVMGetCalledValue(in), &length);
    if (!is_named(name, "llvm.ve.vl."))
        return VEL_LANES;
    LLVMValueRef last = LLVMGetOperand(in, LLVMGetNumArgOperands(in) - 1);
    bool takes_lane = is_named(name, "llvm.ve.vl.lvs");
    bool takes_word = is_named(name, "llvm.ve.vl.svm");
    if (name[length - 1] != 'l' && !takes_lane && !takes_word)
        return is_named(name, "llvm.ve.vl.lsv") || strstr(name, ".mm") ? 0 : VEL_LANES;
    if (!LLVMIsAConstantInt(last))
        return VEL_LANES;
    unsigned n = (unsigned)LLVMConstIntGetZExtValue(last);
    return takes_word ? WORD_LANES * (n + 1) : n + takes_lane;
}

/* A vector may keep lanes of an operand: what is read of it is read of that too. */
static void find_lanes(struct live *l)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (int x = l->n - 1; x >= 0; x--) {
            unsigned lanes = l->lanes[x];
            for (LLVMUseRef use = LLVMGetFirstUse(l->value[x]); use; use = LLVMGetNextUse(use)) {
                LLVMValueRef in = LLVMGetUser(use);
                int made = live_value(l, in);
                unsigned read = lanes_read(in), kept = made == LIVE_NONE ? 0 : l->lanes[made];
                lanes = read > lanes ? read : lanes;
                lanes = kept > lanes ? kept : lanes;
            }
            changed |= lanes != l->lanes[x];
            l->lanes[x] = lanes;
        }
    }
}

/* ---- loops ---- */

enum { UNSEEN, OPEN, DONE };

/* All from which block `from` is reached without passing `head`. */
static void deepen(struct live *l, int head, int from)
{
    bool *inside = arena_array(l->a, (size_t)l->n_blocks, sizeof *inside), changed = true;
    inside[head] = inside[from] = true;
    while (changed) {
        changed = false;
        for (int b = 0; b < l->n_blocks; b++) {
            LLVMValueRef end = LLVMGetBasicBlockTerminator(l->block[b]);
            for (unsigned s = 0; !inside[b] && s < LLVMGetNumSuccessors(end); s++) {
                int to = live_block(l, LLVMGetSuccessor(end, s));
                changed |= inside[b] = to != head && inside[to];
            }
        }
    }
    for (int b = 0; b < l->n_blocks; b++)
        l->depth[b] += inside[b];
}

static void find_loops(struct live *l, int b, uint8_t *seen)
{
    LLVMValueRef end = LLVMGetBasicBlockTerminator(l->block[b]);
    seen[b] = OPEN;
    for (unsigned s = 0; s < LLVMGetNumSuccessors(end); s++) {
        int to = live_block(l, LLVMGetSuccessor(end, s));
        if (seen[to] == OPEN) {
            deepen(l, to, b);
            l->goes_back[b] = true;
        } else if (seen[to] == UNSEEN) {
            find_loops(l, to, seen);
        }
    }
    seen[b] = DONE;
}

/* ---- next uses ---- */

LLVMValueRef live_first(LLVMBasicBlockRef block)
{
    LLVMValueRef in = LLVMGetFirstInstruction(block);
    while (LLVMIsAPHINode(in))
        in = LLVMGetNextInstruction(in);
    return in;
}

static void use_at(const struct live *l, uint32_t *next, LLVMValueRef v, uint32_t at)
{
    int x = live_value(l, v);
    if (x != LIVE_NONE && at < next[x])
        next[x] = at;
}

uint32_t live_farther(uint32_t next, uint32_t by)
{
    return next > LIVE_NEVER - 1 - by ? LIVE_NEVER - 1 : next + by;
}

/* What its successors use, from its end on. */
static void look_behind(struct live *l, int b)
{
    LLVMValueRef end = LLVMGetBasicBlockTerminator(l->block[b]);
    uint32_t *next = l->next_out[b];
    for (unsigned s = 0; s < LLVMGetNumSuccessors(end); s++) {
        LLVMBasicBlockRef block = LLVMGetSuccessor(end, s);
        int to = live_block(l, block), out = l->depth[b] - l->depth[to];
        uint32_t way = out > 0 ? (uint32_t)out * LIVE_LOOP : 0;
        for (int x = 0; x < l->n; x++)
            if (l->next_in[to][x] != LIVE_NEVER && live_farther(l->next_in[to][x], way) < next[x])
                next[x] = live_farther(l->next_in[to][x], way);
    }
}

/* `next` is room for one number of each vector.  Returns whether anything came nearer. */
static bool look_inside(struct live *l, int b, uint32_t *next)
{
    uint32_t length = 0;
    bool nearer = false;
    for (LLVMValueRef in = live_first(l->block[b]); in; in = LLVMGetNextInstruction(in))
        length++;
    for (int x = 0; x < l->n; x++)
        next[x] =
            l->next_out[b][x] == LIVE_NEVER ? LIVE_NEVER : live_farther(l->next_out[b][x], length);
    LLVMValueRef end = LLVMGetBasicBlockTerminator(l->block[b]);
    for (unsigned s = 0; s < LLVMGetNumSuccessors(end); s++) {
        LLVMValueRef phi = LLVMGetFirstInstruction(LLVMGetSuccessor(end, s));
        for (; LLVMIsAPHINode(phi); phi = LLVMGetNextInstruction(phi))
            for (unsigned i = 0; i < LLVMCountIncoming(phi); i++)
                if (LLVMGetIncomingBlock(phi, i) == l->block[b])
                    use_at(l, next, LLVMGetIncomingValue(phi, i), length);
    }
    uint32_t at = 0;
    for (LLVMValueRef in = live_first(l->block[b]); in; in = LLVMGetNextInstruction(in), at++)
        for (unsigned i = 0; i < (unsigned)LLVMGetNumOperands(in); i++)
            use_at(l, next, LLVMGetOperand(in, i), at);
    for (int x = 0; x < l->n; x++) {
        if (l->home[x] == b || next[x] >= l->next_in[b][x])
            continue;
        l->next_in[b][x] = next[x];
        nearer = true;
    }
    return nearer;
}

void live_init(struct live *l, struct arena *a, LLVMValueRef fn, bool masks)
{
    *l = (struct live){.a = a, .masks = masks};
    number_all(l, fn);
    find_lanes(l);
    size_t n_blocks = (size_t)l->n_blocks, n = (size_t)l->n;
    l->depth = arena_array(a, n_blocks, sizeof *l->depth);
    l->goes_back = arena_array(a, n_blocks, sizeof *l->goes_back);
    find_loops(l, 0, arena_array(a, n_blocks, 1));
    l->next_in = arena_array(a, n_blocks, sizeof *l->next_in);
    l->next_out = arena_array(a, n_blocks, sizeof *l->next_out);
    uint32_t *all = arena_array(a, (2 * n_blocks + 1) * n + 1, sizeof *all);
    for (size_t i = 0; i < 2 * n_blocks * n; i++)
        all[i] = LIVE_NEVER;
    for (size_t b = 0; b < n_blocks; b++) {
        l->next_in[b] = all + 2 * b * n;
        l->next_out[b] = all + (2 * b + 1) * n;
    }
    for (bool nearer = true; nearer;) {
        nearer = false;
        for (int b = l->n_blocks - 1; b >= 0; b--) {
            look_behind(l, b);
            nearer |= look_inside(l, b, all + 2 * n_blocks * n);
        }
    }
}
