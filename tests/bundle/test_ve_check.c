/*
 * test_ve_check.c: each thing for which a dynamic loader of the Vector Engine would not open a
 * shared object, or would not find its way in it.
 */
#include <elf.h>
#include <stdlib.h>

#include "bundle/read/ve_check.h"
#include "bundle/read/ve_elf.h"
#include "bundle/write/ve_shared.h"
#include "tests/support/fixture.h"
#include "tests/support/random.h"
#include "tests/support/support.h"
#include "tests/support/ve_object.h"

static struct bytes library;

static int setup_library(void **state)
{
    setup(state);
    if (!ve_shared_make(&arena, "libtest.so", ve_object(&arena, VE_PROGRAM, LLVMRelocPIC), &library,
                        &err))
        fail_msg("%s", err.text);
    return 0;
}

static const char *fault_of(const uint8_t *data, size_t size)
{
    struct object o;
    const char *why = object_open(data, size, &o);
    return why ? why : ve_check(&o);
}

static uint64_t section_offset(const char *name)
{
    struct object o;
    struct object_section s;
    assert_null(object_open(library.data, library.size, &o));
    for (uint32_t i = 1; object_section(&o, i, &s); i++)
        if (strcmp(s.name, name) == 0)
            return s.offset;
    fail_msg("there is no section '%s'", name);
    return 0;
}

/* Offset of the entry with that tag. */
static uint64_t dynamic_offset(uint64_t tag)
{
    for (uint64_t at = section_offset(".dynamic");; at += sizeof(Elf64_Dyn)) {
        uint64_t is;
        memcpy(&is, library.data + at, 8);
        if (is == tag)
            return at;
        assert_int_not_equal(is, DT_NULL);
    }
}

/* The file is faulty in this way where `n_bytes` at `at` are others. */
static void expect(uint64_t at, size_t n_bytes, uint64_t value, const char *want)
{
    uint8_t *data = arena_copy(&arena, library.data, library.size);
    memcpy(data + at, &value, n_bytes);
    const char *why = fault_of(data, library.size);
    if (!why)
        fail_msg("it is not found: %s", want);
    assert_string_equal(why, want);
}

#define HEADER(field) offsetof(Elf64_Ehdr, field), sizeof(((Elf64_Ehdr *)0)->field)
#define SEGMENT(i, field)                                                                          \
    sizeof(Elf64_Ehdr) + (i) * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, field),                   \
        sizeof(((Elf64_Phdr *)0)->field)
#define DYNAMIC_TAG(tag)   dynamic_offset(tag), 8
#define DYNAMIC_VALUE(tag) dynamic_offset(tag) + 8, 8
#define SYMBOL(field)                                                                              \
    section_offset(".dynsym") + sizeof(Elf64_Sym) + offsetof(Elf64_Sym, field),                    \
        sizeof(((Elf64_Sym *)0)->field)
#define RELOCATION(field)                                                                          \
    section_offset(".rela.dyn") + offsetof(Elf64_Rela, field), sizeof(((Elf64_Rela *)0)->field)

static void segments(void **state)
{
    (void)state;
    assert_null(fault_of(library.data, library.size));
    expect(HEADER(e_machine), EM_X86_64, "it is for another machine");
    expect(HEADER(e_type), ET_EXEC, "it is no shared object");
    expect(HEADER(e_phnum), 60000, "its segment table lies outside");
    expect(SEGMENT(0, p_align), 4096, "a segment is not aligned to pages");
    expect(SEGMENT(0, p_align), 3 * VE_PAGE_BYTES, "a segment is not aligned to pages");
    expect(SEGMENT(1, p_vaddr), 2 * VE_PAGE_BYTES,
           "a segment lies elsewhere in its page than in the file's");
    expect(SEGMENT(0, p_filesz), library.size, "a segment is larger in the file than in memory");
    expect(SEGMENT(0, p_filesz), library.size + 1, "a segment lies outside of the file");
    expect(SEGMENT(0, p_flags), PF_R | PF_W | PF_X, "a segment is both written and executed");
    expect(SEGMENT(0, p_flags), PF_X, "a segment cannot be read");
    expect(SEGMENT(0, p_memsz), VE_PAGE_BYTES + 1,
           "segments share a page, or are not in the order of addresses");
    expect(SEGMENT(2, p_type), PT_INTERP, "it is a program, or has data of threads");
    expect(SEGMENT(2, p_type), PT_NOTE, "it has no dynamic section, or several");
    expect(SEGMENT(3, p_type), PT_NOTE, "it does not say that its stack is not executed");
    expect(SEGMENT(3, p_flags), PF_R | PF_W | PF_X, "it wants a stack that is executed");
}

static void dynamic_section(void **state)
{
    (void)state;
    expect(SEGMENT(2, p_vaddr), 0x120, "its dynamic section is not in a segment that is written");
    expect(SEGMENT(2, p_filesz), 16, "its dynamic section has no end");
    expect(DYNAMIC_TAG(DT_SONAME), DT_NEEDED, "it needs another library");
    expect(DYNAMIC_TAG(DT_SONAME), DT_TEXTREL, "its code would be written");
    expect(DYNAMIC_TAG(DT_SONAME), DT_INIT_ARRAY,
           "it has code that runs when it is opened or closed");
    expect(DYNAMIC_TAG(DT_SONAME), DT_JMPREL, "it has relocations of a kind that is not made here");
    expect(DYNAMIC_TAG(DT_SONAME), DT_DEBUG, "it has no name");
    expect(DYNAMIC_VALUE(DT_SONAME), 100000, "it has no name");
    expect(DYNAMIC_VALUE(DT_STRTAB), 1 << 20, "its table of names is not in memory, or has no end");
    expect(DYNAMIC_VALUE(DT_STRSZ), 3, "its table of names is not in memory, or has no end");
}

