/*
 * vel_spill.c: no more vectors at a time than there are registers for, and no more masks.
 *
 * LLVM's back end for the VE cannot put vectors on the stack.  Of 65 at a time it gives one a
 * register that is none, and of more it ends the program.  Masks it stores wrongly: the number of a
 * mask's word becomes in the object that of a scalar register.  So this goes over the code last,
 * and puts aside what is too much: the vector whose next use is farthest (Belady) is stored once,
 * behind its definition, and loaded again before that use, and in each other block before its first
 * use there.  So it lives on in its own block at most, and what was too much nowhere becomes more:
 * one way through the blocks suffices.
 *
 * A phi has a register from the start of its block on, however few there are.  Where there are more
 * than registers, the last ones go through the stack: each block before stores its value, and the
 * block itself loads that first of all.
 *
 * A broadcast is stored as well and not made again, for of two equal ones LLVM makes one.  A vector
 * that lives across a call is put aside too, for functions keep none.
 *
 * Masks have registers of their own and take the same way, before the vectors.
 */
#include <assert.h>
#include <string.h>

#include "ve_runtime/codegen/vel_live.h"

enum {
    ELEMENT = 8, /* bytes */
    WORD_LANES = 64,
    MASK_WORDS = VEL_LANES / WORD_LANES,
    MASK_REGS = 12 /* of 15: LLVM's order may need some more than this one */
};

/* Where a vector is kept on the stack. */
struct slot {
    LLVMValueRef of, at;
};

/* A vector in the block that is gone through. */
struct held {
    LLVMValueRef now;  /* what holds it; NULL: it is in no register */
    LLVMValueRef slot; /* NULL: it was not put aside */
    uint32_t next;     /* where in the block it is used next, or how far behind */
};

struct spill {
    struct emit *e;
    struct vel vel; /* for making instructions */
    LLVMValueRef fn;
    struct slot *slots;
    size_t n_slots, cap_slots;
    LLVMValueRef *own; /* for what a block has for itself: each block begins with the first */
    size_t n_own, cap_own, n_own_used;
    int limit;
    struct live live;
    /* Of the block that is gone through: */
    int block;
    uint32_t length; /* instructions; behind them phis use, then other blocks */
    LLVMValueRef at; /* the instruction whose turn it is */
    struct held *held;
    int *regs; /* the vectors in registers */
    int n_regs;
    uint32_t *after; /* by use, from the last to the first: the value's next use */
    size_t n_after, cap_after;
    bool changed;
};

/* ---- the stack ---- */

static LLVMValueRef add_slot(struct spill *s)
{
    LLVMBasicBlockRef entry = LLVMGetEntryBasicBlock(s->fn);
    LLVMPositionBuilderBefore(s->e->b, LLVMGetFirstInstruction(entry));
    LLVMTypeRef words = LLVMArrayType2(s->e->i64, MASK_WORDS);
    LLVMValueRef slot = LLVMBuildAlloca(s->e->b, s->live.masks ? words : s->vel.data, "");
    LLVMSetAlignment(slot, ELEMENT);
    return slot;
}

static unsigned words_of(unsigned lanes)
{
    return (lanes + WORD_LANES - 1) / WORD_LANES;
}

/* The first is the slot itself. */
static LLVMValueRef word_at(struct spill *s, LLVMValueRef slot, unsigned i)
{
    LLVMValueRef number = vel_i64(&s->vel, i);
    return i ? LLVMBuildInBoundsGEP2(s->e->b, s->e->i64, slot, &number, 1, "") : slot;
}

static void store_mask(struct spill *s, LLVMValueRef mask, unsigned lanes, LLVMValueRef slot)
{
    for (unsigned i = 0; i < words_of(lanes); i++) {
        LLVMValueRef word = vel_op2(&s->vel, "svm.sms", mask, vel_i64(&s->vel, i));
        LLVMBuildStore(s->e->b, word, word_at(s, slot, i));
    }
}

/* The first word comes last. */
static LLVMValueRef load_mask(struct spill *s, unsigned lanes, LLVMValueRef slot)
{
    LLVMValueRef mask = LLVMGetPoison(s->vel.mask);
    for (unsigned i = words_of(lanes); i > 0; i--) {
        LLVMValueRef word = LLVMBuildLoad2(s->e->b, s->e->i64, word_at(s, slot, i - 1), "");
        LLVMValueRef args[3] = {mask, vel_i64(&s->vel, i - 1), word};
        mask = vel_op(&s->vel, "lvm.mmss", args, 3);
    }
    return mask;
}

