/*
 * ve.h: a simulator of NEC's Vector Engine (first generation, VE1) that runs real objects.
 *
 * An image is one process of the engine: memory, libraries in it (ELF relocatable objects or shared
 * objects), and contexts, each of which is a core that runs one call at a time.  Instructions are
 * decoded from the bytes in memory, following the "SX-Aurora TSUBASA Architecture Guide" Rev 1.1
 * (chapters 5 and 8).  Whatever real hardware would answer with an exception, and more than that,
 * ends the call with one sentence that names the instruction, its place and the address: an access
 * outside of all areas, to bytes or elements that nobody wrote, or that is not aligned; an unknown
 * instruction; a system call; a register that the ABI says is kept and was not; contexts that wait
 * for each other for ever.
 *
 * What hardware may do otherwise, and nothing here shows: the order in which elements are summed,
 * how good approximations are (here: 14 bits), numbers that are too great for a conversion, NaN in
 * a maximum, subnormal numbers; and that memory is written late or out of order, so that a missing
 * fence or svob does not show.
 *
 * Time is estimated, in cycles of 1.6 GHz; ve_time.c says by which rules.  Contexts run in turn,
 * the one whose clock is behind first, so that what they do at barriers follows from the estimate.
 *
 * Nothing here is safe to call from two threads at once.  Addresses are those of the engine.
 */
#ifndef SHEAF_TESTS_SIM_VE_H
#define SHEAF_TESTS_SIM_VE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ir/error.h"

struct sim_ve;         /* an image */
struct sim_ve_library; /* owned by its image */
struct sim_ve_context; /* the same */

enum {
    SIM_VE_MAX_CONTEXTS = 16, /* cores of the largest card */
    SIM_VE_REGISTER_ARGS = 8,
    SIM_VE_MAX_ARGS = 256,
    SIM_VE_FAULT_CHARS = 400
};

/* Memory that may be given out, libraries and stacks included, is at most `limit_bytes`. NULL where
   the host has not even the addresses for it. */
struct sim_ve *sim_ve_create(uint64_t limit_bytes);
void sim_ve_destroy(struct sim_ve *ve);

/* Memory of the client: not written, aligned to 16 bytes and no more, as the engine's malloc gives
   it.  No address is given out twice.  0 where the limit is exceeded. */
uint64_t sim_ve_alloc(struct sim_ve *ve, uint64_t n_bytes);
/* False where no allocation in use begins there. */
bool sim_ve_free(struct sim_ve *ve, uint64_t address);
/* From and to the host; false and a sentence where not all of it lies in memory that was given out.
   Bytes that nobody wrote are read as they are. */
bool sim_ve_write(struct sim_ve *ve, uint64_t to, const void *from, uint64_t n_bytes,
                  struct error *err);
bool sim_ve_read(const struct sim_ve *ve, void *to, uint64_t from, uint64_t n_bytes,
                 struct error *err);
uint64_t sim_ve_bytes_in_use(const struct sim_ve *ve);
uint64_t sim_ve_allocations(const struct sim_ve *ve); /* of the client, in use */

/* Loads ET_REL or ET_DYN from its bytes, which the caller may free afterwards.  NULL and a
   sentence, beginning with `name`, where it is not an object of the engine, or one that cannot be
   loaded. */
struct sim_ve_library *sim_ve_load(struct sim_ve *ve, const char *name, const void *elf,
                                   size_t n_bytes, struct error *err);
void sim_ve_unload(struct sim_ve *ve, struct sim_ve_library *library);
/* Address of a global symbol; 0 where there is none.  NULL: of any library. */
uint64_t sim_ve_symbol(const struct sim_ve *ve, const struct sim_ve_library *library,
                       const char *name);

/* NULL where there are SIM_VE_MAX_CONTEXTS already or memory is out.  0 bytes: 1 MiB of stack. */
struct sim_ve_context *sim_ve_open(struct sim_ve *ve, uint64_t stack_bytes);
void sim_ve_close(struct sim_ve_context *context);