static void symbols(void **state)
{
    (void)state;
    uint64_t hash = section_offset(".hash");
    expect(DYNAMIC_VALUE(DT_HASH), 1 << 20, "its hash table is not in memory");
    expect(hash, 4, 0, "its hash table is empty, or not all in memory");
    expect(hash + 4, 4, 1 << 20, "its hash table is empty, or not all in memory");
    expect(hash + 4, 4, 1, "it has nothing that could be called");
    expect(DYNAMIC_VALUE(DT_SYMTAB), 1 << 20, "its symbols are not in memory");
    expect(DYNAMIC_VALUE(DT_SYMENT), 16, "its symbols are not in memory");
    expect(SYMBOL(st_name), 0, "a symbol has no name");
    expect(SYMBOL(st_name), 100000, "a symbol has no name");
    expect(SYMBOL(st_shndx), SHN_UNDEF, "it needs a symbol from elsewhere");
    expect(SYMBOL(st_info), ELF64_ST_INFO(STB_GLOBAL, STT_TLS),
           "a symbol is of a kind that nothing outside may use");
    expect(SYMBOL(st_value), 1 << 20, "a symbol is not in memory, or a function is not in code");
    /* The data of the second segment. */
    expect(SYMBOL(st_value), VE_PAGE_BYTES + section_offset(".got"),
           "a symbol is not in memory, or a function is not in code");
}

/* A chain that leads back to itself ends all the same. */
static void endless_chain(void **state)
{
    (void)state;
    uint8_t *data = arena_copy(&arena, library.data, library.size);
    uint8_t *hash = data + section_offset(".hash");
    uint32_t n_buckets, n_symbols, one = 1;
    memcpy(&n_buckets, hash, 4);
    memcpy(&n_symbols, hash + 4, 4);
    for (uint32_t i = 0; i < n_buckets + n_symbols; i++)
        memcpy(hash + 8 + 4 * i, &one, 4);
    assert_string_equal(fault_of(data, library.size), "the hash table does not lead to a symbol");
}

static void relocations(void **state)
{
    (void)state;
    expect(DYNAMIC_VALUE(DT_RELA), 1 << 20, "its relocations are not in memory");
    expect(DYNAMIC_VALUE(DT_RELAENT), 16, "its relocations are not in memory");
    expect(DYNAMIC_VALUE(DT_RELASZ), 25, "its relocations are not in memory");
    expect(RELOCATION(r_info), R_VE_REFQUAD,
           "a relocation is none that only depends on where the file lies");
    expect(RELOCATION(r_offset), section_offset(".text"),
           "a relocation is of something that is not written, or not aligned");
    expect(RELOCATION(r_offset), VE_PAGE_BYTES + section_offset(".got") + 4,
           "a relocation is of something that is not written, or not aligned");
    expect(RELOCATION(r_addend), 1 << 20, "a relocation leads out of the file");
}

static void sections(void **state)
{
    (void)state;
    struct object o;
    assert_null(object_open(library.data, library.size, &o));
    uint64_t first = o.sections_at + sizeof(Elf64_Shdr);
#define SECTION(field) first + offsetof(Elf64_Shdr, field), sizeof(((Elf64_Shdr *)0)->field)
    expect(SECTION(sh_name), 100000, "a section is malformed");
    expect(SECTION(sh_addr), 1 << 20, "a section is in no segment");
    expect(SECTION(sh_addr), 0x128, "a section lies elsewhere in the file than in memory");
    expect(SECTION(sh_addralign), 64, "a section is not aligned");
    expect(SECTION(sh_flags), SHF_ALLOC | SHF_WRITE, "a section is in the wrong segment");
}

/* Whatever the bytes are, it ends. */
static void damage(void **state)
{
    (void)state;
    uint64_t seed = 7;
    int n_found = 0;
    uint8_t *data = arena_alloc(&arena, library.size);
    for (int i = 0; i < 20000; i++) {
        memcpy(data, library.data, library.size);
        for (int k = 0; k < 2; k++)
            data[random_below(&seed, (int)library.size)] = (uint8_t)random_below(&seed, 256);
        size_t size = i % 8 ? library.size : (size_t)random_below(&seed, (int)library.size);
        n_found += fault_of(data, size) != NULL;
    }
    assert_true(n_found > 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(segments, setup_library, teardown),
        cmocka_unit_test_setup_teardown(dynamic_section, setup_library, teardown),
        cmocka_unit_test_setup_teardown(symbols, setup_library, teardown),
        cmocka_unit_test_setup_teardown(endless_chain, setup_library, teardown),
        cmocka_unit_test_setup_teardown(relocations, setup_library, teardown),
        cmocka_unit_test_setup_teardown(sections, setup_library, teardown),
        cmocka_unit_test_setup_teardown(damage, setup_library, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