static void store_before(struct spill *s, LLVMValueRef at, LLVMValueRef v, unsigned lanes,
                         LLVMValueRef slot)
{
    LLVMPositionBuilderBefore(s->e->b, at);
    if (s->live.masks) {
        store_mask(s, v, lanes, slot);
        return;
    }
    LLVMValueRef args[3] = {v, vel_i64(&s->vel, ELEMENT), slot};
    s->vel.lanes = lanes;
    vel_op(&s->vel, "vst.vssl", args, 3);
}

/* A label, of which nothing is seen in the code: LLVM moves nothing across it, and of two loads
   with one between them it does not make one. */
static void fence_before(struct spill *s, LLVMValueRef at)
{
    static const char name[] = "llvm.codeview.annotation", text[] = "fence";
    struct emit *e = s->e;
    unsigned id = LLVMLookupIntrinsicID(name, sizeof name - 1);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->mod, id, NULL, 0);
    LLVMMetadataRef string = LLVMMDStringInContext2(e->ctx, text, sizeof text - 1);
    LLVMMetadataRef node = LLVMMDNodeInContext2(e->ctx, &string, 1);
    LLVMValueRef arg = LLVMMetadataAsValue(e->ctx, node);
    LLVMPositionBuilderBefore(e->b, at);
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(fn), fn, &arg, 1, "");
}

static LLVMValueRef load_before(struct spill *s, LLVMValueRef at, unsigned lanes, LLVMValueRef slot)
{
    fence_before(s, at);
    LLVMPositionBuilderBefore(s->e->b, at);
    if (s->live.masks)
        return load_mask(s, lanes, slot);
    s->vel.lanes = lanes;
    return vel_op2(&s->vel, "vld.vssl", vel_i64(&s->vel, ELEMENT), slot);
}

/* Where a load of a vector reads; of other instructions, something else. */
static LLVMValueRef read_by(const struct spill *s, LLVMValueRef v)
{
    if (!LLVMIsACallInst(v) || LLVMGetNumArgOperands(v) != 3)
        return NULL;
    if (!s->live.masks)
        return LLVMGetOperand(v, 1);
    LLVMValueRef word = LLVMGetOperand(v, 2);
    return LLVMIsALoadInst(word) ? LLVMGetOperand(word, 0) : NULL;
}

/* Of a vector that was put aside before, or is loaded from where one was. */
static LLVMValueRef known_slot(const struct spill *s, LLVMValueRef v)
{
    LLVMValueRef from = read_by(s, v);
    for (size_t i = 0; i < s->n_slots; i++)
        if (s->slots[i].of == v || s->slots[i].at == from)
            return s->slots[i].at;
    return NULL;
}

/* ---- uses in other blocks ---- */

/* One load for all uses in the block that come before `until`; NULL: for all, those at its end
   included. */
static void load_in(struct spill *s, LLVMBasicBlockRef block, LLVMValueRef until, int x,
                    LLVMValueRef slot)
{
    LLVMValueRef end = LLVMGetBasicBlockTerminator(block), v = s->live.value[x], loaded = NULL;
    unsigned lanes = s->live.lanes[x];
    for (LLVMValueRef in = live_first(block); in && in != until; in = LLVMGetNextInstruction(in)) {
        for (unsigned i = 0; i < (unsigned)LLVMGetNumOperands(in); i++) {
            if (LLVMGetOperand(in, i) != v)
                continue;
            loaded = loaded ? loaded : load_before(s, in, lanes, slot);
            LLVMSetOperand(in, i, loaded);
        }
    }
    for (unsigned t = 0; !until && t < LLVMGetNumSuccessors(end); t++) {
        LLVMValueRef phi = LLVMGetFirstInstruction(LLVMGetSuccessor(end, t));
        for (; LLVMIsAPHINode(phi); phi = LLVMGetNextInstruction(phi)) {
            for (unsigned i = 0; i < LLVMCountIncoming(phi); i++) {
                if (LLVMGetIncomingBlock(phi, i) != block || LLVMGetIncomingValue(phi, i) != v)
                    continue;
                loaded = loaded ? loaded : load_before(s, end, lanes, slot);
                LLVMSetOperand(phi, i, loaded);
            }
        }
    }
}

