/*
 * ve_memory.h: the memory of a simulated Vector Engine, and what is known of each byte of it.
 *
 * Every byte has a state.  Between two areas lies room that belongs to nobody, and no address is
 * given out twice, so that what runs over an area or uses it after it was freed is found.
 */
#ifndef SHEAF_TESTS_SIM_VE_MEMORY_H
#define SHEAF_TESTS_SIM_VE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Where a process of the engine has its own memory begins here; host addresses do not reach it. */
#define VE_BASE UINT64_C(0x600000000000)

/* States of a byte; 0 is outside of every area. */
enum { VE_BYTE_THERE = 1, VE_BYTE_WRITTEN = 2, VE_BYTE_CONSTANT = 4 };

enum ve_owner { VE_OWNER_CLIENT, VE_OWNER_LIBRARY, VE_OWNER_STACK };

struct ve_area {
    uint64_t address, n_bytes;
    enum ve_owner owner;
    bool freed;
};

struct ve_memory {
    uint8_t *bytes, *state;
    uint64_t reserved_bytes;
    uint64_t end; /* of what was ever given out, from VE_BASE */
    uint64_t limit_bytes, in_use_bytes, n_client;
    uint64_t readable;     /* states that a byte needs for being read, in each of eight bytes */
    struct ve_area *areas; /* by address */
    size_t n_areas, cap_areas;
};

bool ve_memory_init(struct ve_memory *m, uint64_t limit_bytes);
void ve_memory_done(struct ve_memory *m);
/* The address is a multiple of `align`, a power of two, plus `offset`.  0 where the limit is
   exceeded. Nothing of it is written yet. */
uint64_t ve_memory_alloc(struct ve_memory *m, uint64_t n_bytes, uint64_t align, uint64_t offset,
                         enum ve_owner owner);
bool ve_memory_free(struct ve_memory *m, uint64_t address);
/* The area that the address lies in, freed ones too; else the nearest below, or NULL. */
const struct ve_area *ve_memory_near(const struct ve_memory *m, uint64_t address);
bool ve_memory_holds(const struct ve_memory *m, uint64_t address, uint64_t n_bytes);
void ve_memory_put(struct ve_memory *m, uint64_t to, const void *from, uint64_t n_bytes);
void ve_memory_make_constant(struct ve_memory *m, uint64_t address, uint64_t n_bytes);
void ve_memory_unwritten_faults(struct ve_memory *m, bool on);

struct sim_ve_context;
/* End the call with a sentence: the bytes may not be read, written. */
_Noreturn void ve_refuse(struct sim_ve_context *c, uint64_t address, uint64_t n_bytes, bool writes);
/* The host's memory for an access of n bytes, 1, 2, 4 or 8, or for more, of several elements. */
const uint8_t *ve_reading(struct sim_ve_context *c, uint64_t address, uint64_t n_bytes);
/* The same of 4 bytes of which narrower elements are taken: it is enough that one was written. */
const uint8_t *ve_reading_word(struct sim_ve_context *c, uint64_t address);
uint8_t *ve_writing(struct sim_ve_context *c, uint64_t address, uint64_t n_bytes);

#endif