enum sim_ve_state {
    SIM_VE_IDLE,    /* nothing was called yet */
    SIM_VE_RUNNING, /* a call was started and has not ended */
    SIM_VE_DONE,    /* it has returned */
    SIM_VE_FAULT    /* it was stopped; sim_ve_fault has the sentence.  A next call may be started */
};

/* Starts a call of the function at `address`, in a context that is not running.  At most
   SIM_VE_MAX_ARGS arguments, those behind the first eight on the stack.  Nothing runs yet. */
void sim_ve_call(struct sim_ve_context *context, uint64_t address, const uint64_t *args,
                 size_t n_args);
/* The same with n_bytes of memory on the stack for the time of the call, which start at the address
   that is returned, below all that the call itself uses: made before sim_ve_call, it holds until
   the call has ended.  0 where they do not fit. */
uint64_t sim_ve_push(struct sim_ve_context *context, uint64_t n_bytes);

/* Runs all contexts that run, in turn, until `context` does not or n_insns are done; NULL: until
   none does.  n_insns 0: no limit.  Returns how many instructions were run. */
uint64_t sim_ve_run(struct sim_ve *ve, struct sim_ve_context *context, uint64_t n_insns);

enum sim_ve_state sim_ve_state(const struct sim_ve_context *context);
uint64_t sim_ve_result(const struct sim_ve_context *context);   /* s0, when the call is done */
const char *sim_ve_fault(const struct sim_ve_context *context); /* "" where there was none */

/* ve_llvm.c: as LLVM's disassembler prints it. */
bool sim_ve_llvm_text(uint64_t word, char *out_text, size_t size);

/* How an image behaves; set before the first call, or keep what is in brackets. */
struct sim_ve_options {
    bool unwritten_faults; /* reading bytes that nobody wrote ends the call [true] */
    /* NULL, or what prints an instruction independently: each that runs must read the same. Returns
       false where it is none.  sim_ve_llvm_text is one.  [NULL] */
    bool (*reference)(uint64_t word, char *out_text, size_t size);
    bool unfair;      /* a context runs until it waits, the last one first; no time then [false] */
    uint32_t quantum; /* instructions that a context runs before another one may [1000] */
    uint64_t spin_insns; /* of each context without any progress: deadlock [20 million] */
};
struct sim_ve_options *sim_ve_options(struct sim_ve *ve);

/* What one function did, in all contexts. */
struct sim_ve_stats {
    const char *name; /* of its symbol; "?" for code without one */
    uint64_t calls;
    uint64_t insns, vector_insns;
    uint64_t fma_insns; /* of vectors, on the FMA pipes */
    uint64_t elems;     /* that vector instructions worked on; a pair is one */
    uint64_t flops;     /* of vectors: a multiply-add is 2, a pair counts twice */
    uint64_t bytes_read, bytes_written;
    double cycles;         /* by which it moved the clocks of its contexts, together */
    double longest_cycles; /* the same of that context in which it took the longest */
    double vector_cycles;  /* of `cycles`, while some vector pipe was busy */
    double fma_cycles;     /* that its instructions kept the three FMA pipes busy, / 3 */
    double memory_cycles;  /* that they kept the vector memory pipe busy */
};

/* Of all contexts, since the image was created or they were reset, by
   function in the order of addresses, those that ran only.  Valid until the next call. */
const struct sim_ve_stats *sim_ve_stats(struct sim_ve *ve, size_t *out_n);
/* Their sum; longest_cycles: the latest clock of all contexts, since the reset. */
struct sim_ve_stats sim_ve_total(struct sim_ve *ve);
void sim_ve_reset_stats(struct sim_ve *ve);
/* The same as a table, and the mix of instructions: veo.h describes it. */
void sim_ve_print_stats(struct sim_ve *ve, FILE *file);
/* How often an instruction ran, by the name that it has in assembler ("pvfmad"). */
uint64_t sim_ve_ran(const struct sim_ve *ve, const char *mnemonic);

#endif