/* Where a use reads: of a phi, at the end of the block before. */
static LLVMBasicBlockRef block_of_use(LLVMUseRef use, LLVMValueRef v, int nth)
{
    LLVMValueRef user = LLVMGetUser(use);
    if (!LLVMIsAPHINode(user))
        return nth ? NULL : LLVMGetInstructionParent(user);
    for (unsigned i = 0; i < LLVMCountIncoming(user); i++)
        if (LLVMGetIncomingValue(user, i) == v && nth-- == 0)
            return LLVMGetIncomingBlock(user, i);
    return NULL;
}

static void load_in_others(struct spill *s, int x, LLVMValueRef slot)
{
    const struct live *l = &s->live;
    LLVMValueRef v = l->value[x];
    bool *uses = arena_array(l->a, (size_t)l->n_blocks, sizeof *uses);
    for (LLVMUseRef use = LLVMGetFirstUse(v); use; use = LLVMGetNextUse(use)) {
        LLVMBasicBlockRef block;
        for (int i = 0; (block = block_of_use(use, v, i)); i++)
            uses[live_block(l, block)] = true;
    }
    for (int b = 0; b < l->n_blocks; b++)
        if (uses[b] && b != s->block && b != l->home[x])
            load_in(s, l->block[b], NULL, x, slot);
}

/* ---- registers ---- */

static LLVMValueRef behind(LLVMValueRef v)
{
    return LLVMIsAPHINode(v) ? live_first(LLVMGetInstructionParent(v)) : LLVMGetNextInstruction(v);
}

static LLVMValueRef slot_for(struct spill *s, int x)
{
    LLVMValueRef v = s->live.value[x];
    if (s->live.home[x] == s->block && s->live.next_out[s->block][x] == LIVE_NEVER) {
        if (s->n_own_used == s->n_own) {
            LLVMValueRef slot = add_slot(s);
            ARENA_PUSH(s->e->arena, s->own, s->n_own, s->cap_own) = slot;
        }
        return s->own[s->n_own_used++];
    }
    struct slot slot = {v, add_slot(s)};
    ARENA_PUSH(s->e->arena, s->slots, s->n_slots, s->cap_slots) = slot;
    return slot.at;
}

static void put_aside(struct spill *s, int x)
{
    LLVMValueRef v = s->live.value[x];
    struct held *h = &s->held[x];
    h->now = NULL;
    s->changed = true;
    if (h->slot)
        return;
    h->slot = known_slot(s, v);
    if (h->slot)
        return;
    h->slot = slot_for(s, x);
    if (s->live.home[x] != s->block)
        load_in(s, s->live.block[s->block], s->at, x, h->slot);
    load_in_others(s, x, h->slot);
    store_before(s, behind(v), v, s->live.lanes[x], h->slot);
}

static bool is_among(const int *values, int n, int x)
{
    for (int i = 0; i < n; i++)
        if (values[i] == x)
            return true;
    return false;
}

/* Until so many more can have registers, puts aside what is not among `kept`. */
static void make_room(struct spill *s, int limit, int more, const int *kept, int n_kept)
{
    while (s->n_regs + more > limit) {
        int farthest = -1;
        for (int i = 0; i < s->n_regs; i++) {
            if (is_among(kept, n_kept, s->regs[i]))
                continue;
            if (farthest < 0 || s->held[s->regs[i]].next > s->held[s->regs[farthest]].next)
                farthest = i;
        }
        assert(farthest >= 0);
        put_aside(s, s->regs[farthest]);
        s->regs[farthest] = s->regs[--s->n_regs];
    }
}

static void put_in_registers(struct spill *s, LLVMValueRef at, const int *values, int n)
{
    int missing = 0;
    for (int i = 0; i < n; i++)
        missing += !s->held[values[i]].now;
    make_room(s, s->limit, missing, values, n);
    for (int i = 0; i < n; i++) {
        struct held *h = &s->held[values[i]];
        if (h->now)
            continue;
        h->now = load_before(s, at, s->live.lanes[values[i]], h->slot);
        s->regs[s->n_regs++] = values[i];
    }
}

