/*
 * ve_object.h: relocatable objects for the Vector Engine, which LLVM makes of its IR.
 */
#ifndef SHEAF_TESTS_VE_OBJECT_H
#define SHEAF_TESTS_VE_OBJECT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <llvm-c/Analysis.h>
#include <llvm-c/Core.h>
#include <llvm-c/IRReader.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>

#include "bundle/emit/emit.h"

/* The object of that IR, the arena's; what cannot be compiled fails the test. */
static inline struct bytes ve_object(struct arena *a, const char *ir, LLVMRelocMode relocations)
{
    static const char triple[] = "ve-unknown-linux-gnu";
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = NULL;
    LLVMTargetRef target = NULL;
    LLVMMemoryBufferRef object = NULL;
    char *words = NULL;
    LLVMInitializeAllTargetInfos();
    LLVMInitializeAllTargets();
    LLVMInitializeAllTargetMCs();
    LLVMInitializeAllAsmParsers();
    LLVMInitializeAllAsmPrinters();
    LLVMMemoryBufferRef text = LLVMCreateMemoryBufferWithMemoryRangeCopy(ir, strlen(ir), "network");
    if (LLVMParseIRInContext(context, text, &module, &words) ||
        LLVMGetTargetFromTriple(triple, &target, &words))
        fail_msg("%s", words);
    LLVMTargetMachineRef machine =
        LLVMCreateTargetMachine(target, triple, "generic", "+vpu", LLVMCodeGenLevelDefault,
                                relocations, LLVMCodeModelDefault);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetTarget(module, triple);
    LLVMSetModuleDataLayout(module, layout);
    if (LLVMVerifyModule(module, LLVMReturnStatusAction, &words))
        fail_msg("%s", words);
    LLVMDisposeMessage(words);
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMObjectFile, &words, &object))
        fail_msg("%s", words);
    struct bytes bytes = {arena_copy(a, LLVMGetBufferStart(object), LLVMGetBufferSize(object)),
                          LLVMGetBufferSize(object)};
    LLVMDisposeMemoryBuffer(object);
    LLVMDisposeTargetData(layout);
    LLVMDisposeTargetMachine(machine);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    return bytes;
}

/*
 * A program with every kind of section and of address: constants, data that is changed and data
 * that is cleared, of the file's own and of others, tables of addresses, a jump table, calls of
 * functions that others see, and those that they do not.  `run` is the function of ve_program_run.
 */
static const char VE_PROGRAM[] =
    "@table = internal constant [5 x i64] [i64 3, i64 14, i64 15, i64 92, i64 65]\n"
    "@counter = internal global i64 7\n"
    "@room = internal global [100 x i64] zeroinitializer\n"
    "@visible = global i64 1000\n"
    "@hidden = hidden global i64 21\n"
    "@other = internal constant [4 x i64] [i64 100, i64 200, i64 300, i64 400], align 64\n"
    "@places = internal constant [3 x ptr]\n"
    "    [ptr @table, ptr getelementptr (i64, ptr @other, i64 2), ptr @counter]\n"
    "@functions = internal constant [2 x ptr] [ptr @twice, ptr @thrice]\n"
    "define internal i64 @twice(i64 %x) noinline {\n"
    "  %c = load i64, ptr @counter\n"
    "  %c1 = add i64 %c, 1\n"
    "  store i64 %c1, ptr @counter\n"
    "  %r = shl i64 %x, 1\n"
    "  %s = add i64 %r, %c1\n"
    "  ret i64 %s\n"
    "}\n"
    "define i64 @thrice(i64 %x) noinline {\n"
    "  %t = call i64 @twice(i64 %x)\n"
    "  %v = load i64, ptr @visible\n"
    "  %v1 = add i64 %v, 10\n"
    "  store i64 %v1, ptr @visible\n"
    "  %r = add i64 %t, %v\n"
    "  ret i64 %r\n"
    "}\n"
    "define hidden i64 @aside(i64 %x) noinline {\n"
    "  %h = load i64, ptr @hidden\n"
    "  %r = mul i64 %x, %h\n"
    "  ret i64 %r\n"
    "}\n"
    "define i64 @run(i64 %x) {\n"
    "  %i = urem i64 %x, 5\n"
    "  %tp = getelementptr i64, ptr @table, i64 %i\n"
    "  %t = load i64, ptr %tp\n"
    "  %rp = getelementptr i64, ptr @room, i64 %x\n"
    "  %r = load i64, ptr %rp\n"
    "  %r1 = add i64 %r, %t\n"
    "  store i64 %r1, ptr %rp\n"
    "  %j = urem i64 %x, 3\n"
    "  %pp = getelementptr ptr, ptr @places, i64 %j\n"
    "  %p = load ptr, ptr %pp\n"
    "  %pv = load i64, ptr %p\n"
    "  %k = and i64 %x, 1\n"
    "  %fp = getelementptr ptr, ptr @functions, i64 %k\n"
    "  %f = load ptr, ptr %fp\n"
    "  %fv = call i64 %f(i64 %x)\n"
    "  switch i64 %x, label %else [i64 0, label %c0 i64 1, label %c1 i64 2, label %c2\n"
    "                              i64 3, label %c3 i64 4, label %c4 i64 5, label %c5]\n"
    "c0:\n  %v0 = call i64 @thrice(i64 5)\n  br label %end\n"
    "c1:\n  %v1 = call i64 @aside(i64 6)\n  br label %end\n"
    "c2:\n  %v2 = call i64 @twice(i64 7)\n  br label %end\n"
    "c3:\n  br label %end\n"
    "c4:\n  br label %end\n"
    "c5:\n  br label %end\n"
    "else:\n  br label %end\n"
    "end:\n"
    "  %s = phi i64 [%v0, %c0], [%v1, %c1], [%v2, %c2], [-33, %c3], [44, %c4], [55, %c5],\n"
    "               [1, %else]\n"
    "  %a = add i64 %r1, %pv\n"
    "  %b = add i64 %a, %fv\n"
    "  %c = mul i64 %b, 1000003\n"
    "  %d = add i64 %c, %s\n"
    "  ret i64 %d\n"
    "}\n";

struct ve_program {
    uint64_t counter, visible, room[100];
};

static const struct ve_program VE_PROGRAM_START = {.counter = 7, .visible = 1000};

static inline uint64_t ve_program_twice(struct ve_program *p, uint64_t x)
{
    return 2 * x + ++p->counter;
}

static inline uint64_t ve_program_thrice(struct ve_program *p, uint64_t x)
{
    uint64_t v = ve_program_twice(p, x) + p->visible;
    p->visible += 10;
    return v;
}

/* x is less than 100. */
static inline uint64_t ve_program_run(struct ve_program *p, uint64_t x)
{
    static const uint64_t table[] = {3, 14, 15, 92, 65};
    const uint64_t at_place[] = {3, 300, p->counter};
    uint64_t sum = (p->room[x] += table[x % 5]) + at_place[x % 3];
    sum += x % 2 ? ve_program_thrice(p, x) : ve_program_twice(p, x);
    uint64_t last = 1;
    switch (x) {
    case 0:
        last = ve_program_thrice(p, 5);
        break;
    case 1:
        last = 6 * 21;
        break;
    case 2:
        last = ve_program_twice(p, 7);
        break;
    case 3:
        last = (uint64_t)-33;
        break;
    case 4:
        last = 44;
        break;
    case 5:
        last = 55;
        break;
    }
    return sum * 1000003 + last;
}

#endif