/* What nobody reads from a register any more. */
static void drop_unused(struct spill *s)
{
    int n = 0;
    for (int i = 0; i < s->n_regs; i++) {
        struct held *h = &s->held[s->regs[i]];
        if (h->next == LIVE_NEVER || (h->slot && h->next > s->length))
            h->now = NULL;
        else
            s->regs[n++] = s->regs[i];
    }
    s->n_regs = n;
}

/* ---- a block ---- */

/* Whether it is made a call of a function by LLVM, or is one. */
static bool is_call(LLVMValueRef in)
{
    static const char *const inlined[] = {
        "llvm.ve.",    "llvm.fabs.", "llvm.copysign.", "llvm.minnum.", "llvm.maxnum.",
        "llvm.smin.",  "llvm.smax.", "llvm.umin.",     "llvm.umax.",   "llvm.abs.",
        "llvm.ctlz.",  "llvm.cttz.", "llvm.fpto",      "llvm.fsh",     "llvm.lifetime.",
        "llvm.assume", "llvm.dbg.",  "llvm.codeview.", "llvm.usub.",   "llvm.uadd.",
        "llvm.ssub.",  "llvm.sadd.", "llvm.minimum.",  "llvm.maximum."};
    if (LLVMGetInstructionOpcode(in) == LLVMFRem)
        return true;
    if (LLVMGetInstructionOpcode(in) != LLVMCall || LLVMIsAInlineAsm(LLVMGetCalledValue(in)))
        return false;
    size_t length;
    LLVMValueRef fn = LLVMGetCalledValue(in);
    const char *name = LLVMIsAFunction(fn) ? LLVMGetValueName2(fn, &length) : "";
    for (size_t i = 0; i < sizeof inlined / sizeof *inlined; i++)
        if (!strncmp(name, inlined[i], strlen(inlined[i])))
            return false;
    return true;
}

static int add_distinct(int *values, int n, int x)
{
    if (x != LIVE_NONE && !is_among(values, n, x))
        values[n++] = x;
    return n;
}

/* The vectors that phis take from the block's end. */
static int read_at_end(const struct spill *s, int *out_values)
{
    LLVMBasicBlockRef block = s->live.block[s->block];
    LLVMValueRef end = LLVMGetBasicBlockTerminator(block);
    int n = 0;
    for (unsigned t = 0; t < LLVMGetNumSuccessors(end); t++) {
        LLVMValueRef phi = LLVMGetFirstInstruction(LLVMGetSuccessor(end, t));
        for (; LLVMIsAPHINode(phi); phi = LLVMGetNextInstruction(phi))
            for (unsigned i = 0; i < LLVMCountIncoming(phi); i++)
                if (LLVMGetIncomingBlock(phi, i) == block)
                    n = add_distinct(out_values, n,
                                     live_value(&s->live, LLVMGetIncomingValue(phi, i)));
    }
    return n;
}

/* From its end to its start: when each vector is used next from there, and, for each use, when
   again. */
static void find_next_uses(struct spill *s, const int *last, int n_last)
{
    const struct live *l = &s->live;
    LLVMBasicBlockRef block = l->block[s->block];
    s->length = 0;
    for (LLVMValueRef in = live_first(block); in; in = LLVMGetNextInstruction(in))
        s->length++;
    for (int x = 0; x < l->n; x++) {
        uint32_t out = l->next_out[s->block][x];
        s->held[x] =
            (struct held){.next = out == LIVE_NEVER ? out : live_farther(out, s->length + 1)};
    }
    for (int i = 0; i < n_last; i++)
        s->held[last[i]].next = s->length;
    uint32_t at = s->length;
    for (LLVMValueRef in = LLVMGetLastInstruction(block); at > 0;
         in = LLVMGetPreviousInstruction(in)) {
        at--;
        for (unsigned i = 0; i < (unsigned)LLVMGetNumOperands(in); i++) {
            int x = live_value(l, LLVMGetOperand(in, i));
            if (x == LIVE_NONE)
                continue;
            ARENA_PUSH(l->a, s->after, s->n_after, s->cap_after) = s->held[x].next;
            s->held[x].next = at;
        }
    }
}

/* What is in registers at the block's start: of its own the phis, which stay there. */
static void enter(struct spill *s)
{
    const struct live *l = &s->live;
    LLVMBasicBlockRef block = l->block[s->block];
    int *phis = arena_array(l->a, (size_t)s->limit, sizeof *phis), n_phis = 0;
    s->n_regs = 0;
    for (int x = 0; x < l->n; x++) {
        bool is_phi = l->home[x] == s->block && LLVMIsAPHINode(l->value[x]);
        bool is_used =
            is_phi ? s->held[x].next != LIVE_NEVER : l->next_in[s->block][x] != LIVE_NEVER;
        if (!is_used)
            continue;
        if (is_phi)
            phis[n_phis++] = x;
        s->held[x].now = l->value[x];
        s->regs[s->n_regs++] = x;
    }
    s->at = live_first(block);
    make_room(s, s->limit, 0, phis, n_phis);
}

static void step(struct spill *s, LLVMValueRef in)
{
    const struct live *l = &s->live;
    int *read = arena_array(l->a, (size_t)LLVMGetNumOperands(in) + 1, sizeof *read), n = 0;
    for (unsigned i = 0; i < (unsigned)LLVMGetNumOperands(in); i++)
        n = add_distinct(read, n, live_value(l, LLVMGetOperand(in, i)));
    s->at = in;
    put_in_registers(s, in, read, n);
    for (unsigned i = (unsigned)LLVMGetNumOperands(in); i-- > 0;) {
        int x = live_value(l, LLVMGetOperand(in, i));
        if (x == LIVE_NONE)
            continue;
        s->held[x].next = s->after[--s->n_after];
        if (s->held[x].now != l->value[x])
            LLVMSetOperand(in, i, s->held[x].now);
    }
    drop_unused(s);
    if (is_call(in))
        make_room(s, 0, 0, NULL, 0);
    int made = live_value(l, in);
    if (made == LIVE_NONE || s->held[made].next == LIVE_NEVER)
        return;
    s->held[made].now = in;
    s->regs[s->n_regs++] = made;
    s->at = LLVMGetNextInstruction(in);
    make_room(s, s->limit, 0, NULL, 0);
}

/* Of the vectors that phis take from a block's end. */
struct taken {
    int n;                /* registers: of one that two phis of a block take, two */
    LLVMValueRef of_most; /* the last phi of the block that has most */
};

static struct taken count_taken(LLVMBasicBlockRef block, struct arena *a, bool masks)
{
    LLVMValueRef end = LLVMGetBasicBlockTerminator(block), *seen = NULL;
    size_t n = 0, cap = 0;
    struct taken r = {0, NULL};
    int most = 0;
    for (unsigned t = 0; t < LLVMGetNumSuccessors(end); t++) {
        LLVMValueRef phi = LLVMGetFirstInstruction(LLVMGetSuccessor(end, t)), last = NULL;
        int n_phis = 0;
        size_t before = n;
        for (; LLVMIsAPHINode(phi); phi = LLVMGetNextInstruction(phi)) {
            if (!live_is_vector(phi, masks))
                continue;
            LLVMValueRef v = NULL;
            for (unsigned i = 0; i < LLVMCountIncoming(phi); i++)
                if (LLVMGetIncomingBlock(phi, i) == block)
                    v = LLVMGetIncomingValue(phi, i);
            bool by_others = false;
            for (size_t i = 0; i < before; i++)
                by_others |= seen[i] == v;
            ARENA_PUSH(a, seen, n, cap) = v;
            r.n += !by_others;
            last = phi;
            n_phis++;
        }
        r.of_most = n_phis > most ? last : r.of_most;
        most = n_phis > most ? n_phis : most;
    }
    r.n = r.n > most ? r.n : most;
    return r;
}

static bool is_read_behind(const struct spill *s, int x)
{
    return s->held[x].now && !s->held[x].slot && s->live.next_out[s->block][x] != LIVE_NEVER;
}

/* Whether the phi is still read when the vector is there that it takes next. */
static bool outlasts(const struct live *l, int phi, int x)
{
    LLVMValueRef of_phi = l->value[phi], in = l->value[x];
    if (LLVMIsAPHINode(in) || l->next_out[l->home[x]][phi] != LIVE_NEVER)
        return true;
    while ((in = LLVMGetNextInstruction(in)))
        for (unsigned i = 0; i < (unsigned)LLVMGetNumOperands(in); i++)
            if (LLVMGetOperand(in, i) == of_phi)
                return true;
    return false;
}

/* Whether a vector that others read and a phi takes is held twice at the block's end.  LLVM puts a
   block of copies between this one and that of the phi, but not on the way back to a loop's start,
   where the phi's register is free unless its old value is still read; nor where the phi's own
   block reads it too. */
static bool is_held_twice(const struct spill *s, int x)
{
    const struct live *l = &s->live;
    LLVMBasicBlockRef block = l->block[s->block];
    LLVMValueRef end = LLVMGetBasicBlockTerminator(block);
    for (unsigned t = 0; t < LLVMGetNumSuccessors(end); t++) {
        LLVMBasicBlockRef to = LLVMGetSuccessor(end, t);
        LLVMValueRef phi = LLVMGetFirstInstruction(to);
        for (; LLVMIsAPHINode(phi); phi = LLVMGetNextInstruction(phi))
            for (unsigned i = 0; i < LLVMCountIncoming(phi); i++)
                if (LLVMGetIncomingBlock(phi, i) == block &&
                    live_value(l, LLVMGetIncomingValue(phi, i)) == x &&
                    (l->next_in[live_block(l, to)][x] != LIVE_NEVER ||
                     (l->goes_back[s->block] && outlasts(l, live_value(l, phi), x))))
                    return true;
    }
    return false;
}

/* Registers at the block's end, where `n_taken` are for phis; *out_farthest is the vector of those
   that others read as well, or only they, which is read last. */
static int count_at_end(const struct spill *s, int n_taken, const int *last, int n_last,
                        int *out_farthest)
{
    const uint32_t *out = s->live.next_out[s->block];
    int n = n_taken;
    *out_farthest = LIVE_NONE;
    for (int i = 0; i < s->n_regs; i++) {
        int x = s->regs[i];
        if (!is_read_behind(s, x) || (is_among(last, n_last, x) && !is_held_twice(s, x)))
            continue;
        n++;
        if (*out_farthest < 0 || out[x] > out[*out_farthest])
            *out_farthest = x;
    }
    return n;
}

/* What phis take and others read as well LLVM copies into registers of their own. */
static void leave(struct spill *s, const int *last, int n_last)
{
    const struct live *l = &s->live;
    LLVMBasicBlockRef block = l->block[s->block];
    LLVMValueRef end = LLVMGetBasicBlockTerminator(block);
    int n_taken = count_taken(block, l->a, l->masks).n, n = 0, farthest;
    s->at = end;
    while (count_at_end(s, n_taken, last, n_last, &farthest) > s->limit) {
        struct held *h = &s->held[farthest];
        LLVMValueRef now = h->now;
        put_aside(s, farthest);
        h->now = l->home[farthest] == s->block ? now : NULL;
    }
    for (int i = 0; i < s->n_regs; i++) {
        int x = s->regs[i];
        if (s->held[x].now && (!s->held[x].slot || is_among(last, n_last, x)))
            s->regs[n++] = x;
    }
    s->n_regs = n;
    put_in_registers(s, end, last, n_last);
    for (unsigned t = 0; t < LLVMGetNumSuccessors(end); t++) {
        LLVMValueRef phi = LLVMGetFirstInstruction(LLVMGetSuccessor(end, t));
        for (; LLVMIsAPHINode(phi); phi = LLVMGetNextInstruction(phi))
            for (unsigned i = 0; i < LLVMCountIncoming(phi); i++) {
                int x = live_value(l, LLVMGetIncomingValue(phi, i));
                if (LLVMGetIncomingBlock(phi, i) == block && x != LIVE_NONE)
                    LLVMSetOperand(phi, i, s->held[x].now);
            }
    }
}

static void do_block(struct spill *s)
{
    size_t n = (size_t)s->live.n;
    int *last = arena_array(s->live.a, n + 1, sizeof *last);
    int n_last = read_at_end(s, last);
    s->held = arena_array(s->live.a, n + 1, sizeof *s->held);
    s->regs = arena_array(s->live.a, n + 1, sizeof *s->regs);
    s->after = NULL;
    s->n_after = s->cap_after = 0;
    s->n_own_used = 0;
    s->changed = false;
    find_next_uses(s, last, n_last);
    enter(s);
    LLVMValueRef next;
    for (LLVMValueRef in = s->at; in; in = next) {
        next = LLVMGetNextInstruction(in);
        step(s, in);
    }
    leave(s, last, n_last);
}

/* ---- phis ---- */

static void through_stack(struct spill *s, LLVMValueRef phi)
{
    unsigned lanes = s->live.lanes[live_value(&s->live, phi)];
    LLVMValueRef slot = add_slot(s);
    for (unsigned i = 0; i < LLVMCountIncoming(phi); i++) {
        LLVMValueRef v = LLVMGetIncomingValue(phi, i);
        LLVMValueRef end = LLVMGetBasicBlockTerminator(LLVMGetIncomingBlock(phi, i));
        if (!LLVMIsUndef(v))
            store_before(s, end, v, lanes, slot);
    }
    LLVMReplaceAllUsesWith(phi, load_before(s, behind(phi), lanes, slot));
    LLVMInstructionEraseFromParent(phi);
    s->changed = true;
}

/* Behind a block they take no more than there are registers. */
static void limit_phis(struct spill *s)
{
    for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(s->fn); b; b = LLVMGetNextBasicBlock(b)) {
        struct taken t;
        while (t = count_taken(b, s->live.a, s->live.masks), t.n > s->limit)
            through_stack(s, t.of_most);
    }
}

/* ---- order ---- */

/*
 * LLVM orders instructions once more, and may load much before it uses any of it.  Fences leave it
 * a few vectors at a time, where a block has more than registers, those from before included.
 */
static void fence_block(struct spill *s, int b)
{
    enum { APART = 4 };
    const struct live *l = &s->live;
    int n = 0, made = 0;
    for (int x = 0; x < l->n; x++)
        n += l->home[x] == b || l->next_in[b][x] != LIVE_NEVER;
    if (n <= s->limit)
        return;
    for (LLVMValueRef in = live_first(l->block[b]); in; in = LLVMGetNextInstruction(in)) {
        made += live_is_vector(in, l->masks);
        if (made < APART || LLVMIsATerminatorInst(in))
            continue;
        made = 0;
        fence_before(s, LLVMGetNextInstruction(in));
    }
}

/* ---- functions ---- */

static bool may_need_it(LLVMValueRef fn, int limit, bool masks)
{
    int n = 0;
    bool calls = false;
    for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(fn); b; b = LLVMGetNextBasicBlock(b))
        for (LLVMValueRef in = LLVMGetFirstInstruction(b); in; in = LLVMGetNextInstruction(in)) {
            /* A phi, and the copy of what it takes. */
            n += live_is_vector(in, masks) * (LLVMIsAPHINode(in) ? 2 : 1);
            calls |= is_call(in);
        }
    return n > limit || (n > 0 && calls);
}

static void renew(struct spill *s, struct arena *scratch)
{
    bool masks = s->live.masks;
    arena_done(scratch);
    live_init(&s->live, scratch, s->fn, masks);
}

static void do_function(struct emit *e, LLVMValueRef fn, bool masks)
{
    int limit = masks ? MASK_REGS : e->target->n_vector_regs;
    struct spill s = {.e = e, .fn = fn, .limit = limit};
    struct arena scratch;
    if (!may_need_it(fn, s.limit, masks))
        return;
    vel_init(&s.vel, e);
    arena_init(&scratch);
    live_init(&s.live, &scratch, fn, masks);
    limit_phis(&s);
    if (s.changed)
        renew(&s, &scratch);
    for (s.block = 0; s.block < s.live.n_blocks; s.block++) {
        do_block(&s);
        if (s.changed)
            renew(&s, &scratch);
    }
    for (int b = 0; b < s.live.n_blocks; b++)
        fence_block(&s, b);
    arena_done(&scratch);
}

void vel_spill(struct emit *e)
{
    for (LLVMValueRef fn = LLVMGetFirstFunction(e->mod); fn; fn = LLVMGetNextFunction(fn))
        for (int masks = 1; masks >= 0 && !LLVMIsDeclaration(fn); masks--)
            do_function(e, fn, masks);
}
